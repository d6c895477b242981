"""Which files are chosen, for training as for everything else; links, names of one file, files of the same bytes."""

import os

import pytest

from urbansound.data import audio_files
from urbansound.data.datasets import csv, folder
from urbansound.errors import InputError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def names(found, root):
    return [os.path.relpath(path, root) for path in found.files]


@pytest.fixture
def clips(tmp_path):
    """A folder of three classes with six clips each."""
    for label in ("bird", "cat", "dog"):
        for n in range(6):
            touch(tmp_path / "clips" / label / f"{n}.wav")
    return tmp_path / "clips"


def test_links_to_parent_folders_add_no_clips(clips):
    (clips / "dog" / "loop").symlink_to("..")
    (clips / "dog" / "self").symlink_to(".")
    (clips / "cat" / "above").symlink_to("../..")
    found = folder.read(clips)
    assert found.clips.label.value_counts().to_dict() == {"bird": 6, "cat": 6, "dog": 6}
    assert found.passed_over == "passed over: 3 links to folders searched already"


def test_links_above_a_folder_that_is_itself_a_link_are_not_followed(clips, tmp_path):
    (tmp_path / "link").symlink_to(clips)
    (clips / "dog" / "above").symlink_to(tmp_path)
    assert len(folder.read(tmp_path / "link").clips) == 18
    assert len(audio_files.find([tmp_path / "link"]).files) == 18


def test_a_link_that_leads_to_itself_is_no_folder(clips):
    (clips / "dog" / "round").symlink_to("round")
    found = folder.read(clips)
    assert len(found.clips) == 18
    assert found.passed_over == "passed over: 1 without ending"


def test_a_link_that_leads_to_itself_is_no_folder_of_a_pattern(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"d/\*/x.wav"):
        audio_files.find(["d/*/x.wav"])


def test_a_folder_in_two_classes_is_refused(clips):
    (clips / "dog" / "more").symlink_to("../cat")
    with pytest.raises(
        InputError, match=r"cat/0.wav and .*dog/more/0.wav are the same file, under the labels cat and dog; remove one"
    ):
        folder.read(clips)
    (clips / "dog" / "more").unlink()
    (clips / "hound").symlink_to("dog")
    with pytest.raises(InputError, match="under the labels dog and hound"):
        folder.read(clips)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_in_two_classes_is_refused(clips, link):
    link(clips / "cat" / "0.wav", clips / "dog" / "x.wav")
    with pytest.raises(InputError, match=r"cat/0.wav and .*dog/x.wav are the same file, under the labels cat and dog"):
        folder.read(clips)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_table_that_gives_one_file_two_names_is_refused(clips, link):
    link(clips / "cat" / "0.wav", clips / "x.wav")
    table = clips / "clips.csv"
    table.write_text("path,label\ndog/0.wav,dog\ncat/0.wav,cat\nx.wav,dog\n")
    with pytest.raises(InputError, match=r"rows 3, 4: .*cat/0.wav and .*x.wav are the same file, under .* cat and dog"):
        csv.read(table)
    table.write_text("path,label\ndog/0.wav,dog\ncat/0.wav,cat\nx.wav,cat\n")
    with pytest.raises(InputError, match=r"rows 3, 4: .*cat/0.wav and .*x.wav are the same file; remove one"):
        csv.read(table)


def test_what_a_class_holds_twice_is_taken_once_by_its_real_name(clips):
    (clips / "dog" / "a").symlink_to("walk")
    touch(clips / "dog" / "walk" / "z.wav")
    (clips / "dog" / "aa.wav").symlink_to("walk/z.wav")
    found = audio_files.find([clips / "dog"])
    assert names(found, clips / "dog") == [*(f"{n}.wav" for n in range(6)), "walk/z.wav"]
    assert found.summary == "passed over: 1 further names of files found already, 1 links to folders searched already"


def test_predict_and_train_choose_the_same_files_and_count_the_rest_by_kind(clips, tmp_path):
    for name in ("dog/.hidden/x.wav", "dog/._0.wav", "cat/walk/y.FLAC", "cat/notes.TXT", "cat/more.txt", "cat/LICENSE"):
        touch(clips / name)
    touch(tmp_path / "elsewhere" / "far.mp3")
    (clips / "bird" / "linked").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(clips / "bird" / "pipe.wav")
    trained, found = folder.read(clips), audio_files.find([clips])
    assert found.files == trained.clips.path.tolist()
    assert set(names(found, clips)) - {f"{label}/{n}.wav" for label in ("bird", "cat", "dog") for n in range(6)} == {
        "bird/linked/far.mp3",
        "cat/walk/y.FLAC",
    }
    assert found.summary == "passed over: 2 .txt, 2 hidden, 1 pipes or devices, 1 without ending"
    assert trained.passed_over == found.summary


def test_sound_that_libsndfile_does_not_read_stops_training_and_is_counted_elsewhere(clips):
    touch(clips / "dog" / "voice.M4A")
    assert audio_files.find([clips]).summary == "passed over: 1 .m4a (libsndfile reads none)"
    with pytest.raises(InputError, match=r"dog/voice.M4A: libsndfile reads no .M4A files; convert it to FLAC or WAV"):
        folder.read(clips)


def test_a_broken_link_to_a_clip_is_missing_and_not_passed_over(clips):
    (clips / "dog" / "gone.wav").symlink_to("nowhere.wav")
    assert str(clips / "dog" / "gone.wav") in audio_files.find([clips]).files
    with pytest.raises(InputError, match=r"dog/gone.wav: no such file \(.*; 1 of 19 clips are missing\)"):
        folder.read(clips)


def test_a_file_that_is_named_is_taken_whatever_its_name_and_as_often_as_it_is_named(clips):
    touch(clips / ".hidden.dat")
    paths = [clips / ".hidden.dat", clips / "dog" / "0.wav", clips / "dog", clips / ".hidden.dat"]
    found = audio_files.find(paths)
    assert names(found, clips) == [".hidden.dat", "dog/0.wav", *(f"dog/{n}.wav" for n in range(6)), ".hidden.dat"]


def test_nothing_found_is_said_with_what_is_there(tmp_path):
    for n in range(20):
        touch(tmp_path / f"x.{n:02d}")
    touch(tmp_path / "y.00")
    with pytest.raises(InputError, match=r"no audio files \(.wav .*passed over: 2 .00, 1 .01, .* 12 of 12 other kinds"):
        audio_files.find([tmp_path])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: no such file or folder"):
        audio_files.find([tmp_path / "pipe"])


def test_a_folder_that_cannot_be_read_is_not_passed_over(clips, monkeypatch):
    def scandir(path, scandir=os.scandir):
        if str(path).endswith("cat"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for read in (folder.read, lambda root: audio_files.find([root])):
        with pytest.raises(InputError, match=r"cat: can't be read \(Permission denied\)"):
            read(clips)


def test_files_of_the_same_bytes_are_found_and_few_are_read(tmp_path, monkeypatch):
    head = bytes(audio_files.BEGINNING)
    contents = [b"one", b"two", b"three", b"one", head + b"1", head + b"2", head + b"1", b"one", b""]
    paths = [tmp_path / str(n) for n in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    whole = []
    digest = audio_files.sha256
    monkeypatch.setattr(audio_files, "sha256", lambda path: whole.append(path) or digest(path))
    assert audio_files.same_bytes(paths) == [[0, 3, 7], [4, 6]]
    assert whole == [paths[i] for i in (0, 3, 7, 4, 5, 6)]


def test_a_path_that_is_not_utf_8_can_be_written():
    path = os.fsdecode("né.wav".encode("latin-1"))
    assert audio_files.as_text(path) == r"n\xe9.wav"
    assert audio_files.as_text("né.wav") == "né.wav"


@pytest.fixture
def night(tmp_path, monkeypatch):
    """The working directory: a folder with recordings, other files and links."""
    for name in ("a.wav", "b.wav", "b.txt", "c.FLAC", "deep/d.wav", "deep/deeper/e.wav", ".hidden/f.wav", ".g.wav"):
        touch(tmp_path / "night" / name)
    touch(tmp_path / "day [1]" / "h.wav")
    touch(tmp_path / "day [1]" / "*.wav")
    (tmp_path / "night" / "deep" / "round").symlink_to("..")
    (tmp_path / "night" / "deep" / "again").symlink_to("deeper")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("night/*.wav", ["night/a.wav", "night/b.wav"]),
        ("night/[ab].*", ["night/a.wav", "night/b.wav"]),
        ("./night/../night/?.wav", ["night/../night/a.wav", "night/../night/b.wav"]),
        ("n*/*.wav", ["night/a.wav", "night/b.wav"]),
        ("night/*", ["night/a.wav", "night/b.wav", "night/c.FLAC", "night/deep/d.wav", "night/deep/deeper/e.wav"]),
        ("night/**/*.wav", ["night/a.wav", "night/b.wav", "night/deep/d.wav", "night/deep/deeper/e.wav"]),
        ("**/deeper", ["night/deep/deeper/e.wav"]),
        ("night/**", ["night/a.wav", "night/b.wav", "night/c.FLAC", "night/deep/d.wav", "night/deep/deeper/e.wav"]),
        ("night/.hid*/*.wav", ["night/.hidden/f.wav"]),
        ("day [[]1]/h*", ["day [1]/h.wav"]),
        ("day [1]/h*", ["day [1]/h.wav"]),
        ("day [1]/*.wav", ["day [1]/*.wav"]),
        ("day [1]", ["day [1]/*.wav", "day [1]/h.wav"]),
    ],
)
def test_a_path_that_does_not_exist_may_be_a_pattern(pattern, files, night):
    assert audio_files.find([pattern]).files == files
    whole = audio_files.find([os.path.join(night, pattern)])
    assert [os.path.relpath(path) for path in whole.files] == [os.path.relpath(path) for path in files]


def test_what_a_pattern_matches_but_is_no_sound_is_counted(night):
    assert audio_files.find(["night/b*"]).summary == "passed over: 1 .txt"
    with pytest.raises(InputError, match=r"no audio files .* in night/\*.txt \(passed over: 1 .txt\)"):
        audio_files.find(["night/*.txt"])


@pytest.mark.parametrize("pattern", ["night/*.mp3", "absent/*.wav", "night/a.wav/*", "night/**/x?"])
def test_a_pattern_that_nothing_matches_is_said(pattern, night):
    with pytest.raises(InputError) as error:
        audio_files.find(["night", pattern])
    assert str(error.value) == f"{pattern}: a pattern that no file or folder matches"
