"""Rooms and devices: convolution as in float64, filters as SciPy's, loudness kept."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from urbansound.config import AugmentConfig
from urbansound.data import augment, channel

RATE = 16_000


def seed(number):
    return tf.constant([7, number], tf.int64)


def noise(samples=RATE):
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def spectrum_db(sound):
    frequencies, power = scipy.signal.welch(np.float64(sound), RATE, nperseg=2048)
    return frequencies, 10 * np.log10(power)


def test_a_clip_is_convolved_with_a_room_and_filtered_by_a_device():
    heard = channel.through(tf.constant(noise()), seed(1), RATE).numpy()
    room_seed, device_seed = tf.unstack(tf.random.experimental.stateless_split(seed(1), 2))
    echoed = scipy.signal.fftconvolve(np.float64(noise()), np.float64(channel.room(room_seed, RATE)))
    length = channel._length(RATE + RATE // 2)
    passed = np.float64(channel.device(device_seed, np.fft.rfftfreq(length, 1 / RATE)))
    expected = np.fft.irfft(np.fft.rfft(echoed, length) * passed, length)[:RATE]
    expected *= np.sqrt(np.mean(np.float64(noise()) ** 2) / np.mean(expected**2))
    np.testing.assert_allclose(heard, expected, atol=1e-5)


@pytest.mark.parametrize(("made", "kind"), [(channel.low_cut, "highpass"), (channel.high_cut, "lowpass")])
def test_filters_are_butterworths(made, kind):
    frequencies = np.linspace(1, 8000, 100)
    numerator, denominator = scipy.signal.butter(channel.ORDER, 700, kind, analog=True)
    _, expected = scipy.signal.freqs(numerator, denominator, frequencies)
    np.testing.assert_allclose(made(frequencies, 700.0), np.abs(expected), rtol=1e-4, atol=1e-6)


def test_rooms_are_the_sound_itself_and_a_fading_echo():
    for number in range(20):
        response = channel.room(seed(number), RATE).numpy()
        assert response[0] == 1
        energy = np.sum(response[1:] ** 2)
        assert 10 ** (-channel.DIRECT_DB[1] / 10) * 0.99 < energy < 10 ** (-channel.DIRECT_DB[0] / 10) * 1.01
        first, last = np.split(response[1 : 1 + 2 * (RATE // 8)], 2)
        assert np.sum(first**2) > 5 * np.sum(last**2)  # at least 15 dB in an eighth of a second, give or take


def test_devices_lack_lows_or_highs_and_are_uneven_between():
    below, above, middle = [], [], []
    for number in range(100):
        heard = channel.through(tf.constant(noise()), seed(number), RATE).numpy()
        assert np.mean(heard**2) == pytest.approx(np.mean(noise() ** 2), rel=1e-4)
        frequencies, level = spectrum_db(heard)
        level -= spectrum_db(noise())[1]
        inside = level[(frequencies > 500) & (frequencies < 2000)]
        middle.append(inside.max() - inside.min())
        below.append(np.median(inside) - level[frequencies == 62.5][0])
        above.append(np.median(inside) - level[frequencies == 6000][0])
    assert np.median(middle) > 3
    for lost in (below, above):
        assert 0.2 < np.mean(np.array(lost) > 10) < 0.8


def test_silence_stays_silent_and_all_follows_from_the_seed():
    assert not np.any(channel.through(tf.zeros(RATE), seed(1), RATE))
    config = AugmentConfig(shift_seconds=0.0, gain_db=0.0, channel_probability=0.5)
    once = [augment.augment_waveform(tf.constant(noise()), None, seed(i), config, RATE).numpy() for i in range(60)]
    again = [augment.augment_waveform(tf.constant(noise()), None, seed(i), config, RATE).numpy() for i in range(60)]
    np.testing.assert_array_equal(once, again)
    assert 15 < sum(np.array_equal(heard, noise()) for heard in once) < 45
    assert len({heard.tobytes() for heard in once}) > 15


@pytest.mark.parametrize(("least", "length"), [(1000, 1024), (1025, 1536), (1536, 1536), (1537, 2048), (1, 1)])
def test_lengths_are_the_next_that_are_fast(least, length):
    assert channel._length(least) == length
