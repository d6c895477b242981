"""The mel filterbank against librosa, torchaudio's reference results, and by its own definition."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from urbansound.audio.mel_filterbank import hz_to_mel, mel_filterbank, mel_to_hz
from urbansound.config import AudioConfig
from urbansound.errors import InputError

GRID = [
    {},
    {"sample_rate": 16000},
    {"sample_rate": 32000, "n_mels": 64, "f_min": 50, "f_max": 14000},
    {"sample_rate": 44100, "n_fft": 2048},
    {"sample_rate": 16000, "n_fft": 512, "win_length": 400, "n_mels": 64, "f_min": 125, "f_max": 7500},
    {"sample_rate": 8000, "n_fft": 300, "win_length": 256, "n_mels": 32},
]


@pytest.mark.parametrize("mel_norm", ["none", "slaney"])
@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
@pytest.mark.parametrize("settings", GRID)
def test_equals_librosa(settings, mel_scale, mel_norm):
    config = AudioConfig(**settings, mel_scale=mel_scale, mel_norm=mel_norm)
    expected = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max_hz,
        htk=mel_scale == "htk",
        norm=None if mel_norm == "none" else "slaney",
        dtype=np.float64,
    )
    # Ours is rounded to float32 once, at the end: half a unit in the last place, 6e-8 of each weight.
    np.testing.assert_allclose(mel_filterbank(config), expected.T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_triangles_by_definition(mel_scale):
    config = AudioConfig(mel_scale=mel_scale)
    filterbank = mel_filterbank(config)
    assert filterbank.shape == (513, 128)
    assert filterbank.dtype == np.float32
    centres = mel_to_hz(
        np.linspace(0, hz_to_mel(config.f_max_hz, mel_scale), config.n_mels + 2)[1:-1],
        mel_scale,
    )
    bins = np.arange(513) * config.sample_rate / config.n_fft
    between = (bins >= centres[0]) & (bins <= centres[-1])
    # Between the outermost centres neighbouring triangles add up to 1; float32 rounds each to 6e-8.
    np.testing.assert_allclose(filterbank[between].sum(axis=1), 1, atol=2e-7)


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_mel_scale_is_inverted_exactly(mel_scale):
    hz = np.array([0, 20, 999, 1000, 1001, 11025, 22050])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, mel_scale), mel_scale), hz, rtol=1e-12, atol=1e-12)


def test_known_points_of_the_scales():
    assert hz_to_mel(1000, "htk") == pytest.approx(1000, abs=0.02)  # the HTK formula is made to give 1000 there
    assert hz_to_mel([500, 1000, 6400], "slaney") == pytest.approx([7.5, 15, 42])


def test_a_band_without_a_bin_is_an_error_whose_remedy_works():
    """16 kHz, 512 points, 128 bands (as in AST): bins 31 Hz apart, the lowest triangles 28 Hz wide."""
    config = {"sample_rate": 16000, "win_length": 400, "n_mels": 128}
    with pytest.raises(InputError, match=r"mel band \d+ of 128 .* raise n_fft to 1024"):
        mel_filterbank(AudioConfig(**config, n_fft=512))
    assert np.all(mel_filterbank(AudioConfig(**config, n_fft=1024)).max(axis=0) > 0)


def test_a_band_that_no_n_fft_fills_is_told_without_the_tables_of_all():
    with pytest.raises(InputError, match=r"at sample_rate=22050: lower n_mels, or widen f_min to f_max"):
        mel_filterbank(AudioConfig(f_max=2.0))


def test_filters_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        mel_filterbank(AudioConfig())[0] = 1


def test_straight_sides_in_mel_equal_tensorflow():
    band = {"f_min": 125.0, "f_max": 7500.0, "n_mels": 64}
    config = AudioConfig(sample_rate=16000, n_fft=512, win_length=400, mel_triangles="mel", **band)
    expected = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0, tf.float64)
    np.testing.assert_allclose(mel_filterbank(config), expected, atol=1e-5)  # its mel constant has four digits
