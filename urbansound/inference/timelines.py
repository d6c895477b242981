"""Pictures of a recording beside its tables, drawn from its sound and its scores as they come."""

import contextlib
import dataclasses
import datetime
import functools
import tempfile

import numpy as np
import tensorflow as tf

from urbansound.audio.logmel import log_mel
from urbansound.audio.mel_filterbank import band_centres
from urbansound.report.event_tables import later
from urbansound.report.score_table import onsets
from urbansound.report.style import save
from urbansound.report.timeline import NONE_OF_THESE, SECONDS, Hours, number_of_pictures, timeline
from urbansound.report.trust import of_classes


def picture_suffixes(seconds):
    """What the names of a recording's pictures have after its own name: one picture, or one of every hour."""
    number = number_of_pictures(seconds)
    return [".timeline.png"] * number if number <= 1 else [f".timeline.{hour:03d}h.png" for hour in range(number)]


@contextlib.contextmanager
def open_timeline(scorer, settings, folder):
    """Yield a Timeline.

    Args:
      scorer: a Scorer.
      settings: the EventSettings that events are found by.
      folder: where files without a name hold what does not fit into memory.
    """
    with tempfile.TemporaryFile(dir=folder) as mels, tempfile.TemporaryFile(dir=folder) as scores:
        yield Timeline(scorer, settings, mels, scores)


@functools.lru_cache(maxsize=1)
def _compiled(audio):
    """`log_mel` as a graph: of operations outside of one, TensorFlow keeps kilobytes for each call."""
    samples = tf.TensorSpec([None], tf.float32)
    graph = tf.function(lambda sound: log_mel(sound, audio), input_signature=[samples], autograph=False)
    return lambda sound: graph(sound).numpy()


class Timeline:
    """Takes the sound and the scores of one recording as they come, and draws them at the end; see `open_timeline`.

    The log-mel is in decibel, whatever the model takes, and blocks are not levelled one by one. Scores stand where the
    table of scores has them; windows that are none of the classes are marked where they count as 0 for events.
    """

    def __init__(self, scorer, settings, mels, scores):
        audio = scorer.described.audio
        self._described, self._settings = scorer.described, settings
        self._audio = dataclasses.replace(
            audio, mean_level=None, log="db", log_floor=1e-10, top_db=None, padding="zeros"
        )
        self._log_mel = _compiled(self._audio)
        step_seconds = audio.hop_length / audio.sample_rate  # of the scores too: rows begin at any time
        self._mels, self._scores = Hours(step_seconds, mels), Hours(step_seconds, scores)
        self._newest = None  # where the newest window begins
        self._seconds = 0.0

    def add_sound(self, block, before):
        """The next samples, float32 [samples], and how many came before them."""
        frames = -(-len(block) // self._audio.hop_length)  # a last one would be the next block's first
        times = (before + self._audio.hop_length * np.arange(frames)) / self._audio.sample_rate
        self._mels.add(self._log_mel(block)[:frames], times)

    def add(self, scores, starts):
        """The next windows: float32 [windows, classes], and where they begin, float64 [windows], in seconds."""
        scores, starts = np.asarray(scores), np.asarray(starts, np.float64)
        times = onsets(starts, self._newest, self._audio.clip_seconds)
        if self._settings.known_only:
            scores = np.where(of_classes(scores, self._described.thresholds)[:, np.newaxis], scores, NONE_OF_THESE)
        self._scores.add(scores, times)
        self._newest = starts[-1]

    def finish(self, seconds):
        """The recording is so long."""
        self._seconds = seconds

    def draw(self, events, name, begin, paths):
        """Write the pictures.

        Args:
          events: DataFrame with start, end, label.
          name: of the recording, str.
          begin: datetime when it begins, or None.
          paths: of the pictures, as many as `picture_suffixes` has names.
        """
        if not paths:
            return
        hours = zip(self._mels.pictures(self._seconds), self._scores.pictures(self._seconds), paths, strict=True)
        for hour, (mels, scores, path) in enumerate(hours):
            span = hour * SECONDS, min((hour + 1) * SECONDS, self._seconds)
            title = f"{_clock(begin, span[0])}{name}"
            names, smooth = list(self._described.class_names), self._settings.smooth_seconds
            figure = timeline(mels, band_centres(self._audio), scores, events, names, span, title, smooth)
            save(figure, path)
            figure.clear()  # its parts refer to one another, so they would be freed late


def _clock(begin: datetime.datetime | None, seconds):
    return "" if begin is None else f"{later(begin, seconds).isoformat(' ', 'seconds')}  "
