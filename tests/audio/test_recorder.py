"""When and where recordings were made: what recorders really write, and what can't be true."""

import os
import struct
import subprocess
import sys
import wave
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from running import ROOT
from urbansound.audio.recorder import Origin, origin
from wav_files import chunk, fmt, riff

SOUND = chunk(b"data", b"\1\2" * 10)


def at(*fields, hours=None):
    zone = None if hours is None else timezone(timedelta(hours=hours)) if hours else UTC
    return datetime(*fields, tzinfo=zone)


def guano(*lines):
    return chunk(b"guan", "\n".join(["GUANO|Version: 1.0", *lines]).encode())


def comment(text):
    """What AudioMoth writes: a comment of a fixed length, filled with zeros."""
    return chunk(b"LIST", b"INFO" + chunk(b"ICMT", text.encode().ljust(384, b"\0")) + chunk(b"IART", b"AudioMoth\0"))


def bext(date, time):
    return chunk(b"bext", bytes(320) + date.encode() + time.encode() + bytes(264))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.wav"


def of(path, *before, after=(), **settings):
    path.write_bytes(riff(*before, fmt(), SOUND, *after))
    return origin(path, **settings)


MOTH = "24E144085F256F3A"
COMMENTS = {
    # As the sources of its firmware print it, from the first version on.
    f"Recorded at 21:30:00 15/05/2026 by AudioMoth {MOTH} at gain setting 2 while battery state was > 5.0V": None,
    f"Recorded at 21:30:00 15/05/2026 (UTC) by AudioMoth {MOTH} at gain setting 2 while battery state was 4.10V": 0,
    f"Recorded at 21:30:00 15/05/2026 (UTC+2) by AudioMoth {MOTH} at gain setting 2 while battery state was 4.1V": 2,
    f"Recorded at 21:30:00 15/05/2026 (UTC-3:30) by AudioMoth {MOTH} at medium gain setting while battery": -3.5,
    f"Recorded at 21:30:00 15/05/2026 (UTC-0:30) by AudioMoth {MOTH} at medium gain setting while battery": -0.5,
    f"Recorded at 21:30:00 15/05/2026 (UTC+10) during deployment {MOTH} using external microphone "
    f"by AudioMoth {MOTH} at low-medium gain while battery was 4.1V and temperature was 21.5C.": 10,
    f"Recorded at 21:30:00.250 15/05/2026 (UTC) by AudioMoth {MOTH} at medium gain while battery was 4.1V": 0,
}


@pytest.mark.parametrize(("text", "hours"), COMMENTS.items())
def test_the_comment_of_an_audiomoth(path, text, hours):
    assert of(path, comment(text)) == Origin(at(2026, 5, 15, 21, 30, hours=hours), None, None, "AudioMoth")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-05-04T06:00:00", at(2026, 5, 4, 6)),
        ("2026-05-04 06:00:00+13:00", at(2026, 5, 4, 6, hours=13)),
        ("2026-05-04T06:00:00Z", at(2026, 5, 4, 6, hours=0)),
        ("2026-05-04T06:00:00.250-04:00", at(2026, 5, 4, 6, 0, 0, 250_000, hours=-4)),
        ("2026-05-04", None),
        ("2026-05-04T25:00:00", None),
        ("1970-01-01T00:00:03Z", None),
        ("9999-12-31T23:59:59", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("now", None),
    ],
)
def test_the_time_of_guano(path, text, start):
    expected = Origin(start, source="GUANO") if start else Origin()
    assert of(path, after=[chunk(b"LIST", b"adtl"), guano(f"Timestamp:{text}", "Note: 1:2")]) == expected
    assert of(path, guano("Loc Elevation: 3", f"Timestamp: {text}\0\0")) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("47.5 -122.25", (47.5, -122.25)),
        ("-37.00403 174.57577", (-37.00403, 174.57577)),
        ("91 0", None),
        ("0 181", None),
        ("nan nan", None),
        ("inf 0", None),
        ("1e400 0", None),
        ("47.5", None),
        ("north 3", None),
        ("1 2 3", None),
    ],
)
def test_the_place_of_guano(path, text, place):
    expected = Origin(None, *place, "GUANO") if place else Origin()
    assert of(path, guano(f"Loc Position: {text}")) == expected
    both = of(path, comment(next(iter(COMMENTS))), after=[guano(f"Loc Position: {text}")])
    assert (both.latitude, both.longitude, both.source) == (*(place or (None, None)), "AudioMoth")


@pytest.mark.parametrize(
    ("date", "time", "start"),
    [
        ("2026-05-04", "06:00:01", at(2026, 5, 4, 6, 0, 1)),
        ("2026_05_04", "06-00-01", at(2026, 5, 4, 6, 0, 1)),
        ("2026:05:04", "06.00.01", at(2026, 5, 4, 6, 0, 1)),
        ("2026-13-04", "06:00:01", None),
        ("0000-00-00", "00:00:00", None),
        ("\0" * 10, "\0" * 8, None),
        ("1970-01-01", "00:00:00", None),
    ],
)
def test_the_time_of_bext(path, date, time, start):
    assert of(path, bext(date, time)) == (Origin(start, source="bext") if start else Origin())


NAMES = {
    "20260504_060001": at(2026, 5, 4, 6, 0, 1),
    "SMA01234_20260504_060001": at(2026, 5, 4, 6, 0, 1),
    "SM304290_0+1_20260504$060001": at(2026, 5, 4, 6, 0, 1),
    "2026-05-04_06-00-01": at(2026, 5, 4, 6, 0, 1),
    "yard 2026-05-04 06.00.01 (2)": at(2026, 5, 4, 6, 0, 1),
    "2026-05-04T06:00:01": at(2026, 5, 4, 6, 0, 1),
    "20260504060001": at(2026, 5, 4, 6, 0, 1),
    "20260504T060001Z": at(2026, 5, 4, 6, 0, 1, hours=0),
    "20260504_060001Z_left": at(2026, 5, 4, 6, 0, 1, hours=0),
    "20260504_060001Zoo": at(2026, 5, 4, 6, 0, 1),
    "20260504T060001+1000_REC": at(2026, 5, 4, 6, 0, 1, hours=10),
    "20260504T060001-0330": at(2026, 5, 4, 6, 0, 1, hours=-3.5),
    "20260504_060001-0100": at(2026, 5, 4, 6, 0, 1),  # the hundredth of a series
    "20260504T060001+9900": None,
    "12345678_999999_20260504_060001": at(2026, 5, 4, 6, 0, 1),
    "20260504_060001_20260504_070001": at(2026, 5, 4, 6, 0, 1),
    "20261304_060001": None,
    "20260230_060001": None,
    "20260504_240001": None,
    "12026050406000111": None,
    "99990504_060001": None,
    "٢٠٢٦٠٥٠٤_٠٦٠٠٠١": None,
    "100032-3-0-0": None,
    "": None,
}


@pytest.mark.parametrize(("name", "start"), NAMES.items())
def test_the_time_in_a_file_name(tmp_path, name, start):
    for path in (tmp_path / f"{name}.flac", str(tmp_path / f"{name}.WAV")):  # there need be no such file
        assert origin(path) == (Origin(start, source="file name") if start else Origin())


def test_what_is_more_exact_comes_first(tmp_path):
    path = tmp_path / "20260504_060004.wav"
    parts = [
        guano("Timestamp: 2026-05-04T06:00:01"),
        comment(f"Recorded at 06:00:02 04/05/2026 (UTC) by AudioMoth {MOTH}"),
        bext("2026-05-04", "06:00:03"),
    ]
    sources = []
    for known in range(4):
        found = of(path, *parts[known:][::-1])
        assert found.start.second == known + 1
        sources.append(found.source)
    assert sources == ["GUANO", "AudioMoth", "bext", "file name"]


def test_a_zone_is_that_of_times_that_tell_none(path):
    berlin = ZoneInfo("Europe/Berlin")
    summer = of(path, guano("Timestamp: 2026-07-04T06:00:00"), zone=berlin).start
    assert (summer.tzinfo, summer.utcoffset()) == (berlin, timedelta(hours=2))
    told = of(path, guano("Timestamp: 2026-07-04T06:00:00-04:00"), zone=berlin).start
    assert told.utcoffset() == timedelta(hours=-4)


def test_a_file_of_any_length_is_read_at_its_ends_only(path):
    size, tail = 24 * 3600 * 2 * 192000, guano("Timestamp: 2026-05-04T06:00:00Z")
    ds64 = chunk(b"ds64", struct.pack("<QQQI", size + 72, size, size // 2, 0))
    head = ds64 + fmt(rate=192000) + b"data\xff\xff\xff\xff"
    for kind in (b"RF64", b"BW64"):
        with open(path, "wb") as file:
            file.write(kind + b"\xff\xff\xff\xffWAVE" + head)
            file.seek(size, os.SEEK_CUR)
            file.write(tail)
        assert origin(path).start == at(2026, 5, 4, 6, hours=0)


def test_other_files_and_broken_ones_tell_nothing(path):
    whole = riff(guano("Timestamp: 2026-05-04T06:00:00", "Loc Position: 1 2"), comment("no moth"), fmt(), SOUND)
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        origin(path)
    generator = np.random.default_rng(0)
    for _ in range(200):
        data = np.frombuffer(whole, np.uint8).copy()
        data[generator.integers(0, len(data), 6)] = generator.choice([0, 1, 127, 255, 48, 45], 6)
        path.write_bytes(data.tobytes())
        origin(path)
    for data in (b"", b"RIFF", b"fLaC" + whole, whole.replace(b"WAVE", b"AVI "), riff(*[chunk(b"JUNK", b"")] * 9999)):
        path.write_bytes(data)
        assert origin(path) == Origin()
    assert origin(path.parent) == origin(path / "x") == origin(path.parent / "absent") == Origin()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    assert origin(path) == Origin()


def test_it_needs_no_tensorflow():
    code = "import sys, urbansound.audio.recorder\nsys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
