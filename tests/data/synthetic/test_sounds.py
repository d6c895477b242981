import numpy as np
import pytest

from urbansound.data.synthetic import sounds, waves
from urbansound.data.synthetic.dataset import KINDS

SOUNDS = [kind.sound for kind in KINDS]


def make(sound, voice=1, take=2, seconds=2.0):
    return sound(np.random.default_rng(voice), np.random.default_rng(take), round(seconds * waves.RATE))


def peak_hz(wave):
    return np.argmax(np.abs(np.fft.rfft(wave))) * waves.RATE / len(wave)


@pytest.mark.parametrize("sound", SOUNDS, ids=lambda sound: sound.__name__)
@pytest.mark.parametrize("seconds", [0.5, 4.0])
def test_a_sound_is_finite_audible_and_as_long_as_asked(sound, seconds):
    for voice in range(4):
        wave = make(sound, voice=voice, seconds=seconds)
        assert wave.shape == (round(seconds * waves.RATE),)
        assert np.all(np.isfinite(wave))
        assert np.sqrt(np.mean(wave**2)) > 1e-4


@pytest.mark.parametrize("sound", SOUNDS, ids=lambda sound: sound.__name__)
def test_a_voice_is_drawn_from_alike_whatever_the_take_and_the_length(sound):
    for seed in range(6):  # some voices skip a part
        after = []
        for take, samples in ((1, 11025), (2, 44100)):
            voice = np.random.default_rng(seed)
            sound(voice, np.random.default_rng(take), samples)
            after.append(voice.random())
        assert after[0] == after[1]


@pytest.mark.parametrize("sound", SOUNDS, ids=lambda sound: sound.__name__)
def test_voice_and_take_both_matter(sound):
    same, again, other_take, other_voice = make(sound), make(sound), make(sound, take=3), make(sound, voice=4)
    np.testing.assert_array_equal(same, again)
    assert not np.array_equal(same, other_take)
    assert not np.array_equal(same, other_voice)


def test_gun_shot_dies_away():
    shares = []
    for voice in range(10):
        quarters = [np.sum(part**2) for part in np.split(make(sounds.gun_shot, voice=voice, seconds=4.0), 4)]
        shares.append(quarters[3] / sum(quarters))
    assert np.median(shares) < 0.01  # a volley may last longer


def test_jackhammer_beats_ten_to_thirty_times_a_second():
    for voice in range(10):
        loudness = make(sounds.jackhammer, voice=voice, seconds=4.0) ** 2
        loudness = loudness.reshape(-1, 100).mean(axis=1)  # 220.5 Hz
        spectrum = np.abs(np.fft.rfft(loudness - loudness.mean()))
        hertz = np.fft.rfftfreq(len(loudness), 100 / waves.RATE)
        beating = (hertz > 7) & (hertz < 35)
        quiet = (hertz > 3) & (hertz < 7)
        assert spectrum[beating].max() > 2 * spectrum[quiet].max()


def test_siren_moves_in_pitch_and_horn_does_not():
    def spread(sound, voice):
        wave = make(sound, voice=voice, seconds=4.0)
        return np.std(np.log2([peak_hz(part) for part in np.split(wave, 24)]))

    assert np.median([spread(sounds.siren, voice) for voice in range(12)]) > 0.2
    assert np.median([spread(sounds.car_horn, voice) for voice in range(12)]) < 0.1


def test_engine_lies_low_and_drilling_high():
    def centroid(sound, voice):
        power = np.abs(np.fft.rfft(make(sound, voice=voice))) ** 2
        return np.sum(power * np.fft.rfftfreq(2 * waves.RATE, 1 / waves.RATE)) / np.sum(power)

    engines, drills = (
        [centroid(sound, voice) for voice in range(10)] for sound in (sounds.engine_idling, sounds.drilling)
    )
    assert np.median(engines) < 1000 < np.median(drills)


def test_tone_has_its_harmonics_and_no_alias():
    wave = waves.tone(waves.steady(3000, waves.RATE), np.ones(10))
    amplitude = np.abs(np.fft.rfft(wave)) / (waves.RATE / 2)
    np.testing.assert_allclose(amplitude[[3000, 6000, 9000]], 1, atol=1e-3)
    amplitude[[3000, 6000, 9000]] = 0
    assert amplitude.max() < 10 ** (-65 / 20)  # the nearest of 16384 points, off by up to 2e-4 rad times the harmonic


def test_tilted_noise_falls_by_its_slope():
    power = np.abs(np.fft.rfft(waves.tilted_noise(np.random.default_rng(0), 2**18, 6.0))) ** 2
    hertz = np.fft.rfftfreq(2**18, 1 / waves.RATE)
    octaves = [10 * np.log10(power[(hertz > low) & (hertz < 2 * low)].mean()) for low in (500, 1000, 2000)]
    np.testing.assert_allclose(np.diff(octaves), -6, atol=0.5)  # thousands of bins per octave: within 0.1 dB


def test_resonate_has_its_gain_at_centre_width_and_floor():
    impulse = waves.pulses(waves.RATE, [0.5], [1])
    gain = np.abs(np.fft.rfft(waves.resonate(impulse, [1000], [100], floor=0.1)))
    np.testing.assert_allclose(gain[[1000, 900, 1100, 8000]], [1, 0.5, 0.5, 0.1], rtol=1e-6)


def test_unit_leaves_silence_alone():
    assert not np.any(waves.unit(np.zeros(10)))
    assert np.mean(waves.unit(np.array([3.0, -1.0])) ** 2) == pytest.approx(1)
