"""Scores of overlapping windows to events: smoothing, two thresholds per class, joining, times.

A window that starts at s and lasts w stands at its middle, s + w / 2, and between two middles the score of a class is
a straight line. An event begins where that line rises to `on` and ends where it falls below `off * on`. Scores rise as
a sound fills more of the window. They are taken to be in proportion to the share that is filled, and to be `on` where
that is a half: then the sound begins at the first crossing, and ends `(1 - off) / 2 * w` before the other one, where it
fills `off / 2` of the window. For such scores both times are exact where the two windows around the crossing are filled
in part, and off by less than a hop elsewhere.
"""

import collections
import dataclasses
import math
import typing
from collections.abc import Mapping

import numpy as np
import pandas as pd

from urbansound.errors import InputError

_ROUNDING = 1e-9  # s, of times that were added up


class Event(typing.NamedTuple):
    """A sound of one class; `start` and `end` in seconds, `peak` and `mean` of its smoothed scores."""

    start: float
    end: float
    label: str
    peak: float
    mean: float


@dataclasses.dataclass(frozen=True)
class EventSettings:
    """How scores become events.

    Attributes:
      smooth_seconds: each score is the mean over the windows whose middles are at most half of this away.
      on: score at which an event begins, above 0; one number, or {label: number} for every class.
      off: below this share of `on` an event ends, above 0 up to 1.
      min_seconds: shorter events are dropped.
      gap_seconds: two events of a class at most this far apart are one.
      known_only: windows whose sound is none of the model's classes (see `trust.known`) have scores of 0.

    Raises:
      InputError: one is out of its limits.
    """

    smooth_seconds: float = 0.0
    on: float | Mapping[str, float] = 0.5
    off: float = 0.5
    min_seconds: float = 0.0
    gap_seconds: float = 0.0
    known_only: bool = False

    def __post_init__(self):
        for name in ("smooth_seconds", "min_seconds", "gap_seconds"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be 0 or more. Received: {getattr(self, name)}")
        if not 0 < self.off <= 1:
            raise InputError(f"off must be above 0 and at most 1. Received: {self.off}")
        for value in self.on.values() if isinstance(self.on, Mapping) else [self.on]:
            if not value > 0:
                raise InputError(f"on must be above 0. Received: {value}")

    def thresholds(self, class_names):
        """`on` per class, float64 [classes].

        Raises:
          InputError: `on` names other classes than these.
        """
        if not isinstance(self.on, Mapping):
            return np.full(len(class_names), self.on, np.float64)
        if differing := sorted(set(class_names) ^ set(self.on)):
            raise InputError(f"thresholds must be of the model's classes; {differing[0]} is only in one of the two")
        return np.array([self.on[name] for name in class_names], np.float64)


def find_events(scores, starts, window_seconds, class_names, settings, seconds=None):
    """The events of one recording.

    Args:
      scores: float [windows, classes].
      starts: float64 [windows], where windows begin, in seconds of the recording, rising.
      window_seconds: length of each.
      class_names: str [classes].
      settings: an EventSettings.
      seconds: length of the recording, as for `EventFinder.finish`.

    Returns:
      DataFrame with start, end (float64 seconds), label, peak, mean (float64), sorted by the first three.

    Raises:
      InputError: as EventFinder.
    """
    finder = EventFinder(window_seconds, class_names, settings)
    return events_table([*finder.add(scores, starts), *finder.finish(seconds)])


def events_table(events):
    """A list of Event as `find_events` returns it."""
    table = pd.DataFrame(events, columns=Event._fields)
    types = dict.fromkeys(Event._fields, np.float64) | {"label": str}
    return table.astype(types).sort_values(["start", "end", "label"], kind="stable", ignore_index=True)


class EventFinder:
    """Finds the events of one recording while its windows come, in memory that does not depend on their number.

    An event is given once it cannot change: `gap_seconds` after its end, or at `finish`. Events of several classes
    come in the order in which that is so. What is found does not depend on how the windows are divided into blocks.

    Args:
      window_seconds: length of each window.
      class_names: str [classes].
      settings: an EventSettings.

    Raises:
      InputError: thresholds are not of these classes.
    """

    def __init__(self, window_seconds, class_names, settings):
        self._class_names, self._settings = list(class_names), settings
        self._window_seconds = window_seconds
        self._on = settings.thresholds(class_names)
        self._off = self._on * settings.off
        self._to_end = (settings.off - 1) / 2 * window_seconds  # from where the score falls below `off * on`
        self._smoother = _Smoother(settings.smooth_seconds / 2)
        self._sounds = [None] * len(self._class_names)  # a _Sound of each class that may still change
        self._busy = np.zeros(len(self._class_names), bool)  # where there is one
        self._ends = None  # float64 [classes], where each class's last event that was given ends
        self._first = self._last = None  # starts of the first and the newest window
        self._before = None  # (middle, smoothed scores) of the window before the one that is looked at

    def add(self, scores, starts):
        """The next windows: float [windows, classes], and where they begin; the events now known for good.

        Raises:
          InputError: a score is not finite.
          ValueError: shapes do not fit, or windows do not begin one after the other.
        """
        scores, starts = np.asarray(scores, np.float64), np.asarray(starts, np.float64)
        if not len(starts):
            return []
        if scores.shape != (len(starts), len(self._class_names)):
            raise ValueError(f"scores must be [{len(starts)}, {len(self._class_names)}]. Received: {scores.shape}")
        if not np.isfinite(scores).all():
            raise InputError("the model gave scores that are no numbers; look at its training")
        events = []
        for start, row in zip(starts.tolist(), scores, strict=True):
            if self._first is None:
                self._first, self._ends = start, np.full(len(self._class_names), start)
            elif start <= self._last:
                raise ValueError(f"windows must begin one after the other. Received: {start} after {self._last}")
            self._last = start
            for middle, smoothed in self._smoother.add(start + self._window_seconds / 2, row):
                events += self._step(middle, smoothed)
        return events

    def finish(self, seconds=None):
        """The events that were still open; after the last window.

        Args:
          seconds: length of the recording, at which events end that go on until then; None: where the last window
            ends. The middle of no window but the first lies beyond it.
        """
        events = [event for middle, row in self._smoother.rest() for event in self._step(middle, row)]
        for place in np.flatnonzero(self._busy):
            sound = self._sounds[place]
            end = self._last + self._window_seconds if sound.end is None else sound.end
            sound.end = end if seconds is None else min(end, seconds)
            # The score may have risen right before the end of the recording.
            sound.start = min(sound.start, max(self._ends[place], sound.end - sound.hop))
            events += self._given(place)
        return events

    def _step(self, middle, row):
        """Look at the next smoothed scores, float64 [classes]; the events that are over by now."""
        events = []
        for place in np.flatnonzero(self._busy | (row >= self._on)):
            sound, score = self._sounds[place], row[place]
            if sound is not None and sound.end is None:
                if score >= self._off[place]:
                    sound.extend(score)
                else:
                    end = self._crossing(middle, row, place, self._off) + self._to_end
                    sound.end = max(end, sound.start + sound.hop)
            elif score >= self._on[place]:
                events += self._begin(middle, row, place)
            elif middle - sound.end > self._settings.gap_seconds:
                events += self._given(place)
        self._before = middle, row
        return events

    def _begin(self, middle, row, place):
        """A class's score has risen to its threshold: go on with its event, or give that and begin another."""
        start, hop = self._first, self._window_seconds
        if self._before is not None:
            start = max(start, self._crossing(middle, row, place, self._on))
            hop = middle - self._before[0]
        sound, events = self._sounds[place], []
        if sound is not None and start - sound.end <= self._settings.gap_seconds:
            sound.end = None
        else:
            events = self._given(place) if sound is not None else []
            self._sounds[place], self._busy[place] = _Sound(start, min(hop, self._window_seconds)), True
        self._sounds[place].extend(row[place])
        return events

    def _given(self, place):
        """The event of a class as a list, empty where it is too short; the class has none any more."""
        sound = self._sounds[place]
        self._sounds[place], self._busy[place] = None, False
        self._ends[place] = sound.end
        if sound.end - sound.start < self._settings.min_seconds - _ROUNDING:
            return []
        times = float(sound.start), float(sound.end)
        return [Event(*times, self._class_names[place], float(sound.peak), float(sound.total / sound.windows))]

    def _crossing(self, middle, row, place, thresholds):
        """When the line from the scores of the window before to those of this one crosses a class's threshold."""
        then, scores = self._before
        share = (thresholds[place] - scores[place]) / (row[place] - scores[place])
        return then + share * (middle - then)


@dataclasses.dataclass
class _Sound:
    """A sound of one class: `end` is None while it goes on; `hop` is the shortest it may be."""

    start: float
    hop: float
    end: float | None = None
    peak: float = -math.inf
    total: float = 0.0
    windows: int = 0

    def extend(self, score):
        self.peak = max(self.peak, score)
        self.total += score
        self.windows += 1


class _Smoother:
    """Means of scores over the windows whose middles are at most `half` seconds from a window's own."""

    def __init__(self, half):
        self._half = half
        self._rows = collections.deque()  # (middle, scores) of the windows that are still needed
        self._next = 0  # place in it of the window whose mean comes next

    def add(self, middle, scores):
        """One more window; yields (middle, float64 [classes]) of each window that has all its neighbours now."""
        self._rows.append((middle, scores))
        yield from self._means(middle + _ROUNDING)

    def rest(self):
        """The means of the last windows, which have no neighbours after them."""
        yield from self._means(math.inf)

    def _means(self, known_until):
        while self._next < len(self._rows) and self._rows[self._next][0] + self._half <= known_until:
            middle = self._rows[self._next][0]
            while self._rows[0][0] < middle - self._half - _ROUNDING:
                self._rows.popleft()
                self._next -= 1
            within = [scores for other, scores in self._rows if other <= middle + self._half + _ROUNDING]
            self._next += 1
            yield middle, np.mean(within, axis=0)
