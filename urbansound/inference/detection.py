"""The events of one recording of any length, by a model that scores windows."""

import dataclasses

import numpy as np
import pandas as pd

from urbansound.audio.stream import open_stream
from urbansound.errors import InputError
from urbansound.inference.classifier import WINDOWS_AT_ONCE, hop_samples
from urbansound.inference.events import EventFinder, EventSettings, events_table
from urbansound.inference.windows import windows
from urbansound.report.trust import of_classes

CLASSES = "classes"  # for a threshold: each class has its own
THRESHOLD = 0.5


@dataclasses.dataclass(frozen=True)
class Detection:
    """What was found in a recording.

    Attributes:
      events: what `find_events` returns.
      seconds: of sound that was read.
      fault: why the recording broke off or could not be read, a line; None where it is whole.
    """

    events: pd.DataFrame
    seconds: float
    fault: str | None


def hop_of(scorer, hop_seconds):
    """Samples from one window's start to the next's, see `hop_samples`; by default a quarter of a window."""
    audio = scorer.described.audio
    return hop_samples(audio, audio.clip_seconds / 4 if hop_seconds is None else hop_seconds)


def event_settings(described, threshold=None, **others):
    """The EventSettings that a threshold means for a model.

    Args:
      described: the model's Description.
      threshold: score at which events begin; CLASSES: that of each class in the model's thresholds; None: THRESHOLD.
        With a number, windows that are none of the classes by the model's thresholds count too.
      others: further attributes of EventSettings.

    Raises:
      InputError: CLASSES of a model without thresholds; as EventSettings.
    """
    thresholds = described.thresholds
    if threshold == CLASSES and thresholds is None:
        raise InputError("the model has no thresholds (no clip validated it); pass --threshold=NUMBER, or none")
    known_only = thresholds is not None and threshold in (None, CLASSES)
    on = THRESHOLD if threshold is None else thresholds["classes"] if threshold == CLASSES else threshold
    return EventSettings(on=on, known_only=known_only, **others)


def detect(scorer, source, hop, settings=None, *others, **named):
    """The events of a recording, in memory that does not grow with its length.

    Args:
      source: what `open_stream` takes.
      scorer, hop, settings, others, named: as `detect_stream` takes them.

    Returns:
      A Detection.
    """
    try:
        stream = open_stream(source, scorer.described.audio.sample_rate)
    except InputError as error:
        return Detection(events_table([]), 0.0, str(error))
    with stream:
        return detect_stream(scorer, stream, hop, settings, *others, **named)


def detect_stream(scorer, stream, hop, settings=None, on_events=None, on_progress=None, on_sound=None, outputs=()):
    """The events of an open recording.

    Args:
      scorer: a Scorer.
      stream: a Stream of the scorer's sample rate.
      hop: samples from one window's start to the next's.
      settings: an EventSettings; default: its defaults.
      on_events: called with a list of Event as soon as they are known for good, in the order in which that is so.
      on_progress: called with (seconds read, seconds that the file promises or None).
      on_sound: called with (block float32 [samples], number of samples before it) for the whole waveform.
      outputs: get the scores of every window, each by its methods `add` and `finish` as those of ScoreTable.

    Returns:
      A Detection.
    """
    audio, settings = scorer.described.audio, settings or EventSettings()
    finder = EventFinder(audio.clip_seconds, scorer.described.class_names, settings)
    found, samples = [], 0

    def keep(events):
        found.extend(events)
        if events and on_events:
            on_events(events)

    def blocks():
        nonlocal samples
        for block in stream.blocks():
            if on_sound:
                on_sound(block, samples)
            samples += len(block)
            yield block
            if on_progress:
                on_progress(samples / audio.sample_rate, stream.seconds)

    cut = windows(blocks(), audio.clip_samples, hop, scorer.described.short_clips, WINDOWS_AT_ONCE)
    for starts, batch in cut:
        scores, times = scorer.score(batch), starts.astype(np.float64) / audio.sample_rate
        keep(finder.add(_without_others(scores, scorer.described) if settings.known_only else scores, times))
        for output in outputs:
            output.add(scores, times)
    seconds = samples / audio.sample_rate
    keep(finder.finish(seconds))
    for output in outputs:
        output.finish(seconds)
    return Detection(events_table(found), seconds, stream.fault)


def _without_others(scores, described):
    """Scores [windows, classes], 0 where a window is none of the classes by the model's thresholds."""
    return scores * of_classes(scores, described.thresholds)[:, np.newaxis]
