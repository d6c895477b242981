"""Windows over blocks are those of the whole sound, however it is cut into blocks."""

import numpy as np
import pytest

from urbansound.audio.length import lengthen
from urbansound.inference.classifier import window_starts
from urbansound.inference.windows import windows

SAMPLES, HOP = 40, 15


def of_the_whole(sound, short_clips="repeat"):
    """(starts, windows) as `Classifier.score` cuts them."""
    length = max(len(sound), SAMPLES)
    starts = window_starts(length, SAMPLES, HOP).numpy()
    sound = lengthen(sound, length, short_clips).numpy()
    return starts, np.stack([sound[start : start + SAMPLES] for start in starts])


def cut(sound, generator):
    """The sound in blocks of 0 to 60 samples."""
    places = np.cumsum(generator.integers(0, 60, 2 + len(sound) // 20))
    return np.split(sound, places[places < len(sound)])


# Shorter than a window, one, between two starts, two windows to the sample, and many.
@pytest.mark.parametrize("length", [1, 39, 40, 41, 55, 56, 70, 1000])
@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_windows_are_those_of_the_whole(length, at_once):
    generator = np.random.default_rng(length)
    sound = generator.normal(size=length).astype(np.float32)
    expected_starts, expected = of_the_whole(sound)
    for blocks in ([sound], cut(sound, generator), cut(sound, generator)):
        parts = list(windows(blocks, SAMPLES, HOP, "repeat", at_once))
        assert all(len(starts) <= at_once for starts, _ in parts)
        np.testing.assert_array_equal(np.concatenate([starts for starts, _ in parts]), expected_starts)
        np.testing.assert_array_equal(np.concatenate([values for _, values in parts]), expected)


def test_a_short_sound_is_padded_where_the_run_does_so():
    sound = np.ones(10, np.float32)
    ((_, values),) = windows([sound], SAMPLES, HOP, "zeros", 8)
    np.testing.assert_array_equal(values, of_the_whole(sound, "zeros")[1])


def test_no_sound_has_no_windows():
    assert list(windows([], SAMPLES, HOP, "repeat", 8)) == []
    assert list(windows([np.zeros(0, np.float32)], SAMPLES, HOP, "repeat", 8)) == []
