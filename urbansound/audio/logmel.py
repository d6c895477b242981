"""The front-end: waveform to log-mel, one function for training, serving and the phone."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from urbansound.audio.mel_filterbank import mel_filterbank
from urbansound.config import AudioConfig, section_from_dict
from urbansound.errors import InputError

LEAST_MEAN = 1e-10  # of mel energies that are scaled to a mean; digital silence stays silent


def log_mel(waveforms, config: AudioConfig):
    """Waveforms to log-mel spectrograms, each clip by itself.

    Conventions: remove_dc first subtracts the mean of each clip's samples; zeros that make a short clip
    longer count as samples. The Hann window is periodic. Padded (reflect, zeros), frame t is centred on
    sample t * hop_length, there are 1 + samples // hop_length frames, and the result is that of torchaudio
    (reflect) and librosa (zeros) with their center=True. Unpadded, frame t starts at sample
    t * hop_length and there are 1 + (samples - win_length) // hop_length frames, as in `tf.signal.stft`.

    Works eagerly, in tf.function and in Dataset.map, and converts to TFLite's built-in ops (which
    need n_fft to be a power of two).

    Args:
      waveforms: float [..., samples] in [-1, 1]: [batch, samples], or one clip [samples]. Rank known.
      config: settings; clip_seconds plays no part.

    Returns:
      float32 [..., frames, n_mels]. log="db": decibel of a full scale of 1, at least
      (20 / power) * log10(log_floor); "ln": ln(mel + log_floor); "none": mel energies.

    Raises:
      InputError: waveforms are integers or too short for one frame, or a mel band has no bin.
      tf.errors.InvalidArgumentError: in a graph, samples unknown until it runs and then too few.
    """
    waveforms = tf.convert_to_tensor(waveforms)
    if not waveforms.dtype.is_floating:
        raise InputError(f"waveforms must be float in [-1, 1]. Received: {waveforms.dtype.name}; divide int16 by 32768")
    waveforms = tf.cast(waveforms, tf.float32)
    if config.remove_dc:
        waveforms -= tf.reduce_mean(waveforms, axis=-1, keepdims=True)
    frames = _frames(waveforms, config)  # [..., frames, win_length]
    spectrum = tf.signal.rfft(frames * hann_window(config.win_length), [config.n_fft])  # complex64 [..., frames, bins]
    mel = tf.tensordot(_magnitude_power(spectrum, config.power), mel_filterbank(config), 1)  # [..., frames, n_mels]
    return _compress(_levelled(mel, config.mean_level), config)


@keras.saving.register_keras_serializable(package="urbansound")
class LogMel(keras.layers.Layer):
    """`log_mel` as a layer without weights: float [batch, samples] to float32 [batch, frames, n_mels].

    Always float32, whatever the global dtype policy: a power spectrum spans more than float16 holds.
    """

    def __init__(self, config: AudioConfig, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.config = config
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def call(self, waveforms):
        """See `log_mel`."""
        return log_mel(waveforms, self.config)

    def get_config(self):
        """The layer's settings as plain JSON values, AudioConfig's under "audio"."""
        return {**super().get_config(), "audio": dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config):
        """The layer that `get_config` described."""
        settings = dict(config)
        return cls(section_from_dict(AudioConfig, settings.pop("audio")), **settings)


def _frames(waveforms, config):
    """float32 [..., samples] to [..., frames, win_length]."""
    before, after = padding(config)
    _check_samples(waveforms, 1 + before if config.padding == "reflect" else max(config.win_length - before - after, 1))
    if config.padding == "reflect":
        # Not tf.pad's: TFLite's MIRROR_PAD takes a seventh of the whole front-end's time.
        start = tf.reverse(waveforms[..., 1 : 1 + before], [-1])
        end = tf.reverse(waveforms[..., -1 - after : -1], [-1])
        waveforms = tf.concat([start, waveforms, end], axis=-1)
    elif config.padding == "zeros":
        waveforms = tf.pad(waveforms, [[0, 0]] * (waveforms.shape.rank - 1) + [[before, after]])
    return tf.signal.frame(waveforms, config.win_length, config.hop_length)


def padding(config):
    """Samples added before and after a clip: what its first and last window reach beyond it.

    The window lies in the middle of n_fft points as torch and librosa put it. They pad n_fft // 2 at
    both ends, most of it for zeros of the window if win_length is below n_fft.
    """
    if config.padding == "none":
        return 0, 0
    before = config.n_fft // 2 - (config.n_fft - config.win_length) // 2
    return before, config.win_length - before


def _check_samples(waveforms, shortest):
    """Stop on clips with less than `shortest` samples: now if the length is known, else when the graph runs."""
    message = f"waveforms must hold at least {shortest} samples for these settings; pad the clip"
    samples = waveforms.shape[-1]
    if samples is None:
        tf.debugging.assert_greater_equal(tf.shape(waveforms)[-1], shortest, message)
    elif samples < shortest:
        raise InputError(f"{message}. Received: {samples}")


def hann_window(win_length):
    """Periodic Hann window, float32 [win_length]; `tf.signal.hann_window` is symmetric for odd lengths."""
    return np.float32(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length))


def _magnitude_power(spectrum, power):
    """|spectrum| ** power, float32; its gradient is finite at silence."""
    if power == 1:
        return tf.abs(spectrum)
    energy = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    return energy if power == 2 else tf.pow(tf.maximum(energy, 1e-30), power / 2)


def _levelled(mel, mean_level):
    """Float32 [..., frames, n_mels] of the mean `mean_level`, each clip by itself; None: as it is."""
    if mean_level is None:
        return mel
    mean = tf.reduce_mean(mel, axis=[-2, -1], keepdims=True)
    return mel * (mean_level / tf.maximum(mean, LEAST_MEAN))


def _compress(mel, config):
    """Logarithm of float32 [..., frames, n_mels], by config.log."""
    if config.log == "none":
        return mel
    if config.log == "ln":
        return tf.math.log(mel + config.log_floor)
    decibel = tf.math.log(tf.maximum(mel, config.log_floor)) * (20 / config.power / np.log(10))
    if config.top_db is None:
        return decibel
    loudest = tf.reduce_max(decibel, axis=[-2, -1], keepdims=True)  # of each clip, never of the batch
    return tf.maximum(decibel, loudest - config.top_db)
