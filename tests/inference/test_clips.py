"""Clips of events lie in folders by label, whatever the labels are; what could not be cut is said."""

from pathlib import Path

import numpy as np
import soundfile

from urbansound.data.segments import recording_of
from urbansound.inference.clips import clip_paths, cut_clips

RATE = 8000
LABELS = ["dog bark", "a/../../b", "..", "con", "\x1b[2J"]
EVENTS = [[float(place), place + 0.5, label, 0.9, 0.8] for place, label in enumerate(LABELS)]


def test_clips_of_any_label_stay_in_their_folder(tmp_path):
    (tmp_path / "night").mkdir()
    recording = str(tmp_path / "night/a.wav")
    soundfile.write(recording, np.random.default_rng(0).uniform(-1, 1, (6 * RATE, 2)), RATE)
    assert cut_clips(str(tmp_path / "clips"), recording, EVENTS) is None
    clips = sorted(path for path in tmp_path.rglob("*.wav") if path.parent.name != "night")
    assert sorted(map(str, clips)) == sorted(clip_paths(str(tmp_path / "clips"), recording, EVENTS))
    assert {path.parent.parent for path in clips} == {tmp_path / "clips"}
    assert len({path.parent for path in clips}) == len(LABELS)
    assert len({recording_of(path.name) for path in clips}) == 1
    for path in clips:
        assert (soundfile.info(path).frames, soundfile.info(path).channels) == (RATE // 2, 2)


def test_clips_that_could_not_be_cut_are_counted(tmp_path):
    recording = str(tmp_path / "a.wav")
    assert cut_clips(str(tmp_path / "clips"), recording, EVENTS).startswith(
        "clips that could not be cut: 5 (can't be read"
    )
    assert cut_clips(str(tmp_path / "clips"), recording, []) is None
    soundfile.write(recording, np.zeros(2 * RATE), RATE)
    assert cut_clips(str(tmp_path / "clips"), recording, EVENTS) == (
        "clips that could not be cut: 3 (the recording was changed meanwhile)"
    )
    assert len(list(tmp_path.rglob("clips/*/*.wav"))) == 2


def test_a_clip_below_another_label_is_not_cut_again_and_its_twin_of_the_same_times_is(tmp_path):
    recording, folder = str(tmp_path / "a[1].wav"), tmp_path / "clips"
    soundfile.write(recording, np.random.default_rng(0).uniform(-1, 1, 4 * RATE), RATE)
    events = [[1.0, 2.0, "dog", 0.9, 0.8], [1.0, 2.0, "cat", 0.7, 0.6], [2.5, 3.0, "dog", 0.9, 0.8]]
    dog, cat, later = map(Path, clip_paths(str(folder), recording, events))
    assert cut_clips(str(folder), recording, events[:2]) is None
    assert sorted(folder.rglob("*.wav")) == [cat, dog]
    assert cut_clips(str(folder), recording, events) is None  # no twin is in the other's place
    assert later.exists()
    moved = cat.with_name(dog.name.rpartition("_")[0] + " bark.wav")
    dog.rename(moved)
    cat.unlink()
    other = [[1.0, 2.0, "dog", 0.9, 0.8], [2.5, 3.0, "dog", 0.9, 0.8]]
    assert cut_clips(str(folder), recording, other) is None
    assert sorted(folder.rglob("*.wav")) == [moved, later]
