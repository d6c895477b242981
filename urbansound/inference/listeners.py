"""A recording at a time, in this process or in several: what each holds, as entries for a journal."""

import contextlib
import dataclasses
import datetime
import os
import queue
import traceback
from collections.abc import Callable

from urbansound import cores
from urbansound.audio.recorder import Origin, origin
from urbansound.data.audio_files import as_text
from urbansound.errors import InputError, system_fault
from urbansound.inference import children
from urbansound.inference.clips import cut_clips
from urbansound.inference.detection import detect, hop_of
from urbansound.inference.scorer import open_model
from urbansound.inference.timelines import open_timeline, picture_suffixes
from urbansound.report.event_tables import later
from urbansound.report.score_table import SUFFIX, score_table

STANDARD_INPUT = "-"
# What a message is about.
EVENTS, PROGRESS, ENTRY, FAULT, BUG = "events", "progress", "entry", "fault", "bug"


@dataclasses.dataclass(frozen=True)
class Plan:
    """How recordings are listened to: the same for all, and enough for a process to begin with.

    Attributes:
      model: path of what `open_model` opens.
      window_seconds: of a window; None: the model's own.
      hop_seconds: from one window's start to the next's; None: a quarter of a window.
      settings: function of a model's Description that returns an EventSettings.
      zone: datetime.tzinfo of recordings that tell none, or None.
      place: function of a recording's path and a suffix that returns where a file of its results lies.
      scores: whether the scores of all windows are written.
      timeline: whether pictures are drawn.
      clips: absolute path of the folder of the clips that are cut out, or None.
    """

    model: str
    window_seconds: float | None
    hop_seconds: float | None
    settings: Callable
    zone: datetime.tzinfo | None = None
    place: Callable | None = None
    scores: bool = False
    timeline: bool = False
    clips: str | None = None

    def suffixes(self, seconds):
        """Of the files that listening to a recording of so many seconds writes: its scores, its pictures."""
        return [SUFFIX] * self.scores + picture_suffixes(seconds) * self.timeline


class Listener:
    """A model that is loaded once, for one recording after another.

    Args:
      plan: a Plan.

    Raises:
      InputError: as `open_model`, `hop_of` and `plan.settings`.
    """

    def __init__(self, plan):
        self.plan, self.scorer = plan, open_model(plan.model, plan.window_seconds)
        self.hop = hop_of(self.scorer, plan.hop_seconds)
        self.settings = plan.settings(self.scorer.described)

    def entry(self, path, say, known=None, cut=True):
        """What a journal keeps of a recording, whose scores, pictures and clips are written as the plan says.

        Args:
          path: of the recording, str, or STANDARD_INPUT.
          say: called with (EVENTS, list of Event) and (PROGRESS, (seconds, promised seconds or None)).
          known: its entry, where only the clips are missing.
          cut: whether its clips are to be cut; False where they were, and may have been moved since.

        Returns:
          What `entry_of` returns, with its clips where they are there, and clips_fault: why some are not, or None.
        """
        entry, clips = known or self._listened(path, say), self.plan.clips
        fault = cut_clips(clips, path, entry["events"]) if clips and cut else None
        return {**entry, "clips": None if fault else clips, "clips_fault": fault}

    def _listened(self, path, say):
        before = state(path)
        about = origin(path, self.plan.zone) if os.path.isfile(path) else Origin()
        heard = {
            "on_events": lambda events: say(EVENTS, events),
            "on_progress": lambda *seconds: say(PROGRESS, seconds),
        }
        with self.outputs(path) as (outputs, draw):
            found = detect(self.scorer, path, self.hop, self.settings, **heard, **outputs)
            draw(found, about.start)
        # Here the zone is known, of which the beginning has the offset at that time only.
        clocks = about.start and [later(about.start, start) for start in found.events.start]
        absolute = None if path == STANDARD_INPUT else as_text(os.path.abspath(path))
        return entry_of(as_text(path), found, about, clocks, absolute=absolute, **before)

    @contextlib.contextmanager
    def outputs(self, path):
        """Write the scores and the pictures of a recording as the plan says.

        Yields:
          ({argument of `detect`: value}, function of (Detection, begin) that draws the pictures); `begin` is the
          datetime when the recording begins, or None.
        """
        plan, described, tables = self.plan, self.scorer.described, []
        with contextlib.ExitStack() as files:
            if plan.scores:
                place, names = plan.place(path, SUFFIX), described.class_names
                tables.append(files.enter_context(score_table(place, names, described.audio.clip_seconds)))
            if not plan.timeline:
                yield {"outputs": tables}, lambda found, begin: None
                return
            folder = plan.place(path, "").parent
            folder.mkdir(parents=True, exist_ok=True)
            timeline = files.enter_context(open_timeline(self.scorer, self.settings, folder))

            def draw(found, begin):
                pictures = [plan.place(path, suffix) for suffix in picture_suffixes(found.seconds)]
                timeline.draw(found.events, as_text(path), begin, pictures)

            yield {"outputs": [*tables, timeline], "on_sound": timeline.add_sound}, draw


def entry_of(name, found, about, clocks, **file):
    """A recording as a journal keeps it.

    Args:
      name: its path as text, or what its tables call it.
      found: the Detection.
      about: its Origin.
      clocks: a datetime for when each event begins, or None.
      file: of a file: absolute (its path), size, modified (ns; see `state`).

    Returns:
      A dict: path, absolute, size, modified, begin (ISO 8601 or None), latitude, longitude, seconds, fault (or None),
      events (an Event's values each), clocks (ISO 8601, or None), clips (the folder with its clips: None).
    """
    return {
        "path": name,
        **{"absolute": None, "size": None, "modified": None, **file},
        "begin": about.start.isoformat() if about.start else None,
        "latitude": about.latitude,
        "longitude": about.longitude,
        "seconds": found.seconds,
        "fault": found.fault,
        "events": found.events.to_numpy(object).tolist(),
        "clocks": None if clocks is None else [clock.isoformat() for clock in clocks],
        "clips": None,
    }


def state(path):
    """What changes when a recording does: {"size": bytes, "modified": ns}; None of each where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return {"size": None, "modified": None}
    return {"size": status.st_size, "modified": status.st_mtime_ns}


def listen(plan, tasks, jobs, listener, say):
    """Go through recordings, one after another or several at a time.

    Args:
      plan: a Plan.
      tasks: (path, known, cut) of each recording, see `Listener.entry`.
      jobs: processes; 1: this one.
      listener: a Listener of the plan, for this process.
      say: called in this process with (place in tasks, kind, value): EVENTS and PROGRESS as `Listener.entry` says them,
        and ENTRY with its result.

    Raises:
      InputError: a process was ended from outside, or the system refused it something.
      RuntimeError: a process had a bug.
    """
    if jobs == 1:
        for place, (path, *what_is_known) in enumerate(tasks):
            say(place, ENTRY, listener.entry(path, lambda *what, place=place: say(place, *what), *what_is_known))
        return
    waiting, told = children.CONTEXT.Queue(), children.CONTEXT.Queue()
    for task in [*enumerate(tasks), *[None] * jobs]:
        waiting.put(task)
    processes = children.started(jobs, _work, plan, cores.share(jobs), queues=(waiting, told))
    try:
        left = len(tasks)
        while left:
            place, kind, value = _next(told, processes)
            if kind == BUG:
                raise RuntimeError(value)
            if kind == FAULT:
                raise InputError(value)
            say(place, kind, value)
            left -= kind == ENTRY
    finally:
        for process in processes:
            process.kill()


def _next(told, processes):
    """The next message; InputError where a process that would send it is gone."""
    while True:
        ended = [process.exitcode for process in processes if process.exitcode]
        try:
            return told.get(timeout=1)
        except queue.Empty:
            if ended:
                fault = f"a process was ended from outside (exit code {ended[0]}); the same command goes on from there"
                raise InputError(fault) from None


def _work(plan, environment, waiting, told):
    """What a process of its own does: recordings until there are no more."""
    os.environ.update(environment)
    place = None
    try:
        listener = Listener(plan)
        for place, (path, *what_is_known) in iter(waiting.get, None):
            entry = listener.entry(path, lambda *what, place=place: told.put((place, *what)), *what_is_known)
            told.put((place, ENTRY, entry))
    except Exception as error:
        fault = str(error) if isinstance(error, InputError) else system_fault(error)
        told.put((place, BUG, traceback.format_exc()) if fault is None else (place, FAULT, fault))
