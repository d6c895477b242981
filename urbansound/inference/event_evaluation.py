"""Detected events of recordings measured against known ones: names in tables matched with files, figures, a file."""

import collections
import dataclasses
import itertools
import os
from collections.abc import Callable
from pathlib import Path, PurePath

import pandas as pd

from urbansound import journal
from urbansound.data import audio_files
from urbansound.errors import InputError
from urbansound.files import read_json
from urbansound.inference.output import CLASSES, JOURNAL, entries_of
from urbansound.report import psds as psd_scores
from urbansound.report.event_metrics import event_based, read_events, segment_based
from urbansound.report.event_tables import SED, SETTINGS
from urbansound.report.score_table import SUFFIX
from urbansound.text import shown


@dataclasses.dataclass(frozen=True)
class Known:
    """Recordings and the events that are known to be in them.

    Attributes:
      folder: of the recordings.
      files: their paths.
      recording_of: function of a name in a table that returns the one of `files` that it means, or None.
      events: DataFrame of `event_tables.SED`, its filename one of `files`.
      named: number of recordings that the table names, with events or without.
    """

    folder: str
    files: list[str]
    recording_of: Callable
    events: pd.DataFrame
    named: int

    @classmethod
    def read(cls, table, folder):
        """Read a table of known events.

        Args:
          table: its path, see `read_events`. Its names are file names, paths in `folder`, or paths whose last parts are
            those of a recording.
          folder: of the recordings. Those that the table does not name have no events.

        Raises:
          InputError: the table can't be read, names a recording that is not there, or one by a name that fits several.
        """
        files = audio_files.find([folder]).files
        recording_of = _finder(files, folder)
        events, names = read_events(table)
        places = {name: recording_of(name) for name in names}
        if lacking := [name for name, file in places.items() if file is None]:
            few = f"{', '.join(lacking[:3])}{', …' * (len(lacking) > 3)}"
            said = f"1 recording of {table} is" if len(lacking) == 1 else f"{len(lacking)} recordings of {table} are"
            raise InputError(f"{said} not in {folder}: {few}; pass other --recordings")
        events = events.assign(filename=events.filename.map(places))
        return cls(folder, files, recording_of, events, len(set(places.values())))


def measure(known, detected, collars, segment_seconds, offsets=False, psds=False):
    """Figures of detected events.

    Args:
      known: a Known.
      detected: path of a table, see `read_events`, or of a folder of `python -m urbansound.detect`.
      collars: seconds, for `event_based`; a float per result.
      segment_seconds: for `segment_based`.
      offsets: whether `event_based` compares offsets, too.
      psds: whether to compute PSDS from the tables of scores in the folder `detected`.

    Returns:
      A dict for JSON: `recordings` (their number), `without_events` (of these not named by the table of known events),
      `left_out` {`events`, `recordings`} of `detected` that are not among them; `unknown_labels` of known events that
      are neither classes of the model, where the folder `detected` tells these, nor labels of detected events;
      `event_based` [{`collar`, `offsets` and what that function returns}], `segment_based` {`segment_seconds` and what
      that function returns}; `psds`: see `report.psds.measure`, None where it is not wanted.

    Raises:
      InputError: a table can't be read; the folder `detected` lacks a recording; PSDS can't be computed.
    """
    estimated, names = _detected(detected, known)
    places = {name: known.recording_of(name) for name in names}
    _check_names(detected, places)
    estimated = estimated.assign(filename=estimated.filename.map(places))
    outside = estimated.filename.isna()
    tables = known.events, estimated[~outside]
    return {
        "recordings": len(known.files),
        "without_events": len(known.files) - known.named,
        "left_out": {"events": int(outside.sum()), "recordings": sum(file is None for file in places.values())},
        "unknown_labels": sorted({*known.events.event_label} - {*estimated.event_label} - _classes(detected)),
        "event_based": [
            {"collar": collar, "offsets": offsets, **event_based(*tables, collar=collar, offsets=offsets)}
            for collar in collars
        ],
        "segment_based": {
            "segment_seconds": segment_seconds,
            **segment_based(*tables, segment_seconds=segment_seconds),
        },
        "psds": psd_scores.measure(known.events, _score_tables(detected, known)) if psds else None,
    }


def _detected(detected, known):
    """(events, names) of a table, see `read_events`, or of all recordings that are done in a folder of detect."""
    if not os.path.isdir(detected):
        return read_events(detected)
    path = Path(detected) / JOURNAL
    if not path.is_file():
        raise InputError(f"{detected}: not a folder of python -m urbansound.detect; pass one, or a table")
    entries = entries_of(path, journal.read(path))
    done = {known.recording_of(name) for name in entries}
    if lacking := [file for file in known.files if file not in done]:  # their events would count as missed
        raise InputError(
            f"{detected}: lacks {lacking[0]}{_more(lacking)}; run python -m urbansound.detect on all of {known.folder}"
        )
    rows = [(name, *event[:3]) for name, entry in entries.items() for event in entry["events"]]
    return pd.DataFrame(rows, columns=SED), list(entries)


def _classes(detected):
    """The set of the classes of the model that a folder of detect is of; empty where it tells none."""
    settings = Path(detected) / SETTINGS
    classes = read_json(settings).get(CLASSES) if settings.is_file() else None
    return {*map(str, classes)} if isinstance(classes, list) else set()


def _check_names(detected, places):
    """Raise InputError where two names in `detected` mean one recording: their events would be mixed."""
    owners = {}
    for name, file in places.items():
        if file is not None and owners.setdefault(file, name) != name:
            raise InputError(
                f"{detected}: {owners[file]} and {name} would both be {file}; detect each folder into its own --out"
            )


def _score_tables(detected, known):
    """{recording: path of its table of scores}."""
    root = Path(detected) / "recordings"
    names = {str(path.relative_to(root)).removesuffix(SUFFIX): path for path in sorted(root.rglob(f"*{SUFFIX}"))}
    found = {known.recording_of(name): path for name, path in names.items()}
    if lacking := [file for file in known.files if file not in found]:
        raise InputError(
            f"{detected}: lacks the scores of {lacking[0]}{_more(lacking)}, which PSDS needs; run python -m "
            "urbansound.detect --format=csv,scores into a new --out"
        )
    return {file: found[file] for file in known.files}


def _finder(files, folder):
    """A function of a name in a table that returns the one of `files` that it means, or None."""
    by_name = collections.defaultdict(list)
    for file in files:
        parts = _parts(os.path.abspath(file))
        inner = len(_parts(os.path.relpath(file, folder)))  # parts of its path in the folder
        by_name[parts[-1]].append((file, parts, inner))

    def find(name):
        parts, fits = _parts(name), collections.defaultdict(list)
        for file, own, inner in by_name.get(parts[-1] if parts else None, ()):
            pairs = zip(reversed(parts), reversed(own), strict=False)
            same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
            if same >= min(len(parts), inner):
                fits[same, same >= inner].append(file)
        best = fits[max(fits)] if fits else [None]
        if len(best) > 1:
            raise InputError(f"{name}: fits {best[0]} and {best[1]}; write their folders into the table")
        return best[0]

    return find


def _parts(path):
    path = PurePath(shown(audio_files.as_text(path)))
    return list(path.parts[1:] if path.is_absolute() else path.parts)


def _more(lacking):
    return f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
