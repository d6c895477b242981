"""The commands on files and classes whose names would rewrite the terminal."""

import io
import json
import os
import shutil

import pandas as pd
import pytest

from running import command

NAMES = ("\x1b]0;owned\x07.wav", "a\nerror: b.wav", "\u202egnp.wav", "=1+1.wav", "a\rb.wav")
BROKEN = "\x1b[2Jbroken.wav"


@pytest.fixture(scope="module")
def clips(tone_folder, tmp_path_factory):
    """A folder of clips with such names, one of them broken."""
    folder = tmp_path_factory.mktemp("clips")
    for name in NAMES:
        shutil.copy(next((tone_folder / "low").iterdir()), folder / name)
    (folder / BROKEN).write_bytes(b"RIFF")
    return folder


def printable(text):
    return text.replace("\n", "").isprintable()


def test_predict_shows_control_characters_in_file_names_as_escapes(tone_run, clips):
    done = command("predict", "--run_dir=run", clips, cwd=tone_run)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1 + len(NAMES)
    assert printable(done.stdout)
    fault = [line for line in done.stderr.splitlines() if "broken" in line]
    assert fault[0].startswith(os.path.join(clips, r"\x1b[2Jbroken.wav: "))
    assert printable(fault[0])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_predict_s_data_name_the_files_as_they_are(tone_run, clips, form):
    done = command("predict", "--run_dir=run", f"--format={form}", clips, cwd=tone_run)
    if form == "csv":
        paths = pd.read_csv(io.StringIO(done.stdout)).path
    else:
        paths = [json.loads(line)["path"] for line in done.stdout.splitlines()]
    assert {os.path.basename(path) for path in paths} == set(NAMES)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("predict", ["--run_dir=run", "\x1b[2J\u202e.wav"]),
        ("predict", ["--run_dir=\x1b[2J", "x.wav"]),
        ("evaluate", ["--run_dir=\x1b[2J"]),
        ("export", ["--run_dir=\x1b[2J", "--out=x"]),
        ("train", ["--dataset=folder", "--data_dir=\x1b[2J"]),
        ("train", ["--model=\x1b[2J"]),
        ("train", ["--flagfile=\x1b[2J"]),
        ("train", ["--\x1b[2J"]),
        ("train", ["\x1b[2J"]),
    ],
)
def test_an_error_line_has_no_control_characters(tone_run, name, arguments):
    done = command(name, *arguments, cwd=tone_run)
    assert done.returncode == 2
    assert r"\x1b[2J" in done.stderr
    assert done.stderr.count("\n") == 1
    assert printable(done.stderr)
