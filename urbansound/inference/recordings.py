"""Many recordings through one model into tables of events, in a folder that an interrupted command goes on with."""

import dataclasses
import functools
import os
import time

import pandas as pd

import urbansound
from urbansound.data.audio_files import as_text
from urbansound.errors import InputError
from urbansound.inference.listeners import ENTRY, EVENTS, PROGRESS, STANDARD_INPUT, Listener, listen, state
from urbansound.inference.output import check_places, is_of_state, open_output, table_path
from urbansound.report import event_tables

SCORES = "scores"  # among the forms


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a command has done.

    Attributes:
      seconds: of sound in all recordings.
      listened: of sound in this command; the rest was done before.
      took: seconds that it took.
      events: number in all recordings.
      combined: numbers of recordings and of events in the tables of all, which earlier commands have written to, too.
      faults: DataFrame of path, fault of recordings that broke off or could not be read.
    """

    seconds: float
    listened: float
    took: float
    events: int
    combined: tuple[int, int]
    faults: pd.DataFrame


def detect_all(plan, paths, out, formats, jobs=1, on_events=None, on_progress=None):
    """Find the events of recordings and write their tables; what is done already in `out` is not done again.

    Args:
      plan: a Plan; its `place` and `scores` are not used.
      paths: of the recordings, str.
      out: the folder.
      formats: names of `event_tables.FORMATS`; SCORES for the scores of every window.
      jobs: processes.
      on_events: called with (path, list of Event) as they are found.
      on_progress: called with (recordings done, counted in parts too, of how many, times real time).

    Returns:
      A Summary.

    Raises:
      InputError: an unknown form; clips are wanted of standard input; what `check_places` and `open_output` refuse.
    """
    if plan.clips and STANDARD_INPUT in paths:
        raise InputError("clips can't be cut out of standard input, which is read once; write it to a file first")
    check_places(out, paths)
    forms, plan = planned(plan, out, formats)
    listener = Listener(plan)
    with open_output(out, forms, about(listener), plan.clips, paths) as output:
        tasks = [task for path in paths if (task := _task(path, output, plan))]
        progress = _Progress(len(paths), len(paths) - len(tasks), on_progress)

        def say(place, kind, value):
            path, known, _ = tasks[place]
            if kind == EVENTS and on_events:
                on_events(path, value)
            elif kind == PROGRESS:
                progress.heard(path, *value)
            elif kind == ENTRY:
                output.keep(path, value, plan.suffixes(value["seconds"]))
                progress.done(path, 0.0 if known else value["seconds"])

        try:
            listen(plan, tasks, min(jobs, max(len(tasks), 1)), listener, say)
        except KeyboardInterrupt:
            done = f"{progress.whole} of {len(paths)} recordings are done; the same command goes on from there"
            raise KeyboardInterrupt(done) from None
        entries = [output.entries[as_text(path)] for path in paths]
        combined = output.combine(entries)
    return _summary(entries, progress, combined)


def planned(plan, out, formats):
    """({name: event_tables.Format}, Plan): the forms of tables, and `plan` with the folder `out`.

    Raises:
      InputError: an unknown form.
    """
    forms = event_tables.formats([name for name in formats if name != SCORES], others=[SCORES])
    clips = plan.clips and os.path.abspath(plan.clips)
    place = functools.partial(table_path, out)
    return forms, dataclasses.replace(plan, place=place, scores=SCORES in formats, clips=clips)


def _task(path, output, plan):
    """(path, known entry or None, cut) of a recording as `Listener.entry` takes them; None where all is done."""
    entry = output.entries.get(as_text(path))
    if entry is None or entry["size"] is None or not is_of_state(entry, state(path)):  # a pipe's sound comes anew
        return path, None, True
    if entry["fault"] and not entry["seconds"]:  # what stood in the way may be gone
        return path, None, True
    cut = entry.get("clips") != plan.clips
    if not all(plan.place(path, suffix).exists() for suffix in plan.suffixes(entry["seconds"])):
        return path, None, cut
    if plan.clips and cut:
        return path, entry, True
    output.mend(path, entry)
    return None


def _summary(entries, progress, combined):
    faults = []
    for entry in entries:
        before = "; what came before that is in the tables" if entry["seconds"] else ""
        for kind, more in (("fault", before), ("clips_fault", "")):
            faults += [(entry["path"], entry[kind] + more)] if entry.get(kind) else []
    return Summary(
        seconds=sum(entry["seconds"] for entry in entries),
        listened=progress.seconds,
        took=progress.took,
        events=sum(len(entry["events"]) for entry in entries),
        combined=combined,
        faults=pd.DataFrame(faults, columns=["path", "fault"]),
    )


def about(listener):
    """What the tables of a Listener say of how they were made, an event_tables.About."""
    plan, described = listener.plan, listener.scorer.described
    audio = described.audio
    provenance = {
        "model": os.path.basename(os.path.abspath(plan.model)),
        "model_sha256": f"sha256:{listener.scorer.sha256}",
        "urbansound": urbansound.__version__,
        "window_seconds": audio.clip_seconds,
        "window_hop_seconds": listener.hop / audio.sample_rate,
        "time_zone": str(plan.zone) if plan.zone else "",
        **dataclasses.asdict(listener.settings),
    }
    return event_tables.About(provenance, audio.f_min, audio.f_max_hz, class_names=described.class_names)


class _Progress:
    """Counts recordings, and seconds of sound, while they are listened to."""

    def __init__(self, count, done, on_progress):
        self._count, self.whole, self._on_progress = count, done, on_progress
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
        self.whole, self._seconds = self.whole + 1, self._seconds + seconds
        self._say()

    def _say(self):
        if self._on_progress:
            done = self.whole + sum(part for _, part in self._parts.values())
            self._on_progress(done, self._count, self.seconds / max(self.took, 1e-9))
