"""Sounds of no class: their kinds by their spectra, the same for the same seed."""

import numpy as np

from urbansound.data import background

RATE, SAMPLES = 16000, 16000


def test_noise_falls_by_its_exponent_hum_lies_on_harmonics_and_silence_is_silent():
    sounds = list(background.sounds(RATE, SAMPLES))
    assert len(sounds) == background.NOISES + background.HUMS + background.SILENCES
    assert all(s.dtype == np.float32 and s.shape == (SAMPLES,) and np.abs(s).max() <= 1 for s in sounds)
    noises, hums = sounds[: background.NOISES], sounds[background.NOISES : -background.SILENCES]
    hertz = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    band = (hertz > 200) & (hertz < 7000)
    slopes = []
    for noise in noises:
        power = np.abs(np.fft.rfft(noise)) ** 2
        slopes.append(-np.polyfit(np.log(hertz[band]), np.log(power[band]), 1)[0])
    # A slope over 6,800 bins of chi-squared power is known within 0.05.
    assert -0.2 < min(slopes) < 0.3
    assert 2.2 < max(slopes) < 2.7
    for hum in hums:
        power = np.abs(np.fft.rfft(hum.astype(np.float64))) ** 2  # a second: a bin per hertz
        on = {mains: power[mains : 20 * mains : mains].sum() / power.sum() for mains in (50, 60)}
        assert max(on.values()) > 0.95
    first, *others = sounds[-background.SILENCES :]
    assert not first.any()
    assert all(0 < np.abs(silence).max() <= 20 / 32768 for silence in others)


def test_a_seed_draws_the_same_sounds():
    for one, again in zip(background.sounds(8000, 500, 3), background.sounds(8000, 500, 3), strict=True):
        np.testing.assert_array_equal(one, again)
    other = next(background.sounds(8000, 500, 4))
    assert np.any(other != next(background.sounds(8000, 500, 3)))
