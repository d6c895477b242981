"""The command: events of many recordings as tables, interrupted and gone on with, in one process and in several."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nights
import numpy as np
import pandas as pd
import pytest
import soundfile
from nights import flags

from running import ROOT, command, process
from urbansound.data.datasets import folder

RATE = 8000


@pytest.fixture(scope="module")
def home(tone_run, tmp_path_factory):
    """See `nights.home`."""
    return nights.home(tone_run, tmp_path_factory.mktemp("detect"))


@pytest.fixture(scope="module")
def unbroken(home):
    done = command("detect", *flags(), "night", cwd=home)
    assert done.returncode == 0, done.stderr
    return done, tables(home / "events")


def without_clips(files):
    """Files without clips, whose names depend on where the recordings lie."""
    return {name: content for name, content in files.items() if not name.startswith("clips/")}


def tables(out):
    """{path: bytes} of all that a command has left but the journal's times."""
    paths = [path for path in out.rglob("*") if path.is_file() and path.name not in (".lock", "journal.jsonl")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def test_events_are_found_where_the_tones_are(unbroken, home):
    done, _ = unbroken
    events = pd.read_csv(home / "events/events.csv")
    assert list(dict.fromkeys(events.path)) == [
        *("night/20260504_060000.wav", "night/b.wav"),
        *("night/deep/20260504_070000Z.flac", "night/deep/d.wav"),
    ]
    for place, (_, found) in enumerate(events.groupby("path", sort=False)):
        for start, label in ((2 + place, "low"), (8, "middle"), (14, "high")):
            # The model knows no noise: an event may begin before its tone.
            there = found[(found.label == label) & (found.start < start + 0.5) & (found.end > start + 1.5)]
            assert len(there) == 1, (place, label, found)
    assert len(done.stdout.splitlines()) == len(events)
    assert "recordings: 4, 80 s of sound" in done.stderr
    clocks = events.groupby("path").clock.first()
    assert pd.isna(clocks["night/b.wav"])
    assert clocks["night/20260504_060000.wav"].startswith("2026-05-04T06:00:0")
    assert clocks["night/deep/20260504_070000Z.flac"].endswith("+00:00")


def test_each_recording_has_tables_and_the_folder_says_how_they_were_made(unbroken):
    _, files = unbroken
    for suffix in (".csv", ".audacity.txt", ".selections.txt", ".sed.tsv"):
        assert f"events{suffix}" in files
        assert f"recordings/night/deep/d.wav{suffix}" in files
    assert "recordings/night/b.wav.scores.tsv" in files
    assert files["recordings/night/b.wav.timeline.png"].startswith(b"\x89PNG")
    settings = json.loads(files["settings.json"])
    assert settings["model"] == "run"
    assert settings["model_sha256"].startswith("sha256:")
    assert (settings["window_seconds"], settings["window_hop_seconds"], settings["on"]) == (0.5, 0.125, 0.6)


def test_several_processes_find_the_same(unbroken, home):
    done = process("detect", *flags("two", jobs=2), "night", cwd=home)
    assert done.returncode == 0, done.stderr
    assert tables(home / "two") == unbroken[1]


def ended_by(number, home, out, moment):
    """(exit code, stderr) of a command in three processes that all get a signal when moment() is true."""
    arguments = [sys.executable, "-m", "urbansound.detect", *flags(out, jobs=2), "night"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        arguments, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # it may come ignored
    ) as started:  # fmt: skip
        while started.poll() is None and not moment():
            time.sleep(0.002)
        os.killpg(started.pid, number)
        _, errors = started.communicate()
    return started.returncode, errors


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["while_processes_start", "while_they_import"])
def test_ctrl_c_is_answered_in_a_word(seconds, home):
    out = f"stopped_{seconds}"

    def beginning():
        begun = (home / out / "settings.json").exists()
        time.sleep(seconds if begun else 0)
        return begun

    code, errors = ended_by(signal.SIGINT, home, out, beginning)
    assert code == 130
    last, where = errors.splitlines()[-1], ": 0 of 4 recordings are done; the same command goes on from there"
    assert last == f"interrupted{where}" or (seconds == 0 and last == "interrupted")  # before the first recording
    assert "Traceback" not in errors


def test_a_command_that_was_killed_goes_on_to_the_same_tables(unbroken, home):
    out = home / "killed"
    journal = out / "journal.jsonl"
    moments = [lambda: any(out.glob("clips/*/*")), lambda: journal.exists() and journal.stat().st_size > 0]
    for moment in moments:
        assert ended_by(signal.SIGKILL, home, "killed", moment)[0] == -signal.SIGKILL
    with open(journal, "ab") as file:
        file.write(b'{"path": "night/b')  # as if in the middle of a line
    done = command("detect", *flags("killed"), "night", cwd=home)
    assert done.returncode == 0, done.stderr
    assert tables(out) == unbroken[1]
    assert len(journal.read_text().splitlines()) == 4


def test_clips_are_the_events_and_are_trained_on(unbroken, home):
    _, files = unbroken
    events = pd.read_csv(home / "events/events.csv")
    clips = {name: content for name, content in files.items() if name.startswith("clips/") and name.endswith(".wav")}
    assert len(clips) == len(events)
    for event in events.itertuples():
        stem = os.path.basename(event.path).rpartition(".")[0]
        times = f"_{event.start:010.3f}-{event.end:010.3f}s_{event.peak:.2f}.wav"
        (name,) = [name for name in clips if name.startswith(f"clips/{event.label}/{stem}~") and name.endswith(times)]
        whole, _ = soundfile.read(home / event.path, dtype="int16")
        with soundfile.SoundFile(io.BytesIO(clips[name])) as clip:
            expected = whole[round(event.start * RATE) : round(event.end * RATE)]
            np.testing.assert_array_equal(clip.read(dtype="int16"), expected)
            assert clip.comment.startswith(f"{event.path}: {event.start:.3f} to")
    taken = folder.read(home / "events/clips")
    assert set(taken.clips.label) == set(events.label)
    of_recordings = taken.clips.groupby("recording").path.count()  # whose names have a hash of where they lie
    assert sorted(of_recordings) == sorted(events.groupby("path").label.count())
    assert taken.passed_over == ""  # a word of detect's own files


def test_clips_and_pictures_may_be_asked_for_later(unbroken, home):
    given = "--model=run", "--out=later", "--threshold=0.6", "--smooth_seconds=0", "night"
    first = command("detect", *given, cwd=home)
    clips = command("detect", *given, "--clips=later/clips", cwd=home)
    assert (first.returncode, clips.returncode, clips.stdout) == (0, 0, "")
    assert "no new sound" in clips.stderr
    moved = next((home / "later/clips/low").glob("b~*"))
    moved.rename(home / "later/clips/high" / moved.name)
    again = command("detect", *flags("later"), "night", cwd=home)
    assert "listened to 80 s" in again.stderr  # scores and pictures take it
    assert not moved.exists()
    (home / "later/clips/high" / moved.name).rename(moved)
    assert tables(home / "later") == unbroken[1]
    moved.unlink()
    done = command("detect", *flags("later"), "night", cwd=home)
    assert "no new sound" in done.stderr
    assert not moved.exists()


def test_what_is_done_is_not_done_again_unless_it_has_changed(unbroken, home, tmp_path):
    shutil.copytree(home / "night", tmp_path / "night")
    shutil.copytree(home / "run", tmp_path / "run")
    first = command("detect", *flags(), "night", cwd=tmp_path)
    again = command("detect", *flags(), "night", cwd=tmp_path)
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout == ""
    assert without_clips(tables(tmp_path / "events")) == without_clips(unbroken[1])
    shutil.copyfile(tmp_path / "night/deep/d.wav", tmp_path / "night/b.wav")
    changed = command("detect", *flags(format="csv"), "night", cwd=tmp_path)
    assert {line.split("  ")[0] for line in changed.stdout.splitlines()} == {"night/b.wav"}
    of_it = {path.name for path in (tmp_path / "events/recordings/night").glob("b.wav*")}
    assert of_it == {"b.wav.csv", "b.wav.timeline.png"}  # what was written of the recording as it was is gone
    changed = pd.read_csv(tmp_path / "events/recordings/night/b.wav.csv")
    assert len(list((tmp_path / "events/clips").glob("*/b~*.wav"))) == len(changed)
    (tmp_path / "night/b.wav").unlink()
    fewer = command("detect", *flags(), "night", cwd=tmp_path)
    assert fewer.returncode == 0
    assert "night/b.wav" not in (tmp_path / "events/events.csv").read_text()


def test_other_settings_are_refused(unbroken, home):
    done = command("detect", *flags(threshold=0.7), "night", cwd=home)
    assert done.returncode == 2
    assert "events holds results of other settings (threshold); pass those, or another --out" in done.stderr
    assert tables(home / "events") == unbroken[1]


def test_a_folder_of_other_files_is_left_alone(home):
    done = command("detect", "--model=run", "--out=night", "night", cwd=home)
    assert done.returncode == 2
    assert "night: holds other files; pass another --out" in done.stderr


def test_broken_recordings_are_listed_and_the_good_ones_done(home, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    whole = (home / "night/b.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    shutil.copy(home / "night/b.wav", tmp_path / "good.wav")
    done = command("detect", f"--model={home / 'run'}", "--out=events", "--print=jsonl", ".", cwd=tmp_path)
    assert done.returncode == 2
    faults = done.stderr.splitlines()[-2:]
    assert [fault.partition(":")[0] for fault in faults] == ["./broken.wav", "./cut.wav"]
    before = "; what came before that is in the tables"
    assert [fault.endswith(before) for fault in faults] == [False, True]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["path"] for event in events} == {"./cut.wav", "./good.wav"}
    assert max(event["end"] for event in events if event["path"] == "./cut.wav") <= 10
    combined = pd.read_csv(tmp_path / "events/events.csv")
    assert len(combined) == len(events)


def test_wav_comes_from_standard_input(home):
    with open(home / "night/b.wav", "rb") as sound:
        done = subprocess.run(
            [sys.executable, "-m", "urbansound.detect", *flags("piped")[:-1], "-"],
            cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=sound, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    piped, file = (pd.read_csv(home / folder / "events.csv") for folder in ("piped", "events"))
    file = file[file.path == "night/b.wav"].reset_index(drop=True)
    pd.testing.assert_frame_equal(piped[["start", "end", "label", "peak"]], file[["start", "end", "label", "peak"]])
    assert (home / "piped/recordings/-.timeline.png").exists()


def test_patterns_choose_recordings(home):
    done = command("detect", "--model=run", "--out=pattern", "night/**/*d*.wav", cwd=home)
    assert done.returncode == 0, done.stderr
    assert set(pd.read_csv(home / "pattern/events.csv").path) == {"night/deep/d.wav"}


def test_helpshort_says_what_is_required():
    done = process("detect", "--helpshort")
    assert "--model is required, and so are --out and a recording, except with --live." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--out=x", "night"), "missing: --model; pass"),
        (("--model=run", "night"), "missing: --out; pass"),
        (("--model=run", "--out=x"), "missing: recordings; pass"),
        (("--model=run",), "missing: --out, recordings; pass python -m urbansound.detect"),
        (("--model=run", "--live", "night"), "pass either --live or recordings, not both"),
        (("--model=run/model.keras", "--out=x", "night"), "model.keras: a part of a run; pass the run directory, run"),
        (("--model=night/b.wav", "--out=x", "night"), "night/b.wav: not a model; pass a run directory, a SavedModel"),
        (("--model=run", "--out=x", "absent.wav"), "absent.wav: no such file or folder"),
        (("--model=night", "--out=x", "night"), "neither a run directory nor a SavedModel"),
        (("--model=run", "--out=x", "night/*.mp3"), "night/*.mp3: a pattern that no file or folder matches"),
        (("--model=run", "--out=x", "--format=csv,xls", "night"), "sed, parquet, scores. Received: xls"),
        (("--model=run", "--out=x", "--clips=x", "night"), "x: the clips need a folder of their own"),
        (("--model=run", "--out=x", "--clips=y", "-"), "clips can't be cut out of standard input"),
        (("--model=run", "--out=x", "--clips=night/cut", "night"), "night/cut: lies in night, so that clips would"),
        (("--model=run", "--out=x", "--format=", "night"), "format names no table"),
        (("--model=run", "--out=x", "--time_zone=Mars/North", "night"), "time_zone must be a name"),
        (("--model=run", "--out=x", "--threshold=0", "night"), "threshold must be a number above 0 and at most 1"),
        (("--model=run", "--out=x", "--window_hop_seconds=9", "night"), "window_hop_seconds must be above 0"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_before_any_work(arguments, fault, home):
    done = command("detect", *arguments, cwd=home)
    assert done.returncode == 2
    assert fault in done.stderr.splitlines()[-1]
    assert not (home / "x").exists()
