"""The command on a folder that holds results already: of other recordings, forms, settings, of what failed."""

import shutil

import nights
import pandas as pd
import pytest
from nights import flags

from running import command
from urbansound.errors import InputError


@pytest.fixture(scope="module")
def home(tone_run, tmp_path_factory):
    """See `nights.home`."""
    return nights.home(tone_run, tmp_path_factory.mktemp("again"))


def test_a_folder_holds_the_recordings_of_all_commands_in_every_form(home, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(home / "night/b.wav", tmp_path / name / f"{name}.wav")
    given = f"--model={home / 'run'}", "--out=events", "--print=none"
    for arguments in (("--format=csv", "a"), ("--format=sed", "b")):
        assert command("detect", *given, *arguments, cwd=tmp_path).returncode == 0
    for table in ("events.csv", "events.sed.tsv"):
        text = (tmp_path / "events" / table).read_text()
        assert text.count("b/b.wav") == text.count("a/a.wav") > 0


def test_a_relative_path_of_another_folder_is_another_recording(home, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(home / "night/b.wav", tmp_path / name / "r.wav")
    given = f"--model={home / 'run'}", f"--out={tmp_path / 'events'}", "--print=none", "r.wav"
    assert command("detect", *given, cwd=tmp_path / "a").returncode == 0
    done = command("detect", *given, cwd=tmp_path / "b")
    assert done.returncode == 2
    assert f"r.wav: was {tmp_path / 'a/r.wav'} in {tmp_path / 'events'}; pass another --out" in done.stderr
    (tmp_path / "a").rename(tmp_path / "moved")
    moved = command("detect", *given, cwd=tmp_path / "moved")
    assert (moved.returncode, "listened to 0 s" in moved.stderr) == (0, True)


def test_a_recording_that_is_given_twice_is_listened_to_once(home):
    done = command("detect", *flags("once"), "night", f"{home}/night", cwd=home)
    assert done.returncode == 0
    assert "given more than once: 4" in done.stderr
    assert "recordings: 4, 80 s of sound" in done.stderr


def test_what_could_not_be_read_is_tried_again(home, tmp_path, monkeypatch):
    shutil.copy(home / "night/b.wav", tmp_path / "b.wav")
    given = f"--model={home / 'run'}", "--out=events", "--clips=clips", "--print=none", "b.wav"

    def refused(*_):
        raise InputError("b.wav: can't be read (Permission denied)")

    with monkeypatch.context() as patch:
        patch.setattr("urbansound.inference.detection.open_stream", refused)
        assert command("detect", *given, cwd=tmp_path).returncode == 2
    with monkeypatch.context() as patch:
        patch.setattr("urbansound.inference.clips.write_excerpts", refused)
        done = command("detect", *given, cwd=tmp_path)
    assert (done.returncode, "clips could not be cut" in done.stderr) == (2, True)
    done = command("detect", *given, cwd=tmp_path)
    assert (done.returncode, "listened to 0 s" in done.stderr) == (0, True)
    assert len(list((tmp_path / "clips").glob("*/*.wav"))) == len(pd.read_csv(tmp_path / "events/events.csv")) > 0


def test_clips_of_other_settings_are_not_mixed(home):
    first = command("detect", *flags("soft", threshold=0.5, clips="both"), "night", cwd=home)
    other = command("detect", *flags("hard", threshold=0.7, clips="both"), "night", cwd=home)
    assert (first.returncode, other.returncode) == (0, 2)
    assert "both: the clips were cut with other settings (threshold); pass another --clips" in other.stderr
