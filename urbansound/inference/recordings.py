"""Many recordings through one model into tables of events, in a folder that an interrupted command goes on with.

settings.json     the model's name and hash, and every setting: the same for all that the folder holds
journal.jsonl     an entry per recording that is done, see `Listener.entry`
events.*          the tables of all recordings, in the order of the command line; one file per form
recordings/       the tables of each recording, at its path as it was given
"""

import dataclasses
import datetime
import functools
import os
import time
from pathlib import Path, PurePath

import pandas as pd

import urbansound
from urbansound.data.audio_files import as_text
from urbansound.errors import InputError
from urbansound.files import PARTS, lock, read_json, remove_parts, write_json
from urbansound.inference.listeners import ENTRY, EVENTS, PROGRESS, Listener, listen, state
from urbansound.journal import Journal
from urbansound.report import event_tables, score_table
from urbansound.report.event_tables import COLUMNS

COMBINED = "events"  # the name of the tables of all recordings
EVENT_COLUMNS = ["start", "end", "label", "peak", "mean"]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a command has done.

    Attributes:
      seconds: of sound in all recordings.
      listened: of sound in this command; the rest was done before.
      took: seconds that it took.
      events: number in all recordings.
      faults: DataFrame of path, fault of recordings that broke off or could not be read.
    """

    seconds: float
    listened: float
    took: float
    events: int
    faults: pd.DataFrame


def detect_all(plan, paths, out, formats, jobs=1, on_events=None, on_progress=None):
    """Find the events of recordings and write their tables; what is done already in `out` is not done again.

    Args:
      plan: a Plan; its `score_path` is not used.
      paths: of the recordings, str.
      out: the folder.
      formats: names of `event_tables.FORMATS`; "scores" for the scores of every window.
      jobs: processes.
      on_events: called with (path, list of Event) as they are found.
      on_progress: called with (recordings done, counted in parts too, of how many, times real time).

    Returns:
      A Summary.

    Raises:
      InputError: an unknown form; `out` was made by other settings, or another process is at work on it.
    """
    out = Path(out)
    forms = event_tables.formats([name for name in formats if name != "scores"])
    if "scores" in formats:
        plan = dataclasses.replace(plan, score_path=functools.partial(_table_path, out, suffix=score_table.SUFFIX))
    listener = Listener(plan)
    about = _about(plan, listener)
    out.mkdir(parents=True, exist_ok=True)
    with lock(out) as held:
        if held:
            remove_parts(out, f"recordings/**/{PARTS}")
        _begin(out, about)
        journal = Journal(out / "journal.jsonl")
        done = {entry["path"]: entry for entry in journal.entries}
        waiting = [path for path in paths if not _is_done(path, done)]
        progress = _Progress(len(paths), len(paths) - len(waiting), on_progress)

        def say(place, kind, value):
            path = waiting[place]
            if kind == EVENTS and on_events:
                on_events(path, value)
            elif kind == PROGRESS:
                progress.heard(path, *value)
            elif kind == ENTRY:
                _write_own(out, path, value, forms, about)
                journal.add(value)
                done[value["path"]] = value
                progress.done(path, value["seconds"])

        listen(plan, waiting, min(jobs, max(len(waiting), 1)), listener, say)
        entries = [done[as_text(path)] for path in paths]
        _write_combined(out, entries, forms, about)
    return _summary(entries, progress)


def _summary(entries, progress):
    faults = [(entry["path"], entry["fault"]) for entry in entries if entry["fault"]]
    return Summary(
        seconds=sum(entry["seconds"] for entry in entries),
        listened=progress.seconds,
        took=progress.took,
        events=sum(len(entry["events"]) for entry in entries),
        faults=pd.DataFrame(faults, columns=["path", "fault"]),
    )


def _about(plan, listener):
    described = listener.scorer.described
    audio = described.audio
    provenance = {
        "model": os.path.basename(os.path.abspath(plan.model)),
        "model_sha256": f"sha256:{listener.scorer.sha256}",
        "urbansound": urbansound.__version__,
        "window_seconds": audio.clip_seconds,
        "window_hop_seconds": listener.hop / audio.sample_rate,
        "time_zone": str(plan.zone) if plan.zone else "",
        **dataclasses.asdict(plan.settings),
    }
    return event_tables.About(provenance, audio.f_min, audio.f_max_hz)


def _begin(out, about):
    """Keep the settings in a new folder; refuse others in one that is there."""
    path = out / event_tables.SETTINGS
    if path.exists():
        kept = read_json(path)
        names = [name for name in about.provenance if kept.get(name) != about.provenance[name]]
        names = ["threshold" if name == "on" else name for name in names]  # as the flag is called
        if names:
            raise InputError(f"{out}: was made with other settings ({', '.join(names)}); pass another --out")
    elif any(name.name != ".lock" for name in out.iterdir()):
        raise InputError(f"{out}: holds other files; pass another --out")
    else:
        write_json(path, about.provenance)


def _is_done(path, done):
    entry = done.get(as_text(path))
    if entry is None or entry["size"] is None:  # what came from a pipe comes anew
        return False
    return {name: entry[name] for name in ("size", "modified")} == state(path)


def _events(entry):
    """The table of COLUMNS of an entry."""
    begin = datetime.datetime.fromisoformat(entry["begin"]) if entry["begin"] else None
    events = pd.DataFrame(entry["events"], columns=EVENT_COLUMNS)
    return event_tables.recording_table(events, entry["path"], begin, entry["latitude"], entry["longitude"])


def _write_own(out, path, entry, forms, about):
    for form in forms.values():
        form.write(_events(entry), _table_path(out, path, form.suffix), about)


def _write_combined(out, entries, forms, about):
    tables = [_events(entry) for entry in entries]
    events = pd.concat(tables, ignore_index=True)[COLUMNS]
    durations = {entry["path"]: entry["seconds"] for entry in entries}
    for form in forms.values():
        table = event_tables.in_sequence(events, durations) if form.one_axis else events
        form.write(table, out / f"{COMBINED}{form.suffix}", about)


def _table_path(out, path, suffix):
    """Where a table of one recording lies: recordings/, then the path as it was given."""
    parts = [{"..": "_up"}.get(part, part) for part in PurePath(path).parts if part != PurePath(path).anchor]
    return out.joinpath("recordings", *parts[:-1], parts[-1] + suffix)


class _Progress:
    """Counts recordings, and seconds of sound, while they are listened to."""

    def __init__(self, count, done, on_progress):
        self._count, self._whole, self._on_progress = count, done, on_progress
        self._started, self._parts = time.monotonic(), {}
        self._seconds = 0.0

    @property
    def seconds(self):
        """Of sound that was read."""
        return self._seconds + sum(seconds for seconds, _ in self._parts.values())

    @property
    def took(self):
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    def heard(self, path, seconds, promised):
        """More of a recording has been read."""
        self._parts[path] = seconds, min(seconds / promised, 1.0) if promised else 0.0
        self._say()

    def done(self, path, seconds):
        """A recording is done."""
        self._parts.pop(path, None)
        self._whole, self._seconds = self._whole + 1, self._seconds + seconds
        self._say()

    def _say(self):
        if self._on_progress:
            done = self._whole + sum(part for _, part in self._parts.values())
            self._on_progress(done, self._count, self.seconds / max(self.took, 1e-9))
