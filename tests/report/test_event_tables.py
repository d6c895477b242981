"""Tables of events are what the programs that open them expect, whatever labels and paths hold."""

import csv
import datetime
import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from urbansound.errors import InputError
from urbansound.report.event_metrics import read_events
from urbansound.report.event_tables import (
    COLUMNS,
    FORMATS,
    TIMES,
    About,
    formats,
    in_sequence,
    recording_table,
)

HOSTILE = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\ta", "a\tb", "a\nb", "a\r\nb", 'a"b', '"a', "a,b", "a;b", "\x1b[2J", "\x00", "犬",
    "a\u2028b", "a\u202eb", "NA", "None", "1e5", "'a", "\\", "\\\t1\t2", "caf\udce9",
]  # fmt: skip
ABOUT = About({"model": "cnn", "hash": "sha256:00e1", "settings": {"on": 0.5, "gap_seconds": 1}}, 50.0, 11025.0)
DOG = ("/rec/night/a.wav", 1 / 3, 86399.000001, "dog bark", 0.875, 0.625)
# Audacity's manual, "Importing and Exporting Labels": start, end, text, with tabs; then, or not, a line of frequencies.
LABEL = re.compile(r"(\d+\.\d+)\t(\d+\.\d+)\t([^\t\n]+)\n(?:\\\t(-?\d+\.\d+)\t(-?\d+\.\d+)\n)?")


def table(*rows):
    """Events as `recording_table` makes them, of (path, start, end, label, peak, mean)."""
    # Names as objects: where pyarrow is installed, pandas' own text refuses bytes that are not UTF-8.
    events = pd.DataFrame(rows, columns=COLUMNS[:6], dtype=object).assign(
        clock=pd.NaT, latitude=np.nan, longitude=np.nan
    )
    events = events.assign(file_offset=events.start, clock=events.clock.astype(object))
    return events.astype(dict.fromkeys(TIMES, float))


def written(tmp_path, name, events, about=ABOUT):
    path = tmp_path / f"events{FORMATS[name].suffix}"
    FORMATS[name].write(events, path, about)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing else is left there
    return path


def read(path, separator, **options):
    return pd.read_csv(path, sep=separator, keep_default_na=False, float_precision="round_trip", **options)


def label_track(text):
    """[(start, end, label, low, high)] of a whole Audacity label track."""
    labels, place = [], 0
    while place < len(text):
        match = LABEL.match(text, place)
        assert match, f"no label: {text[place : place + 40]!r}"
        labels.append(match.groups())
        place = match.end()
    return labels


def hostile():
    return table(*((f"{name}/{name}.wav", 0.5, 1.25, name, 0.9, 0.8) for name in HOSTILE))


def test_csv_holds_all_that_is_known(tmp_path):
    begin = datetime.datetime(2026, 5, 4, 6, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    events = pd.DataFrame([DOG[1:]], columns=COLUMNS[1:6])
    path = written(tmp_path, "csv", recording_table(events, DOG[0], begin, 48.2, 16.37))
    (row,) = read(path, ",").to_dict("records")
    assert row == {
        "path": "/rec/night/a.wav", "start": 0.333333, "end": 86399.000001, "label": "dog bark", "peak": 0.875,
        "mean": 0.625, "clock": "2026-05-04T06:00:00.333+02:00", "latitude": 48.2, "longitude": 16.37,
        "file_offset": 0.333333,
        "model": "cnn", "hash": "sha256:00e1", "settings": '{"on": 0.5, "gap_seconds": 1}',
    }  # fmt: skip
    row = read(written(tmp_path, "csv", table(DOG)), ",").iloc[0]
    assert row[["clock", "latitude", "longitude"]].tolist() == ["", "", ""]


def test_audacity_labels_follow_its_grammar(tmp_path):
    labels = label_track(written(tmp_path, "audacity", table(DOG, ("b", 0, 1e-6, "x", 1, 1))).read_text())
    assert labels == [
        ("0.333333", "86399.000001", "dog bark 0.88", None, None),
        ("0.0", "0.000001", "x 1.00", None, None),
    ]
    about = About({}, 50.0, 11025.0, audacity_frequencies=True)
    assert label_track(written(tmp_path, "audacity", table(DOG), about).read_text())[0][3:] == ("50.0", "11025.0")
    assert [label[2] for label in label_track(written(tmp_path, "audacity", hostile()).read_text())] == [
        "'=1+1 0.90", "'+1 0.90", "'-1 0.90", "'@SUM(A1) 0.90", r"\ta 0.90", r"a\tb 0.90", r"a\nb 0.90", r"a\r\nb 0.90",
        'a"b 0.90', "'\"a 0.90", "a,b 0.90", "a;b 0.90", r"\x1b[2J 0.90", r"\x00 0.90", "犬 0.90", r"a\u2028b 0.90",
        r"a\u202eb 0.90", "NA 0.90", "None 0.90", "1e5 0.90", "'a 0.90", "\\ 0.90", r"\\t1\t2 0.90", r"caf\xe9 0.90",
    ]  # fmt: skip


def test_raven_selections(tmp_path):
    selections = read(written(tmp_path, "raven", table(DOG, DOG)), "\t")
    assert selections.columns.tolist() == [
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
        "Annotation", "Score", "Mean Score", "Begin Path", "File Offset (s)",
    ]  # fmt: skip
    second = [
        2,
        "Spectrogram 1",
        1,
        0.333333,
        86399.000001,
        50,
        11025,
        "dog bark",
        0.875,
        0.625,
        "/rec/night/a.wav",
        0.333333,
    ]
    assert selections.iloc[1].tolist() == second


def test_kaleidoscope_has_folders_as_seen_from_their_common_one(tmp_path):
    rows = [(f"/rec/{name}", 2.0, 3.5, "dog", 0.75, 0.5) for name in ("a.wav", "night/b.wav")]
    text = written(tmp_path, "kaleidoscope", table(*rows)).read_text()
    assert text.splitlines() == [
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,TOP1MATCH,TOP1DIST",
        "/rec,,a.wav,2.0,1.5,dog,0.25",
        "/rec,night,b.wav,2.0,1.5,dog,0.25",
    ]
    for name, cells in (("a.wav", ["", "", "a.wav"]), ("/a.wav", ["/", "", "a.wav"]), ("x/a.wav", ["x", "", "a.wav"])):
        path = written(tmp_path, "kaleidoscope", table((name, *rows[0][1:])))
        assert read(path, ",").iloc[0, :3].tolist() == cells
    path = written(tmp_path, "kaleidoscope", table(rows[0], ("x/a.wav", *rows[0][1:])))  # no common folder
    assert read(path, ",")["FOLDER"].tolist() == ["/rec", "x"]


def test_sed_is_read_back_by_evaluation(tmp_path):
    path = written(tmp_path, "sed", table(DOG, *hostile().iloc[:, :6].itertuples(index=False)))
    assert path.read_text().startswith("filename\tonset\toffset\tevent_label\n")
    events, _ = read_events(path)
    assert events.iloc[0].tolist() == ["/rec/night/a.wav", 0.333333, 86399.000001, "dog bark"]
    assert events.event_label[1:5].tolist() == ["=1+1", "+1", "-1", "@SUM(A1)"]  # as a reference has them
    pd.testing.assert_frame_equal(read(path, "\t", dtype={"event_label": str, "filename": str}), events)


# Of fastparquet's reading, with the newest numpy.
@pytest.mark.filterwarnings("ignore:The 'generic' unit for NumPy timedelta:DeprecationWarning")
def test_parquet_holds_names_as_they_are_and_typed_times(tmp_path):
    begin = datetime.datetime(2026, 5, 4, 6, 0, tzinfo=ZoneInfo("Europe/Vienna"))
    events = pd.DataFrame([DOG[1:]], columns=COLUMNS[1:6])
    parts = [
        recording_table(events, "a.wav", begin, 48.2, 16.37),
        recording_table(events, "b.wav", begin.replace(tzinfo=None)),
        recording_table(events, "c.wav"),
        hostile(),
    ]
    path = written(tmp_path, "parquet", pd.concat(parts, ignore_index=True))
    stored = pd.read_parquet(path)
    assert stored.columns.tolist() == [*COLUMNS[:7], "clock_utc", *COLUMNS[7:], *ABOUT.provenance]
    fraction = pd.Timedelta(microseconds=333333)
    wall, utc = pd.Timestamp("2026-05-04 06:00") + fraction, pd.Timestamp("2026-05-04 04:00", tz="UTC") + fraction
    assert stored.clock[:2].tolist() == [wall, wall]
    assert stored.clock_utc[0] == utc
    assert stored[["clock", "clock_utc"]].isna().sum().tolist() == [1 + len(HOSTILE), 2 + len(HOSTILE)]
    assert stored.loc[0, ["start", "latitude", "longitude"]].tolist() == [1 / 3, 48.2, 16.37]
    assert stored.latitude[1:].isna().all()
    assert stored.settings.unique().tolist() == ['{"on": 0.5, "gap_seconds": 1}']
    assert stored.label[3:].tolist() == [*HOSTILE[:-1], r"caf\xe9"]
    empty = written(tmp_path, "parquet", table())
    assert pd.read_parquet(empty).dtypes.astype(str).tolist() == stored.dtypes.astype(str).tolist()
    assert b'{"model": "cnn", "hash": "sha256:00e1"' in empty.read_bytes().replace(b"\\", b"")


def test_parquet_s_settings_that_are_numbers_are_numbers(tmp_path):
    settings = {"off": 0.3, "gap_seconds": 1, "known_only": True, "on": {"dog": 0.5}, "time_zone": ""}
    for name, events in (("some", table()), ("none", table()[:0])):
        FORMATS["parquet"].write(events, tmp_path / name, About(settings, 50.0, 11025.0))
        stored = pd.read_parquet(tmp_path / name)[[*settings]]
        assert stored.dtypes.astype(str).tolist()[:3] == ["float64", "float64", "bool"]
        for row in stored.itertuples(index=False):
            assert list(row) == [0.3, 1.0, True, '{"dog": 0.5}', ""]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("csv", "path,start,end,label,peak,mean,clock,latitude,longitude,file_offset,model,hash,settings\n"),
        ("audacity", ""),
        ("kaleidoscope", "INDIR,FOLDER,IN FILE,OFFSET,DURATION,TOP1MATCH,TOP1DIST\n"),
        ("sed", "filename\tonset\toffset\tevent_label\n"),
        (
            "raven",
            "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation\tScore\t"
            "Mean Score\tBegin Path\tFile Offset (s)\n",
        ),
    ],
)
def test_without_events_there_is_the_header(tmp_path, name, header):
    assert written(tmp_path, name, table()).read_text() == header
    assert written(tmp_path, name, recording_table(table()[COLUMNS[1:6]], "a.wav")).read_text() == header


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("kaleidoscope", ","), ("sed", "\t"), ("raven", "\t")])
def test_hostile_names_stay_one_cell_of_one_line(tmp_path, name, delimiter):
    path = written(tmp_path, name, hostile())
    text = path.read_text()
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert len(text.splitlines()) == len(HOSTILE) + 1
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE) if name == "raven" else (csv.QUOTE_MINIMAL,):
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter, quoting=quoting, strict=True))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert len(read(path, delimiter, quoting=quoting)) == len(HOSTILE)
        if name != "sed":
            assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_times_have_microseconds_and_scores_four_digits_without_exponents(tmp_path):
    times, scores = [1e-6, 0.1 + 0.2, 86400.123456789, 1e6 / 3], [0.99996, 0.5, 1e-4, 0.123456789]
    events = table(*(("a.wav", time, time + 1, "x", score, score) for time, score in zip(times, scores, strict=True)))
    for name, begin, score in (
        ("csv", "start", "peak"),
        ("raven", "Begin Time (s)", "Score"),
        ("sed", "onset", None),
        ("kaleidoscope", "OFFSET", None),
    ):
        path = written(tmp_path, name, events)
        found = read(path, "," if name in ("csv", "kaleidoscope") else "\t")
        assert found[begin].tolist() == [1e-6, 0.3, 86400.123457, 333333.333333]
        assert score is None or found[score].tolist() == [1.0, 0.5, 0.0001, 0.1235]
        assert "e-" not in path.read_text()
        path.unlink()


def test_clocks_run_on_when_they_are_set_to_summer_time():
    begin = datetime.datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Vienna"))
    events = pd.DataFrame([(3600.0, 3601.0, "dog", 1.0, 1.0)], columns=COLUMNS[1:6])
    assert recording_table(events, "a.wav", begin).clock[0].isoformat() == "2026-03-29T03:30:00+02:00"
    naive = recording_table(events, "a.wav", begin.replace(tzinfo=None)).clock[0]
    assert naive == datetime.datetime(2026, 3, 29, 2, 30)


def test_recordings_in_a_sequence(tmp_path):
    events = table(("a.wav", 1, 2, "x", 1, 1), ("c.wav", 1, 2.5, "y", 1, 1))
    joined = in_sequence(events, {"a.wav": 10, "b.wav": 5.5, "c.wav": 7})
    assert joined[["start", "end", "file_offset"]].to_numpy().tolist() == [[1, 2, 1], [16.5, 18, 1]]
    selections = read(written(tmp_path, "raven", joined), "\t")
    assert selections["Begin Time (s)"].tolist() == [1, 16.5]
    assert selections["File Offset (s)"].tolist() == [1, 1]
    assert [name for name, form in FORMATS.items() if form.one_axis] == ["audacity", "raven"]


def test_a_table_that_fails_leaves_the_old_one(tmp_path):
    path = written(tmp_path, "csv", table(DOG))
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        FORMATS["csv"].write(table(DOG).drop(columns="peak"), path, ABOUT)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_formats_are_checked_before_the_work():
    assert list(formats(["sed", "csv"])) == ["sed", "csv"]
    message = r"--format must be one of csv, audacity, raven, kaleidoscope, sed, parquet\. Received: x"
    with pytest.raises(InputError, match=message):
        formats(["csv", "x"])
    with pytest.raises(InputError, match=r"parquet, scores\. Received: x"):
        formats(["x"], others=["scores"])
