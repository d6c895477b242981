"""A microphone's events are those of the same sound in a file; they are printed as they come, and kept as tables."""

import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile

import sound_device
from running import command

RATE = 11025
START = 1777874400  # 2026-05-04 06:00:00 UTC
SETTINGS = ("--threshold=0.6", "--smooth_seconds=0", "--time_zone=UTC")


@pytest.fixture(scope="module")
def sound():
    """20 s of stereo: noise with tones."""
    seconds = np.arange(20 * RATE) / RATE
    sound = np.random.default_rng(0).normal(0, 0.02, (len(seconds), 2))
    for start, hertz in ((2, 300), (8, 1000), (14, 3000)):
        tone = 0.5 * np.sin(2 * np.pi * hertz * seconds[: 2 * RATE])
        sound[start * RATE : (start + 2) * RATE] += tone[:, np.newaxis]
    return sound


@pytest.fixture(scope="module")
def home(tone_run, sound, tmp_path_factory):
    home = tmp_path_factory.mktemp("live")
    (home / "run").symlink_to(tone_run / "run")
    soundfile.write(home / "a.wav", sound, RATE, "FLOAT")
    done = command(
        "detect", "--model=run", "--out=file", "--timeline", "--format=csv,scores", *SETTINGS, "a.wav", cwd=home
    )
    assert done.returncode == 0, done.stderr
    return home


def test_events_are_those_of_the_file(home, sound, monkeypatch):
    sound_device.install(monkeypatch, sound, RATE, start=START)
    arguments = ("--out=heard", "--timeline", "--format=csv,scores,raven", "--print=jsonl", "--device=1")
    done = command("detect", "--model=run", "--live", *arguments, *SETTINGS, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "Microphone ä, 11025 Hz; Ctrl-C ends" in done.stderr
    assert "20 s of sound" in done.stderr
    assert "sound was lost 0 times; tables in heard" in done.stderr
    live, file = (pd.read_csv(home / folder / "events.csv") for folder in ("heard", "file"))
    columns = ["start", "end", "label", "peak", "mean"]
    assert len(file) >= 3
    pd.testing.assert_frame_equal(live[columns], file[columns])
    printed = pd.DataFrame(map(json.loads, done.stdout.splitlines()))
    assert printed.sort_values(["start", "end", "label"]).label.tolist() == live.label.tolist()
    (name,) = set(live.path)
    assert set(printed.path) == {name}
    assert name == "live_20260504_060000"
    for table in (live, printed):
        moments = (pd.to_datetime(table.clock) - pd.Timestamp(START, unit="s", tz="UTC")).dt.total_seconds()
        np.testing.assert_allclose(moments, table.start, atol=2e-3)
    recorded = home / "heard/recordings"
    for suffix in (".scores.tsv", ".csv", ".selections.txt", ".timeline.png"):
        assert (recorded / f"{name}{suffix}").stat().st_size > 0
    live, file = (
        pd.read_csv(path, sep="\t")
        for path in (recorded / f"{name}.scores.tsv", home / "file/recordings/a.wav.scores.tsv")
    )
    pd.testing.assert_frame_equal(live, file, atol=1e-6)


def test_events_of_real_sound_are_those_of_the_file(home, shared_data, monkeypatch):
    read = [soundfile.read(path, always_2d=True) for path in sorted(shared_data.glob("originals/*.wav"))]
    sound = np.concatenate([samples.mean(axis=1, keepdims=True) for samples, rate in read if rate == 44100])
    soundfile.write(home / "real.wav", sound, 44100, "FLOAT")
    file = command("detect", "--model=run", "--out=real", *SETTINGS, "real.wav", cwd=home)
    sound_device.install(monkeypatch, sound, 44100)
    live = command("detect", "--model=run", "--live", "--out=really", *SETTINGS, cwd=home)
    assert (file.returncode, live.returncode) == (0, 0), file.stderr + live.stderr
    tables = [pd.read_csv(home / name / "events.csv")[["start", "end", "label", "peak"]] for name in ("real", "really")]
    assert len(tables[0]) >= 5
    pd.testing.assert_frame_equal(*tables, atol=2e-4)  # of scores with four digits


def test_lost_sound_is_said_and_sessions_are_added(home, sound, monkeypatch):
    for _ in range(2):  # in the same second, by a clock that was set back
        sound_device.install(monkeypatch, sound[: 5 * RATE], RATE, overflows=(3, 7), ends_with=signal.SIGTERM)
        done = command("detect", "--model=run", "--live", "--out=sessions", *SETTINGS, cwd=home)
        assert done.returncode == 0, done.stderr
        assert "sound was lost 2 times" in done.stderr
        assert done.stdout.startswith("1970-01-01 00:00:0")
    events = pd.read_csv(home / "sessions/events.csv")
    assert events.path.unique().tolist() == ["live_19700101_000000", "live_19700101_000000_2"]
    clocks = pd.to_datetime(events.clock).map(pd.Timestamp.timestamp)
    np.testing.assert_allclose(clocks, events.start, atol=2e-3)


def test_without_a_folder_events_are_printed_only(home, sound, monkeypatch):
    before = sorted(home.iterdir())
    sound_device.install(monkeypatch, sound, RATE)
    done = command("detect", "--model=run", "--live", *SETTINGS, cwd=home)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(pd.read_csv(home / "file/events.csv"))
    assert sorted(home.iterdir()) == before


def test_a_device_that_is_gone_leaves_whole_tables(home, sound, monkeypatch):
    sound_device.install(monkeypatch, sound, RATE, dies=True, ends_with=None)
    done = command("detect", "--model=run", "--live", "--out=gone", *SETTINGS, cwd=home)
    assert done.returncode == 2
    assert "the device gave no more sound after 20.0 s" in done.stderr.splitlines()[-1]
    assert len(pd.read_csv(home / "gone/events.csv")) == len(pd.read_csv(home / "file/events.csv"))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--live", "a.wav"), "pass either --live or recordings, not both. Received: a.wav"),
        (("--live", "--clips=x"), "clips can't be cut out of a microphone's sound"),
        (("--live", "--timeline"), "tables and pictures need a folder; pass --out=FOLDER"),
        (("--live", "--format=csv"), "tables and pictures need a folder; pass --out=FOLDER"),
        (
            ("--live", "--device=none"),
            "no input device none (No input device matching 'none'); there are: 1 Microphone ä",
        ),
        (("--device=1", "--out=x", "a.wav"), "--device is of --live"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, fault, home, sound, monkeypatch):
    sound_device.install(monkeypatch, sound, RATE)
    done = command("detect", "--model=run", *arguments, *SETTINGS, cwd=home)
    assert done.returncode == 2
    assert fault in done.stderr.splitlines()[-1]


def test_a_device_that_gives_no_sound_leaves_no_folder(home, sound, monkeypatch):
    sound_device.install(monkeypatch, sound[:0], RATE, dies=True, ends_with=None)
    done = command("detect", "--model=run", "--live", "--out=x/none", cwd=home)
    assert done.returncode == 2
    assert "Microphone ä: no sound came (the device gave no more sound after 0.0 s)" in done.stderr
    assert not (home / "x").exists()


def test_a_folder_of_other_settings_is_refused_before_the_microphone_is_opened(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    before = {path: path.read_bytes() for path in (home / "file").rglob("*") if path.is_file()}
    done = command("detect", "--model=run", "--live", "--out=file", "--threshold=0.7", cwd=home)
    assert (done.returncode, "file holds results of other settings" in done.stderr) == (2, True)
    assert {path: path.read_bytes() for path in (home / "file").rglob("*") if path.is_file()} == before


def test_without_sounddevice_there_is_a_line(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = command("detect", "--model=run", "--live", "--out=x/none", cwd=home)
    assert done.returncode == 2
    assert not (home / "x").exists()
    assert "a microphone needs sounddevice; install it by: pip install sounddevice" in done.stderr
    assert subprocess.run([sys.executable, "-c", "import urbansound.audio.microphone"], check=False).returncode == 0
