"""Scoring any files: names of every kind, files that are all broken, what is passed over."""

import json
import os
import shutil

import pytest

from running import command


@pytest.fixture
def clips(tone_folder, tmp_path):
    """A folder with low.wav and high.wav."""
    (tmp_path / "clips").mkdir()
    for label in ("low", "high"):
        shutil.copyfile(tone_folder / label / f"{label}00.wav", tmp_path / "clips" / f"{label}.wav")
    return tmp_path / "clips"


def predict(tone_run, *arguments):
    return command("predict", f"--run_dir={tone_run / 'run'}", *arguments, cwd=tone_run)


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_a_file_name_that_is_not_utf_8_is_scored(tone_run, clips, form):
    os.rename(clips / "low.wav", os.fsencode(clips) + b"/l\xf6w.wav")
    with open(os.fsencode(clips) + b"/\xff.wav", "wb") as file:
        file.write(b"no sound")
    done = predict(tone_run, f"--format={form}", clips)
    assert done.returncode == 2
    assert rf"{clips}/\xff.wav: no sound" in done.stderr
    assert "Traceback" not in done.stderr
    done.stdout.encode()  # as a terminal or a file would have it
    if form == "jsonl":
        rows = {row["path"]: row["label"] for row in map(json.loads, done.stdout.splitlines())}
        assert rows == {f"{clips}/high.wav": "high", rf"{clips}/l\xf6w.wav": "low"}
    else:
        assert rf"{clips}/l\xf6w.wav" in done.stdout


@pytest.mark.parametrize(("form", "output"), [("table", ""), ("jsonl", "")])
def test_where_every_file_is_broken_nothing_is_printed_but_the_faults(tone_run, clips, form, output):
    for path in clips.iterdir():
        path.write_bytes(b"no sound")
    done = predict(tone_run, f"--format={form}", clips)
    assert (done.returncode, done.stdout.strip()) == (2, output)
    assert done.stderr.count(".wav: ") == 2


def test_predict_counts_what_it_passes_over(tone_run, clips):
    for name in ("._low.wav", "notes.txt", "voice.m4a"):
        (clips / name).touch()
    (clips / "again").symlink_to(".")
    done = predict(tone_run, "--format=csv", clips)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert (
        "passed over: 1 .m4a (libsndfile reads none), 1 .txt, 1 hidden, 1 links to folders searched already\n"
        in done.stderr
    )
