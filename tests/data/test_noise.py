"""Background noise: spectra, levels, recordings."""

import os

import numpy as np
import pytest
import scipy.signal
import soundfile

from running import TINY, command
from urbansound.data import noise
from urbansound.errors import InputError


@pytest.mark.parametrize(("exponent", "decibel_per_octave"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_coloured_noise_has_its_slope(exponent, decibel_per_octave):
    samples = noise.coloured_noise(1 << 18, exponent, np.random.default_rng(0))
    frequency, power = scipy.signal.welch(samples, 8000, nperseg=4096)
    band = (frequency > 50) & (frequency < 3500)
    slope = np.polyfit(np.log2(frequency[band]), 10 * np.log10(power[band]), 1)[0]
    assert slope == pytest.approx(decibel_per_octave, abs=0.15)
    assert np.mean(samples**2) == pytest.approx(1.0)


def test_generated_noise_is_long_enough_and_follows_its_seed(tmp_path):
    first = noise.load(None, 1000, 200_000, tmp_path, seed=1)
    assert len(first) >= 200_000
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, noise.load(None, 1000, 200_000, tmp_path, seed=1))
    assert not np.array_equal(first, noise.load(None, 1000, 200_000, tmp_path, seed=2))


def test_recordings_are_levelled_and_joined(tmp_path):
    folder = tmp_path / "noise"
    (folder / "street").mkdir(parents=True)
    generator = np.random.default_rng(0)
    soundfile.write(folder / "a.wav", generator.normal(0, 0.01, 8000), 8000)
    soundfile.write(folder / "street" / "b.flac", generator.normal(0, 0.1, 8000), 8000)
    joined = noise.load(str(folder), 8000, 20_000, tmp_path / "cache", seed=1)
    assert len(joined) == 32_000
    for part in joined[:16_000].reshape(2, -1):
        assert np.mean(part**2) == pytest.approx(1.0, rel=1e-3)


def test_noise_is_taken_from_the_first_sound_of_a_recording_on(tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    sound = np.random.default_rng(0).normal(0, 0.1, 3000)
    soundfile.write(folder / "late.wav", np.concatenate([np.zeros(61_000), sound]), 1000)
    joined = noise.load(str(folder), 1000, 100, tmp_path / "cache", seed=1)
    np.testing.assert_allclose(joined, sound / np.sqrt(np.mean(sound**2)), atol=1e-3)


def test_noise_folders_that_do_not_serve(tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    with pytest.raises(InputError, match=r"no audio files .*; point --noise_dir at a folder"):
        noise.load(str(folder), 8000, 100, tmp_path / "cache", seed=1)
    soundfile.write(folder / "a.wav", np.zeros(100), 8000)
    with pytest.raises(InputError, match="silent recording"):
        noise.load(str(folder), 8000, 100, tmp_path / "cache", seed=1)


def test_a_licence_among_the_recordings_of_noise_is_passed_over_and_counted(tmp_path, capsys):
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    for name in ("LICENSE", "readme.txt"):
        (folder / name).write_text("CC-BY")
    assert len(noise.load(str(folder), 8000, 100, tmp_path / "cache", seed=1)) == 8000
    noise.check(str(folder), 8000, tmp_path / "cache")
    assert f"{folder}: passed over: 1 .txt, 1 without ending" in capsys.readouterr().err


def test_noise_that_can_not_be_read_ends_training_before_the_run_directory_is_made(tone_folder, tmp_path):
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "a.wav").write_bytes(b"no sound")
    where = ("--dataset=folder", f"--data_dir={tone_folder}", "--run_dir=run", "--noise_dir=noise")
    done = command("train", *where, "--noise_probability=0.5", *TINY, cwd=tmp_path)
    assert done.returncode == 2
    assert "take it out of --noise_dir" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_recording_of_noise_whose_name_is_not_utf_8_is_read(tmp_path):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    os.rename(tmp_path / "a.wav", os.fsencode(tmp_path / "noise") + b"/\xe9.wav")
    assert len(noise.load(str(tmp_path / "noise"), 8000, 100, tmp_path / "cache", seed=1)) == 8000
