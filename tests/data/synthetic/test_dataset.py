import hashlib
import itertools
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from running import ROOT
from urbansound.data.synthetic import dataset
from urbansound.errors import InputError


def hashes(folder):
    """Of every file, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return dataset.ensure(tmp_path_factory.mktemp("made"), seed=1, recordings_per_class=5)


@pytest.fixture
def small(monkeypatch):
    """Two classes alone, so that making a set takes a moment."""
    monkeypatch.setattr(dataset, "KINDS", dataset.KINDS[6:8])
    monkeypatch.setattr(dataset, "BACKDROPS", (0, 1))


def test_layout_is_the_official_one(home):
    table = pd.read_csv(home / "metadata" / "UrbanSound8K.csv")
    assert list(table.columns) == ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    assert len(list(home.glob("audio/fold*/*.wav"))) == len(table)
    assert set(table.classID) == set(range(10))
    assert set(table.fold) == {1, 2, 3, 4, 5}
    assert set(table.salience) == {1, 2}
    assert set(table.groupby("classID")["class"].nunique()) == {1}
    for clip in table.itertuples():
        info = soundfile.info(home / "audio" / f"fold{clip.fold}" / clip.slice_file_name)
        assert info.duration == pytest.approx(clip.end - clip.start, abs=1e-3)
        assert clip.slice_file_name.split("-")[:2] == [str(clip.fsID), str(clip.classID)]


def test_no_recording_is_in_two_folds():
    table = dataset.clip_table(3, 10)
    assert table.groupby("fsID").fold.nunique().max() == 1
    assert table.groupby("fsID").size().between(2, 4).all()
    assert (table.groupby(["classID", "fold"]).fsID.nunique() == 2).all()


def test_clips_last_half_a_second_to_four():
    table = dataset.clip_table(1, 25)
    seconds = table.end - table.start
    assert seconds.between(0.5 - 1e-6, 4 + 1e-6).all()
    assert seconds[table["class"] == "gun_shot"].mean() < 2.5 < seconds[table["class"] == "siren"].mean()


def test_default_set_has_other_encodings_too(tmp_path):
    silence = np.zeros(2205)
    subtypes = set()
    for recording in range(250):
        dataset._write_wav(tmp_path / "x.wav", silence, np.random.default_rng(recording))
        info = soundfile.info(tmp_path / "x.wav")
        subtypes.add((info.samplerate, info.channels, info.subtype))
        assert info.duration == pytest.approx(0.1, abs=1e-3)
    assert subtypes == {row[:3] for row in dataset.ENCODINGS}


def test_clips_are_neither_silent_nor_much_clipped(home):
    for path in home.glob("audio/fold*/*.wav"):
        wave, _ = soundfile.read(path, always_2d=True)
        assert 0.05 < np.abs(wave).max() <= 1
        assert np.mean(np.abs(wave) > 0.999) < 0.02


def test_clips_of_one_recording_are_more_alike_than_of_two(home):
    table = pd.read_csv(home / "metadata" / "UrbanSound8K.csv")
    for class_id in (0, 4, 7):
        own, other = [], []
        clips = [
            (clip.fsID, _bands(dataset.render(clip, 1))) for clip in table.itertuples() if clip.classID == class_id
        ]
        for (recording, bands), (another, other_bands) in itertools.combinations(clips, 2):
            (own if recording == another else other).append(np.abs(bands - other_bands).mean())
        assert np.mean(own) < 0.8 * np.mean(other)


def _bands(wave):
    power = np.abs(np.fft.rfft(wave, 2**17)) ** 2
    return 10 * np.log10([part.mean() for part in np.array_split(power[1:32769], 32)])


@pytest.mark.usefixtures("small")
def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    first, again, other = (
        hashes(dataset.ensure(tmp_path / name, seed, recordings_per_class=3))
        for name, seed in (("first", 7), ("again", 7), ("other", 8))
    )
    assert first == again
    clips = [name for name in first if name.endswith(".wav")]
    assert not {first[name] for name in clips} & set(other.values())


@pytest.mark.usefixtures("small")
def test_a_whole_set_is_left_alone(tmp_path):
    calls = []
    home = dataset.ensure(tmp_path, 1, 2, lambda done, total: calls.append((done, total)))
    total = len(list(home.glob("audio/fold*/*.wav")))
    assert calls == [(done, total) for done in range(1, total + 1)]
    calls.clear()
    assert dataset.ensure(tmp_path, 1, 2, lambda *counts: calls.append(counts)) == home
    assert not calls


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("harm", ["other seed", "other version", "lost clip", "broken marker"])
def test_another_or_a_harmed_set_is_made_anew(tmp_path, harm):
    home = dataset.ensure(tmp_path / "whole", 1, 2)
    whole = hashes(home)
    marker = home / dataset.MARKER
    if harm == "other seed":
        dataset.ensure(tmp_path / "whole", 2, 2)
        assert hashes(home) != whole
    elif harm == "other version":
        marker.write_text(json.dumps(json.loads(marker.read_text()) | {"version": 0}))
    elif harm == "lost clip":
        next(home.glob("audio/fold1/*.wav")).unlink()
    else:
        marker.write_bytes(b"\xff\x00\xfe")
    assert hashes(dataset.ensure(tmp_path / "whole", 1, 2)) == whole
    assert [path.name for path in (tmp_path / "whole").iterdir()] == ["UrbanSound8K"]


@pytest.mark.usefixtures("small")
def test_an_interruption_leaves_nothing(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.ensure(tmp_path, 1, 2, interrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("small")
def test_what_a_killed_process_left_of_it_is_removed(tmp_path):
    (tmp_path / ".1.part.UrbanSound8K" / "audio").mkdir(parents=True)
    dataset.ensure(tmp_path, 1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["UrbanSound8K"]


@pytest.mark.usefixtures("small")
def test_one_that_another_process_makes_meanwhile_is_taken(tmp_path):
    dataset.ensure(tmp_path / "other", 1, 2)

    def meanwhile(done, total):
        if done == total:
            shutil.copytree(tmp_path / "other", tmp_path / "mine", dirs_exist_ok=True)

    home = dataset.ensure(tmp_path / "mine", 1, 2, meanwhile)
    assert hashes(home) == hashes(tmp_path / "other" / "UrbanSound8K")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["UrbanSound8K"]


def test_a_real_data_set_is_never_replaced(tmp_path):
    clip = tmp_path / "UrbanSound8K" / "audio" / "fold1" / "1-3-0-0.wav"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"precious")
    with pytest.raises(InputError, match="exists and is not synthetic"):
        dataset.ensure(tmp_path, 1, 2)
    assert clip.read_bytes() == b"precious"


def test_the_folder_says_that_it_is_synthetic(home):
    text = (home / "README.txt").read_text()
    assert "synthetic" in text
    assert (ROOT / re.search(r"a program \((\S+)\)", text)[1]).is_dir()
