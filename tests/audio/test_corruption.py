"""Corruptions against float64 definitions, and against what their names promise of tones."""

import numpy as np
import pytest

from urbansound.audio import corruption

RATE = 16000


def tone(hertz, amplitude=0.5, seconds=1.0):
    time = np.arange(int(RATE * seconds)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def level_db(waveform):
    return 10 * np.log10(np.mean(np.square(waveform[RATE // 4 : -RATE // 4], dtype=np.float64)))


@pytest.mark.parametrize("snr_db", [20, 0, -5.5])
def test_noise_has_its_ratio(snr_db):
    clean, noise = tone(440), np.random.default_rng(0).standard_normal(RATE) * 3
    added = corruption.add_noise(clean, noise, snr_db).astype(np.float64) - clean
    assert 10 * np.log10(np.mean(np.square(clean.astype(np.float64))) / np.mean(added**2)) == pytest.approx(
        snr_db, abs=1e-3
    )
    np.testing.assert_allclose(added / np.std(added), noise / np.std(noise), atol=1e-5)


def test_noise_on_silence_is_silence():
    assert not corruption.add_noise(np.zeros(10, np.float32), np.ones(10), 0).any()
    np.testing.assert_array_equal(corruption.add_noise(np.ones(10, np.float32), np.zeros(10), 0), np.ones(10))


@pytest.mark.parametrize(
    ("hertz", "lost_db"), [(60, (30, 200)), (300, (5, 7)), (1000, (-0.1, 0.1)), (3400, (5, 7)), (7000, (40, 200))]
)
def test_a_phone_line_passes_300_to_3400_hz(hertz, lost_db):
    # Filtered there and back: the edges, 3 dB down each way, are 6 dB down.
    lost = level_db(tone(hertz)) - level_db(corruption.telephone(tone(hertz), RATE))
    assert lost_db[0] <= lost <= lost_db[1]


@pytest.mark.parametrize(
    ("hertz", "lost_db"), [(100, (-0.1, 0.1)), (3000, (-0.1, 1)), (4000, (5, 7)), (7000, (40, 200))]
)
def test_low_pass(hertz, lost_db):
    lost = level_db(tone(hertz)) - level_db(corruption.low_pass(tone(hertz), RATE))
    assert lost_db[0] <= lost <= lost_db[1]


def test_clipping_cuts_at_its_level_below_the_peak():
    clipped = corruption.clip(tone(440, 0.8), 12)
    limit = 0.8 * 10 ** (-12 / 20)
    assert np.max(clipped) == pytest.approx(limit, rel=1e-3)
    quiet = np.abs(tone(440, 0.8)) < limit * 0.999
    np.testing.assert_array_equal(clipped[quiet], tone(440, 0.8)[quiet])


def test_gain():
    np.testing.assert_allclose(corruption.gain(tone(440), -20), tone(440) / 10, rtol=1e-6)


def test_8_bit_is_off_by_half_a_step_at_most():
    waveform = np.random.default_rng(1).uniform(-1, 127 / 128, 5000).astype(np.float32)
    coded = corruption.linear_8_bit(waveform)
    assert np.max(np.abs(coded - waveform)) <= 1 / 256
    assert len(np.unique(coded)) <= 256
    assert corruption.linear_8_bit(np.array([2.0, -2.0])).tolist() == [127 / 128, -1]


def test_mu_law_is_off_by_half_a_companded_step():
    waveform = np.random.default_rng(2).uniform(-0.95, 0.95, 5000)
    coded = corruption.mu_law(waveform)
    assert len(np.unique(coded)) <= 256

    def companded(values):
        return np.sign(values) * np.log1p(255 * np.abs(values)) / np.log(256)

    assert np.max(np.abs(companded(coded.astype(np.float64)) - companded(waveform))) <= 0.5 / 128 + 1e-6
    assert np.max(np.abs(corruption.mu_law(tone(440, 0.01)) - tone(440, 0.01))) < 0.0005


@pytest.mark.parametrize("name", corruption.CORRUPTIONS)
@pytest.mark.parametrize("samples", [1, 7, 8000])
def test_every_corruption_takes_any_length_and_silence(name, samples):
    for waveform in (np.zeros(samples, np.float32), tone(500)[:samples]):
        corrupted = corruption.CORRUPTIONS[name](waveform, 8000)
        assert corrupted.dtype == np.float32
        assert corrupted.shape == (samples,)
        assert np.isfinite(corrupted).all()
