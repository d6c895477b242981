"""A folder per class: labels, recordings, folds, and what is no folder per class."""

import os

import pytest

from urbansound.config import DataConfig
from urbansound.data import datasets
from urbansound.data.datasets import folder
from urbansound.errors import InputError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_folder(tmp_path):
    for n in range(7):
        touch(tmp_path / "dog" / f"{n}.wav")
        touch(tmp_path / "cat" / f"{n}.FLAC")
    for name in (
        "dog/walk/a.mp3",
        "dog/walk/b.ogg",
        "dog/.hidden.wav",
        "dog/.cache/x.wav",
        ".git/x.wav",
        "dog/notes.txt",
    ):
        touch(tmp_path / name)
    found = datasets.load(DataConfig(dataset="folder", data_dir=str(tmp_path)))
    assert found.class_names == ("cat", "dog")
    assert found.clips.label.value_counts().to_dict() == {"dog": 9, "cat": 7}
    assert not found.clips.path.str.contains("hidden|cache|git|notes").any()
    assert found.clips.recording[found.clips.path.str.contains("walk")].tolist() == ["dog/walk"] * 2
    assert found.clips.recording.iloc[0] == "cat/0"
    assert found.clips.groupby("label").fold.nunique().tolist() == [5, 5]
    elsewhere = tmp_path.rename(tmp_path.with_name("moved"))
    moved = folder.read(elsewhere)
    assert moved.clips.drop(columns="path").equals(found.clips.drop(columns="path"))


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ([], "0 class found where two are needed"),
        (["dog/a.wav"], "1 class found where two are needed"),
        (["dog/a.wav", "cat/notes.txt"], "class 'cat' has no clip"),
        (["dog/a.wav", "cat/a.wav", "stray.wav"], r"stray.wav: outside the class folders"),
        (["dog/a.wav", "cat/a.m4a"], r"cat/a.m4a: libsndfile reads no .m4a files; convert it"),
        (["dog/a.wav", "two\nlines/a.wav"], r"class 'two\\nlines' holds control characters or is not UTF-8"),
    ],
)
def test_faulty_folder(tmp_path, files, text):
    for name in files:
        touch(tmp_path / name)
    with pytest.raises(InputError, match=text):
        folder.read(tmp_path)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        folder.read(tmp_path / "nowhere")


@pytest.mark.parametrize("parts", [("test", "train"), ("Training", "Validation", "dog"), ("fold1", "fold_2")])
def test_parts_of_a_data_set_are_not_learned_as_classes(tmp_path, parts):
    for part in parts:
        for label in ("dog", "cat"):
            touch(tmp_path / part / label / f"{part}.wav")
    with pytest.raises(InputError, match=f"{parts[0]}, {parts[1]} are parts of a data set and would be learned as"):
        folder.read(tmp_path)


def test_a_class_may_be_called_train(tmp_path):
    for label in ("train", "bus"):
        touch(tmp_path / label / "a.wav")
    assert folder.read(tmp_path).class_names == ("bus", "train")


@pytest.mark.parametrize("name", ["a\x1bb", "a\x85b", "a\u2028b", "a\x1cb", os.fsdecode(b"a\xe9")])
def test_labels_that_no_line_of_text_can_hold_are_refused(tmp_path, name):
    touch(tmp_path / name / "a.wav")
    touch(tmp_path / "dog" / "a.wav")
    with pytest.raises(InputError) as caught:
        folder.read(tmp_path)
    assert f"class {name!a} holds control characters or is not UTF-8; rename it" in str(caught.value)
