"""The command on a folder that holds results already: of other recordings, forms, settings, of what failed."""

import datetime
import re
import shutil
import sys
import types

import nights
import numpy as np
import pandas as pd
import pytest
import soundfile
from nights import flags

from running import ROOT, TINY, command
from urbansound import files
from urbansound.errors import InputError
from urbansound.inference import output


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
        done = command("detect", *given, *arguments, cwd=tmp_path)
        assert done.returncode == 0
    events = pd.read_csv(tmp_path / "events/events.csv")
    assert f"recordings: 1, 20 s of sound; events: {len(events) // 2};" in done.stderr
    assert f"; tables of 2 recordings, {len(events)} events, in events" in done.stderr
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
    assert (moved.returncode, "no new sound" in moved.stderr) == (0, True)


def test_a_recording_whose_path_another_command_writes_otherwise_is_in_the_tables_once(home, tmp_path):
    (tmp_path / "night").mkdir()
    shutil.copy(home / "night/b.wav", tmp_path / "night/b.wav")
    given = f"--model={home / 'run'}", "--out=events", "--print=none"
    for path in ("night", str(tmp_path / "night"), "./night"):
        done = command("detect", *given, path, cwd=tmp_path)
        events = pd.read_csv(tmp_path / "events/events.csv")
        assert f"; tables of 1 recording, {len(events)} events" in done.stderr
        assert f"recordings: 1, 20 s of sound; events: {len(events)};" in done.stderr
        assert events.path.str.startswith(path).all()


def test_of_a_recording_s_entries_the_newest_counts():
    def entry(path, modified):
        names = dict.fromkeys(output.ENTRY_KEYS) | {"path": path, "modified": modified}
        return names | {"absolute": "/night/a.wav", "events": [], "seconds": 1.0}

    lines = [entry("a.wav", 1), entry("./a.wav", 2), entry("a.wav", 3)]
    assert [one["modified"] for one in output.entries_of("journal", lines).values()] == [2, 3]


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
    assert (done.returncode, "clips that could not be cut" in done.stderr) == (2, True)
    done = command("detect", *given, cwd=tmp_path)
    assert (done.returncode, "no new sound" in done.stderr) == (0, True)
    assert len(list((tmp_path / "clips").glob("*/*.wav"))) == len(pd.read_csv(tmp_path / "events/events.csv")) > 0


def test_clips_of_other_settings_are_not_mixed(home):
    first = command("detect", *flags("soft", threshold=0.5, clips="both"), "night", cwd=home)
    other = command("detect", *flags("hard", threshold=0.7, clips="both"), "night", cwd=home)
    assert (first.returncode, other.returncode) == (0, 2)
    assert "both holds clips of other settings (threshold); pass those, or another --clips" in other.stderr
    assert not (home / "hard").exists()


@pytest.fixture
def place(home, tmp_path):
    """A folder with a run and a recording."""
    (tmp_path / "run").symlink_to(home / "run")
    shutil.copy(home / "night/b.wav", tmp_path / "b.wav")
    return tmp_path


def listing(folder):
    """{path: bytes, or None of a folder} of all that a folder holds."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("empty", [False, True])
def test_clips_at_which_another_process_is_at_work_are_refused_and_nothing_new_is_there(empty, place):
    if empty:
        (place / "events").mkdir()
    (place / "clips").mkdir()
    with files.lock(place / "clips"):
        before = listing(place)
        done = command("detect", "--model=run", "--out=events", "--clips=clips", "b.wav", cwd=place)
        assert (done.returncode, "another process is at work on it" in done.stderr) == (2, True)
        done = command("detect", "--model=run", "--out=deep/er", "--clips=clips", "b.wav", cwd=place)
        assert done.returncode == 2
        assert listing(place) == before


def test_other_files_are_left_alone_and_get_no_lock(place):
    (place / "events").mkdir()
    (place / "events" / "mine.txt").touch()
    before = listing(place)
    done = command("detect", "--model=run", "--out=events", "--clips=clips", "b.wav", cwd=place)
    assert (done.returncode, "events: holds other files; pass another --out" in done.stderr) == (2, True)
    assert listing(place) == before


@pytest.mark.parametrize("fault", ["was", "damaged"])
def test_a_folder_whose_journal_refuses_leaves_no_folder_of_clips(fault, place):
    given = "--model=run", "--out=events", "--print=none"
    assert command("detect", *given, "b.wav", cwd=place).returncode == 0
    if fault == "damaged":
        (place / "events/journal.jsonl").write_text("{}\n{}\n")
    before = listing(place)
    (place / "other").mkdir()
    shutil.copy(place / "b.wav", place / "other/b.wav")
    where = f"--model={place / 'run'}", f"--out={place / 'events'}", f"--clips={place / 'deep/clips'}"
    done = command("detect", *where, "b.wav", cwd=place / "other")
    assert (done.returncode, fault in done.stderr) == (2, True)
    shutil.rmtree(place / "other")
    assert listing(place) == before


def test_a_command_that_was_killed_before_its_settings_goes_on(place):
    (place / "events/clips").mkdir(parents=True)
    for left in (".lock", ".1.part.settings.json", "clips/.lock"):
        (place / "events" / left).touch()
    done = command("detect", "--model=run", "--out=events", "--clips=events/clips", "b.wav", cwd=place)
    assert done.returncode == 0, done.stderr
    assert not (place / "events/.1.part.settings.json").exists()


def test_a_clip_that_was_moved_does_not_come_back_with_another_folder_of_tables(home):
    assert command("detect", *flags("one", clips="moved"), "night", cwd=home).returncode == 0
    clips = sorted((home / "moved").glob("*/*.wav"))
    moved = [clip for clip in clips if clip.parent.name == "low"][:3]
    (home / "moved/new/deep").mkdir(parents=True)
    moved[0].rename(home / "moved/high" / moved[0].name)
    moved[1].rename(home / "moved/new/deep" / moved[1].with_suffix(".flac").name)
    moved[2].unlink()
    assert command("detect", *flags("two_tables", clips="moved"), "night", cwd=home).returncode == 0
    assert [clip.exists() for clip in moved] == [False, False, True]
    assert len([path for path in (home / "moved").rglob("*~*.*") if path.is_file()]) == len(clips)


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")  # of fastparquet, with newer numpy
def test_clocks_have_the_offset_of_the_zone_at_the_event(home, tmp_path):
    night = np.concatenate([soundfile.read(home / "night/b.wav")[0]] * 2)
    soundfile.write(tmp_path / "20261025_025940.wav", night, 8000)  # 20 s before clocks are set back an hour
    soundfile.write(tmp_path / "20261025_025940+0200.wav", night, 8000)
    given = f"--model={home / 'run'}", "--out=events", "--time_zone=Europe/Berlin", "--format=csv,parquet", "."
    assert command("detect", *given, cwd=tmp_path).returncode == 0
    stored = pd.read_parquet(tmp_path / "events/events.parquet")
    for name, zone in (("20261025_025940.wav", 1), ("20261025_025940+0200.wav", 2)):
        events = pd.read_csv(tmp_path / "events/recordings" / f"{name}.csv")
        clocks = events.clock.map(datetime.datetime.fromisoformat)
        hours = [clock.utcoffset() // datetime.timedelta(hours=1) for clock in clocks]
        assert hours == [2 if start < 20 else zone for start in events.start]
        assert (events.start > 20).any()
        begin = pd.Timestamp("2026-10-25 00:59:40", tz="UTC")
        of_it = stored[stored.path.str.endswith(name)]
        passed = (of_it.clock_utc - begin).dt.total_seconds()
        np.testing.assert_allclose(passed, of_it.start, atol=1e-6)
        for stored_clock, clock in zip(of_it.clock, clocks, strict=True):
            assert abs(stored_clock.to_pydatetime() - clock.replace(tzinfo=None)) <= datetime.timedelta(milliseconds=1)


def test_clips_are_trained_on_by_the_flag_file_that_readme_names(home):
    (home / "configs").symlink_to(ROOT / "configs")
    assert command("detect", *flags("cut"), "night", cwd=home).returncode == 0
    (given,) = re.findall(r"urbansound.train (--flagfile=\S+) --data_dir=found", (ROOT / "README.md").read_text())
    small = *TINY, "--epochs=1", "--nocepstrum", "--noise_probability=0", "--noevaluate"
    done = command("train", given, "--data_dir=cut/clips", "--run_dir=trained", *small, cwd=home)
    assert done.returncode == 0, done.stderr
    split = pd.read_csv(home / "trained/clips.csv").split
    assert set(split) == {"train", "validation", "test"}


def test_sound_that_is_no_file_stays_in_the_tables_and_other_sound_leaves_no_old_ones(home, tmp_path, monkeypatch):
    shutil.copy(home / "night/b.wav", tmp_path / "b.wav")
    sound, rate = soundfile.read(tmp_path / "b.wav")
    soundfile.write(tmp_path / "other.wav", sound[: 12 * rate], rate)
    given = f"--model={home / 'run'}", "--out=events", "--print=none"

    def detect(name, *arguments):
        with open(tmp_path / name, "rb") as file:
            monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=file))
            done = command("detect", *given, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    detect("b.wav", "--format=csv,sed", "-")
    assert (tmp_path / "events/recordings/-.sed.tsv").exists()
    detect("other.wav", "--format=csv", "-")
    assert not (tmp_path / "events/recordings/-.sed.tsv").exists()
    detect("b.wav", "b.wav")
    assert set(pd.read_csv(tmp_path / "events/events.sed.tsv", sep="\t").filename) == {"-", "b.wav"}
