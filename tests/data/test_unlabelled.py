"""Recordings without labels: every window of them once, whatever their length, from the cache the next time."""

import os

import numpy as np
import pytest
import soundfile

from urbansound.config import AudioConfig, Config
from urbansound.data import cache, unlabelled
from urbansound.errors import InputError

RATE = 8000
AUDIO = AudioConfig(sample_rate=RATE, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "street").mkdir()
    settings = {"unlabelled_dir": str(tmp_path / "street"), "teacher": ("x",), "cache_dir": str(tmp_path / "cache")}
    return Config(audio=AUDIO).with_settings(**settings)


def written(config, name, seconds, seed=0):
    sound = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    soundfile.write(f"{config.distill.unlabelled_dir}/{name}.wav", sound, RATE, "FLOAT")
    return sound


def windows_of(config):
    return unlabelled.windows(unlabelled.recordings(config)[0], config)


def read(entries):
    return [cache.read(entry).numpy() for entry in entries]


@pytest.mark.parametrize(
    ("seconds", "lengths"), [(0.2, [0.2]), (1.2, [0.5, 0.5]), (1.3, [0.5, 0.5, 0.3]), (25, 50 * [0.5])]
)
def test_windows_follow_each_other_to_the_end(seconds, lengths, config):
    sound = written(config, "a", seconds)
    windows = read(windows_of(config))
    assert [len(window) for window in windows] == [round(length * RATE) for length in lengths]
    np.testing.assert_allclose(np.concatenate(windows), sound[: sum(map(len, windows))], atol=2e-5)


def test_windows_are_cut_once_and_anew_where_one_is_damaged_or_the_recording_changed(config, monkeypatch, capsys):
    written(config, "a", 2)
    entries = windows_of(config)
    with monkeypatch.context() as patch:
        patch.setattr(unlabelled, "open_stream", None)  # would fail if called
        assert windows_of(config) == entries
    before = read(entries)
    with open(entries[2], "r+b") as file:
        file.seek(100)
        file.write(b"damage")
    assert "cut anew" not in capsys.readouterr().err
    assert windows_of(config) == entries
    assert "a.wav are damaged or lost, and cut anew" in capsys.readouterr().err
    np.testing.assert_array_equal(before, read(entries))
    written(config, "a", 1, seed=1)
    assert not set(windows_of(config)) & set(entries)


def test_what_is_broken_counts_up_to_its_fault_and_is_told(config, capsys):
    written(config, "a", 2)
    path = f"{config.distill.unlabelled_dir}/a.wav"
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
    with open(f"{config.distill.unlabelled_dir}/notes.txt", "w") as file:
        file.write("text")
    for _ in range(2):  # also where the cache knows
        assert len(windows_of(config)) == 2
        assert "passed over: 1 .txt" in unlabelled.recordings(config)[1]
        said = capsys.readouterr().err
        assert "1 of 1 recordings break off: " in said
        assert "truncated" in said


def test_what_is_no_folder_is_refused(config):
    for name in ("stree*", "nowhere"):
        place = os.path.join(os.path.dirname(config.distill.unlabelled_dir), name)
        with pytest.raises(InputError, match="no such folder; point --unlabelled_dir at a folder of recordings"):
            unlabelled.recordings(config.with_settings(unlabelled_dir=place))


def test_a_folder_without_sound_is_refused(config):
    with pytest.raises(InputError, match="no audio files"):
        windows_of(config)
    with open(f"{config.distill.unlabelled_dir}/a.wav", "w") as file:
        file.write("text")
    with pytest.raises(InputError, match="street: holds no recording that can be read"):
        windows_of(config)
    os.symlink("nowhere", f"{config.distill.unlabelled_dir}/b.wav")
    written(config, "c", 1)
    assert len(windows_of(config)) == 2
    assert windows_of(Config()) == []
