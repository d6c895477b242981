"""What lies between a sound and its recording: a room, and a microphone or line that passes some frequencies better.

In-graph and a pure function of its seed, as all of `data.augment` is. Phase plays no part in a log-mel, so devices have
none: their response is a magnitude.
"""

import numpy as np
import tensorflow as tf

from urbansound.data.seeds import split_seed

POINTS, LOWEST_HZ, SPREAD_DB = 8, 50.0, 5.0  # of the uneven response: places an equal number of octaves apart
LOW_CUT_HZ, HIGH_CUT_HZ, ORDER = (20.0, 400.0), (2800.0, 20_000.0), 4  # of Butterworth's filters
ECHO_SECONDS = 0.5  # length of the impulse response
FADE_SECONDS = (0.1, 0.5)  # in which the echo falls by 60 dB
DIRECT_DB = (0.0, 20.0)  # above the echo


def through(waveform, seed, sample_rate):
    """A waveform as a random room and device make it, as loud as before.

    Args:
      waveform: float32 [samples], of known length; silence stays silent.
      seed: int32 [2].
      sample_rate: Hz.

    Returns:
      float32 [samples].
    """
    samples = waveform.shape[0]
    room_seed, device_seed = split_seed(seed, 2)
    length = _length(samples + round(ECHO_SECONDS * sample_rate))
    spectrum = tf.signal.rfft(waveform, [length]) * tf.signal.rfft(room(room_seed, sample_rate), [length])
    passed = device(device_seed, np.fft.rfftfreq(length, 1 / sample_rate))
    heard = tf.signal.irfft(spectrum * tf.cast(passed, tf.complex64), [length])[:samples]
    power = tf.reduce_mean(waveform**2) / tf.maximum(tf.reduce_mean(heard**2), 1e-20)
    return heard * tf.sqrt(power)


def room(seed, sample_rate):
    """A random impulse response float32 [ECHO_SECONDS]: the sound itself, then noise that fades exponentially."""
    noise_seed, level_seed, fade_seed = split_seed(seed, 3)
    seconds = np.arange(round(ECHO_SECONDS * sample_rate), dtype=np.float32) / sample_rate
    fade = tf.random.stateless_uniform([], fade_seed, *FADE_SECONDS)
    echo = tf.random.stateless_normal(seconds.shape, noise_seed) * 10 ** (-3 * seconds / fade)
    direct_db = tf.random.stateless_uniform([], level_seed, *DIRECT_DB)
    echo *= 10 ** (-direct_db / 20) * tf.math.rsqrt(tf.reduce_sum(echo**2))
    return tf.concat([[1.0], echo[1:]], axis=0)


def device(seed, frequencies):
    """Random magnitudes float32 [frequencies] of a device: an uneven response, without some lows and highs.

    Args:
      seed: int32 [2].
      frequencies: float64 [any], Hz.
    """
    level_seed, cut_seed = split_seed(seed, 2)
    octaves = np.log2(np.maximum(frequencies, LOWEST_HZ) / LOWEST_HZ)
    places = octaves / octaves.max() * (POINTS - 1)
    weights = np.maximum(1 - np.abs(places[:, np.newaxis] - np.arange(POINTS)), 0)  # linear between two points
    levels_db = tf.random.stateless_normal([POINTS, 1], level_seed, stddev=SPREAD_DB)
    uneven = 10 ** (tf.matmul(weights.astype(np.float32), levels_db)[:, 0] / 20)
    low_seed, high_seed = split_seed(cut_seed, 2)
    low, high = _between(LOW_CUT_HZ, low_seed), _between(HIGH_CUT_HZ, high_seed)
    return uneven * low_cut(frequencies, low) * high_cut(frequencies, high)


def high_cut(frequencies, cut):
    """Magnitudes float32 of a Butterworth low-pass filter that halves the power at `cut` Hz."""
    return tf.math.rsqrt(1 + (frequencies.astype(np.float32) / cut) ** (2 * ORDER))


def low_cut(frequencies, cut):
    """Magnitudes float32 of a Butterworth high-pass filter that halves the power at `cut` Hz."""
    return tf.math.rsqrt(1 + (cut / np.maximum(frequencies, 1e-3).astype(np.float32)) ** (2 * ORDER))


def _between(limits, seed):
    """A frequency between two, every octave as likely."""
    return tf.exp(tf.random.stateless_uniform([], seed, *np.log(limits)))


def _length(least):
    """The next power of two, or three halves of one: lengths whose Fourier transform is fast."""
    power = 2 ** (least - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= least else power
