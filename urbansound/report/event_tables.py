"""Detected events as files that other programs open.

To add a form: a Format, and its place in FORMATS. Every form has a header also where there are no events, except
Audacity's, which has none. In text, seconds have six decimals at most and scores four; parquet holds float64 as it
is. Labels and paths stay one cell of one line: `text.shown` makes control characters visible. Where a program reads no
quotes, or may be a spreadsheet, an apostrophe stands before what would begin a formula or a quoted cell. Parquet holds
all names as they are, and sed all but their control characters, because its readers compare them with those of a
reference.
"""

import csv
import dataclasses
import datetime
import json
import os
from collections.abc import Callable

import numpy as np
import pandas as pd

from urbansound.errors import InputError
from urbansound.files import replacing
from urbansound.text import shown

TIMES = ["start", "end", "peak", "mean", "latitude", "longitude", "file_offset"]
COLUMNS = ["path", "start", "end", "label", "peak", "mean", "clock", "latitude", "longitude", "file_offset"]
SETTINGS = "settings.json"
RAVEN = [
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    *("Annotation", "Score", "Mean Score", "Begin Path", "File Offset (s)"),
]
KALEIDOSCOPE = ["INDIR", "FOLDER", "IN FILE", "OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST"]
SED = ["filename", "onset", "offset", "event_label"]
GUARDED = ("=", "+", "-", "@", '"')  # what begins a formula, or a cell in quotes


@dataclasses.dataclass(frozen=True)
class About:
    """What all events of a table share.

    Attributes:
      provenance: JSON values by name, such as the model's name and hash, and the settings: columns of csv and parquet.
      low_hz: of the band that the model takes.
      high_hz: as low_hz.
      audacity_frequencies: whether Audacity's labels have the band, in a line of their own.
      class_names: all labels that events may have; none: not known.
    """

    provenance: dict
    low_hz: float
    high_hz: float
    audacity_frequencies: bool = False
    class_names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Format:
    """A form of table.

    Attributes:
      suffix: of its files, after the recording's name.
      write: function of (events, path, about): a DataFrame of COLUMNS, a path and an About.
      one_axis: whether times are those of one sequence of recordings: a table of several is then made of what
        `in_sequence` returns.
    """

    suffix: str
    write: Callable
    one_axis: bool = False


def formats(names, others=()):
    """{name: Format} of names of FORMATS.

    Args:
      names: of forms.
      others: names that the caller knows, for the message.

    Raises:
      InputError: one is unknown.
    """
    for name in names:
        if name not in FORMATS:
            raise InputError(f"--format must be one of {', '.join([*FORMATS, *others])}. Received: {name}")
    return {name: FORMATS[name] for name in names}


def recording_table(events, path, begin=None, latitude=None, longitude=None):
    """The events of one recording as a table of COLUMNS.

    Args:
      events: DataFrame with start, end, label, peak, mean.
      path: of the recording, str.
      begin: datetime when it begins, with a time zone or without; None: not known.
      latitude: degrees; None: not known.
      longitude: as latitude.

    Returns:
      DataFrame of COLUMNS: `clock` holds datetimes, or NaT; `file_offset` is `start`.
    """
    clock = [pd.NaT if begin is None else later(begin, start) for start in events.start]
    table = events.assign(path=path, clock=pd.Series(clock, events.index, object), file_offset=events.start)
    table["latitude"], table["longitude"] = (np.nan if value is None else value for value in (latitude, longitude))
    return table.astype(dict.fromkeys(TIMES, np.float64))[COLUMNS]


def in_sequence(events, durations):
    """The events of several recordings as if each recording began where the one before it ended.

    Args:
      events: DataFrame of COLUMNS.
      durations: {path: seconds} of all recordings in order, those without events, too.
    """
    lengths = pd.Series(durations, dtype=np.float64)
    before = events.path.map(lengths.cumsum() - lengths).astype(np.float64)
    return events.assign(start=events.start + before, end=events.end + before)


def later(begin, seconds):
    """A datetime some seconds later; the clock may be set in between where the zone is known."""
    span = datetime.timedelta(seconds=float(seconds))
    if begin.tzinfo is None:
        return begin + span
    return (begin.astimezone(datetime.UTC) + span).astimezone(begin.tzinfo)


def _time(seconds):
    return _number(round(seconds, 6))


def _score(value):
    return _number(round(value, 4))


def _number(value):
    """Digits without an exponent that read back as the same float64; nothing of NaN."""
    return "" if np.isnan(value) else np.format_float_positional(np.float64(value), trim="0")


def _guarded(text):
    text = shown(text)
    return f"'{text}" if text.startswith(GUARDED) else text


def _write_lines(path, lines):
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        file.writelines(line + "\n" for line in lines)


def _write_rows(path, header, rows, **dialect):
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", **dialect)
        writer.writerow(header)
        writer.writerows(rows)


def _shared_columns(about):
    """{column: text} of the provenance; what is no text as JSON."""
    values = about.provenance.items()
    return {
        name: shown(value) if isinstance(value, str) else json.dumps(value, allow_nan=False) for name, value in values
    }


def _write_csv(events, path, about):
    shared = _shared_columns(about)
    same = [_guarded(value) for value in shared.values()]

    def cells(event):
        clock = "" if pd.isna(event.clock) else event.clock.isoformat(timespec="milliseconds")
        times, scores = [_time(event.start), _time(event.end)], [_score(event.peak), _score(event.mean)]
        place = [_number(event.latitude), _number(event.longitude), _time(event.file_offset)]
        return [_guarded(event.path), *times, _guarded(event.label), *scores, clock, *place, *same]

    _write_rows(path, [*COLUMNS, *shared], map(cells, events.itertuples(index=False)))


def _write_audacity(events, path, about):
    band = f"\n\\\t{_number(about.low_hz)}\t{_number(about.high_hz)}" if about.audacity_frequencies else ""
    _write_lines(
        path,
        (
            f"{_time(event.start)}\t{_time(event.end)}\t{_guarded(event.label)} {event.peak:.2f}{band}"
            for event in events.itertuples(index=False)
        ),
    )


def _write_raven(events, path, about):
    band = [_number(about.low_hz), _number(about.high_hz)]
    rows = (
        [
            *(str(number), "Spectrogram 1", "1", _time(event.start), _time(event.end), *band),
            *(_guarded(event.label), _score(event.peak), _score(event.mean)),
            *(_guarded(event.path), _time(event.file_offset)),
        ]
        for number, event in enumerate(events.itertuples(index=False), start=1)
    )
    _write_lines(path, map("\t".join, [RAVEN, *rows]))


def _write_kaleidoscope(events, path, about):
    """TOP1DIST is 1 - peak: there, 0 is the surest match."""
    del about
    parts = {name: os.path.split(name) for name in dict.fromkeys(events.path)}
    root = _common_folder([folder for folder, _ in parts.values()])

    def cells(event):
        folder, name = parts[event.path]
        inner = os.path.relpath(folder, root) if root else folder
        names = [_guarded(text) for text in (root, "" if inner == os.curdir else inner, name)]
        times = [_time(event.file_offset), _time(event.end - event.start)]
        return [*names, *times, _guarded(event.label), _score(1 - event.peak)]

    _write_rows(path, KALEIDOSCOPE, map(cells, events.itertuples(index=False)))


def _common_folder(folders):
    try:
        return os.path.commonpath(folders)
    except ValueError:  # none, or of several drives, or relative and absolute
        return ""


def _write_sed(events, path, about):
    del about
    rows = (
        [shown(event.path), _time(event.start), _time(event.end), shown(event.label)]
        for event in events.itertuples(index=False)
    )
    _write_rows(path, SED, rows, delimiter="\t")


def _write_parquet(events, path, about):
    """`clock` is the time on the recorder's clock, and `clock_utc` the same where the zone is known."""
    import fastparquet  # not pyarrow: where that is installed, pandas refuses file names that are not UTF-8

    known = [None if pd.isna(clock) else pd.Timestamp(clock).to_pydatetime() for clock in events.clock]
    zoned = [clock if clock and clock.tzinfo else None for clock in known]
    table = events[COLUMNS].astype(dict.fromkeys(TIMES, np.float64))
    table["clock"] = np.array([clock and clock.replace(tzinfo=None) for clock in known], "datetime64[us]")
    table.insert(7, "clock_utc", pd.to_datetime(zoned, utc=True).astype("datetime64[us, UTC]"))
    table = table.assign(**{name: events[name].map(_encodable).astype(object) for name in ("path", "label")})
    for name, text in _shared_columns(about).items():
        value = about.provenance[name]
        is_text = not isinstance(value, (bool, int, float))
        table[name] = pd.Series(text, table.index, object) if is_text else np.full(len(table), _typed(value))
    metadata = {"urbansound": json.dumps(about.provenance, allow_nan=False)}
    with replacing(path) as part:
        fastparquet.write(str(part), table, write_index=False, object_encoding="utf8", custom_metadata=metadata)


def _typed(value):
    """Numbers of a setting have one type, whether it was given as 1 or as 1.0: bool, or float64."""
    return value if isinstance(value, bool) else np.float64(value)


def _encodable(text):
    """A name as it is, or as `text.shown` has it where it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return shown(text)
    return text


FORMATS = {
    "csv": Format(".csv", _write_csv),
    "audacity": Format(".audacity.txt", _write_audacity, one_axis=True),
    "raven": Format(".selections.txt", _write_raven, one_axis=True),
    "kaleidoscope": Format(".kaleidoscope.csv", _write_kaleidoscope),
    "sed": Format(".sed.tsv", _write_sed),
    "parquet": Format(".parquet", _write_parquet),
}
