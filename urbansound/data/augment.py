"""Augmentation in-graph, only for training; every function is a pure function of its seed.

Seeds are int32 [2] tensors for TensorFlow's stateless random ops, so what a clip goes through
depends on the run's seed, the epoch and the clip's place in it, never on thread timing.
"""

import tensorflow as tf

from urbansound.data import channel
from urbansound.data.seeds import split_seed


def random_window(waveform, samples, seed):
    """`samples` of a waveform [any] from a random place; a shorter one is returned whole."""
    spare = tf.maximum(tf.size(waveform) - samples, 0)
    start = tf.random.stateless_uniform([], seed, 0, spare + 1, tf.int32)
    return waveform[start : start + samples]


def augment_waveform(waveform, noise, seed, config, sample_rate):
    """Circular time shift, background noise, the room and device of a recording, and gain.

    Args:
      waveform: float32 [samples].
      noise: float32 [at least samples], what background noise is cut from; None where
        config.noise_probability is 0.
      seed: int32 [2].
      config: an AugmentConfig.
      sample_rate: Hz.

    Returns:
      float32 [samples].
    """
    shift_seed, noise_seed, gain_seed = split_seed(seed, 3)
    if config.shift_seconds > 0:
        most = round(config.shift_seconds * sample_rate)
        waveform = tf.roll(waveform, tf.random.stateless_uniform([], shift_seed, -most, most + 1, tf.int32), axis=0)
    if config.noise_probability > 0:
        chosen_seed, noise_seed = split_seed(noise_seed, 2)
        chosen = tf.random.stateless_uniform([], chosen_seed) < config.noise_probability
        waveform = tf.cond(
            chosen, lambda: add_noise(waveform, noise, noise_seed, config.noise_snr_db), lambda: waveform
        )
    if config.channel_probability > 0:
        # Of the gain's seed, so that without it clips are what they were before the setting came.
        chosen_seed, channel_seed = split_seed(gain_seed, 2)
        chosen = tf.random.stateless_uniform([], chosen_seed) < config.channel_probability
        waveform = tf.cond(chosen, lambda: channel.through(waveform, channel_seed, sample_rate), lambda: waveform)
    if config.gain_db > 0:
        gain_db = tf.random.stateless_uniform([], gain_seed, -config.gain_db, config.gain_db)
        waveform *= 10.0 ** (gain_db / 20.0)
    return waveform


def add_noise(waveform, noise, seed, snr_db):
    """Add a random stretch of `noise` at an SNR drawn evenly from snr_db = (lowest, highest) dB.

    The ratio is of the mean powers over the whole window; a silent waveform stays silent.
    """
    stretch_seed, level_seed = split_seed(seed, 2)
    samples = tf.size(waveform)
    stretch = random_window(noise, samples, stretch_seed)
    level_db = tf.random.stateless_uniform([], level_seed, snr_db[0], snr_db[1])
    return waveform + stretch * tf.sqrt(_power_ratio(waveform, stretch)) * 10.0 ** (-level_db / 20.0)


def _power_ratio(waveform, stretch):
    return tf.reduce_mean(waveform**2) / tf.maximum(tf.reduce_mean(stretch**2), 1e-12)


def noise_alone(waveform, noise, seed, share):
    """A stretch of `noise`, as loud as the waveform float32 [samples], in place of this share of waveforms.

    Returns:
      (waveform float32 [samples], whether it is noise: bool []).

    Source: Hendrycks, Mazeika, Dietterich 2019 (outlier exposure): with a target of all classes alike, a model
    learns what is none of them.
    """
    chosen_seed, stretch_seed = split_seed(seed, 2)
    chosen = tf.random.stateless_uniform([], chosen_seed) < share
    stretch = random_window(noise, tf.size(waveform), stretch_seed)
    return tf.where(chosen, stretch * tf.sqrt(_power_ratio(waveform, stretch)), waveform), chosen


def mixup(waveforms, targets, seed, alpha):
    """Mix each clip with its neighbour in the batch (Zhang et al. 2018, share of its own per clip).

    Targets of clips of several classes are mixed by the same shares, as PANNs (Kong et al. 2020) and AST (Gong et al.
    2021) do on AudioSet. Their union would say of a neighbour that it is there where its share is next to nothing.

    Args:
      waveforms: float32 [batch, ...], of known rank.
      targets: float32 [batch, classes].
      seed: int32 [2].
      alpha: parameter of the symmetric Beta distribution that the share is drawn from.

    Returns:
      Both of the same shapes, mixed by the same shares.
    """
    # A Beta variable is the share of one Gamma variable in the sum of two.
    gammas = tf.random.stateless_gamma([2, tf.shape(waveforms)[0], 1], seed, alpha)
    share = (gammas[0] + 1e-6) / (gammas[0] + gammas[1] + 2e-6)
    # The larger share stays with the clip itself: the same mixtures, a steadier order.
    share = tf.maximum(share, 1.0 - share)

    def mix(values):
        own = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return own * values + (1.0 - own) * tf.roll(values, 1, axis=0)

    return mix(waveforms), mix(targets)


def mask(log_mel, seed, config):
    """SpecAugment (Park et al. 2019): bands of time and of mel set to the clip's mean.

    Args:
      log_mel: float32 [batch, frames, n_mels].
      seed: int32 [2].
      config: an AugmentConfig.

    Returns:
      float32 [batch, frames, n_mels].
    """
    time_seed, mel_seed = split_seed(seed, 2)
    batch, frames, n_mels = tf.unstack(tf.shape(log_mel))
    kept = tf.logical_and(
        _kept(time_seed, batch, frames, config.time_masks, config.time_mask_frames)[:, :, tf.newaxis],
        _kept(mel_seed, batch, n_mels, config.mel_masks, config.mel_mask_bands)[:, tf.newaxis, :],
    )
    return tf.where(kept, log_mel, tf.reduce_mean(log_mel, axis=(1, 2), keepdims=True))


def _kept(seed, batch, length, masks, widest):
    """Bool [batch, length]: False inside `masks` stretches of 0 to `widest` places."""
    width_seed, start_seed = split_seed(seed, 2)
    shape = [batch, masks, 1]
    width = tf.random.stateless_uniform(shape, width_seed, 0, widest + 1, tf.int32)
    start = tf.random.stateless_uniform(shape, start_seed)
    start = tf.cast(start * tf.cast(tf.maximum(length - width, 0) + 1, tf.float32), tf.int32)
    place = tf.range(length)[tf.newaxis, tf.newaxis, :]
    masked = tf.logical_and(place >= start, place < start + width)
    return tf.logical_not(tf.reduce_any(masked, axis=1))
