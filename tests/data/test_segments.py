"""Clips cut out of recordings have names that any system takes, that sort, and that tell the recording."""

import os
import re

import pytest

from urbansound.data import segments
from urbansound.data.datasets import folder

LABELS = [
    "dog bark",
    "a/b",
    "a\\b",
    "..",
    ".x",
    "con",
    "COM1.wav",
    "x.",
    "x ",
    "100%",
    "%",
    "100%25",
    "~",
    "犬",
    "\x1b[2J",
    "\udce9",
]
LABELS += ["a" * 300, "a" * 299 + "b", "犬" * 100]


@pytest.mark.parametrize("label", LABELS)
def test_names_are_those_of_one_folder_on_any_system(label, tmp_path):
    name = segments.safe_name(label)
    (tmp_path / name).mkdir()
    assert os.listdir(tmp_path) == [name]
    assert len(name.encode()) <= 130
    assert name.isprintable()
    assert not re.search(r'[<>:"/\\|?*]|^[. ]|[. ]$', name)
    assert name.partition(".")[0].lower() not in ("con", "com1")


def test_no_two_labels_have_one_name():
    assert len({segments.safe_name(label) for label in LABELS}) == len(LABELS)
    assert segments.safe_name("dog bark") == "dog bark"
    assert segments.safe_name("a/b") == "a%2Fb"


def test_names_sort_by_time_and_tell_the_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = segments.recording_name("night/20260504_060000.wav")
    assert recording == segments.recording_name(tmp_path / "night/../night/20260504_060000.wav")
    assert recording != segments.recording_name("day/20260504_060000.wav")
    assert re.fullmatch(r"20260504_060000~[0-9a-f]{8}", recording)
    times = [(2.5, 3.0), (12.5, 15.25), (86399.9999, 86401)]
    names = [segments.segment_path(recording, *time, "a/b", 0.934) for time in times]
    assert names == sorted(names)
    assert names[1] == f"a%2Fb/{recording}_000012.500-000015.250s_0.93.wav"
    for name in names:
        assert segments.recording_of(os.path.basename(name)) == recording
    assert segments.recording_of(os.path.basename(names[0]).replace("_0.93.wav", " good (2).flac")) == recording
    for name in ("a.wav", "a_000012.500-000015.250s_0.93.wav", "101415-3-0-2.wav", "a~1f0c9a3e.wav"):
        assert segments.recording_of(name) is None


def test_a_folder_of_clips_keeps_recordings_apart_in_all_classes(tmp_path):
    for recording in map(segments.recording_name, [f"{letter}.wav" for letter in "abcdefgh"]):
        for label, start in (("dog", 1), ("dog", 3), ("cat", 2)):
            path = tmp_path / segments.segment_path(recording, start, start + 1, label, 0.5)
            path.parent.mkdir(exist_ok=True)
            path.touch()
    (tmp_path / "dog" / "sorted").mkdir()
    moved = next((tmp_path / "dog").glob("a~*"))
    moved.rename(tmp_path / "dog" / "sorted" / moved.name)
    (tmp_path / "dog" / "own.wav").touch()
    clips = folder.read(tmp_path).clips
    assert len(clips) == 25
    assert clips.recording.nunique() == 9
    assert clips.groupby("recording").fold.nunique().max() == 1
    assert clips.recording.value_counts().iloc[:8].tolist() == [3] * 8
