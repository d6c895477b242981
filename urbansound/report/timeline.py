"""The picture of a recording: log-mel above, the classes' scores over time below, events marked.

Longer recordings than SECONDS have several pictures.
"""

import math

import matplotlib
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MultipleLocator

from urbansound.report import fonts
from urbansound.report.plots import draw_log_mel
from urbansound.report.style import RED, axis_labels, new_figure, styled
from urbansound.text import shorten, shown

SECONDS = 3600  # of a picture
WIDTH = 12  # inches
TITLE_WIDTH = 88  # characters
TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # from one tick to the next
MOST_TICKS = 12
NONE_OF_THESE = -1.0  # in place of the scores of a sound that is none of the classes
LIGHT_GREY = "#d0d0d0"
_ROUNDING = 1e-6  # of a column


class Columns:
    """Rows that come in the order of time, reduced to the columns of a picture: the maximum of each class or band.

    A maximum keeps short sounds visible. However long the recording is, there are `most` columns at most.

    Args:
      step_seconds: from one row to the next; no column is shorter.
      most: columns at most, even; not more than the picture has pixels, which drop columns.
    """

    def __init__(self, step_seconds, most=1200):
        self._step_seconds, self._most = step_seconds, most
        self._values = None  # float32 [most, bands]; NaN where no row has come

    def add(self, rows, times):
        """Rows float [rows, bands], and when each begins, float64 [rows], in seconds of the picture, rising."""
        rows, times = np.asarray(rows, np.float32), np.asarray(times, np.float64)
        if not len(rows):
            return
        if self._values is None:
            self._values = np.full((self._most, rows.shape[1]), np.nan, np.float32)
        self._make_room(self._places(times[-1]) + 1)
        places, first = np.unique(self._places(times), return_index=True)
        self._values[places] = np.fmax(self._values[places], np.maximum.reduceat(rows, first))

    def picture(self, seconds):
        """float32 [columns, bands], evenly over `seconds`; a column without rows is as the last one before it."""
        self._make_room(math.ceil(seconds / self._step_seconds - _ROUNDING))
        count = max(1, math.ceil(seconds / self._step_seconds - _ROUNDING))
        known = np.flatnonzero(~np.isnan(self._values[:count, 0]))
        return self._values[known[np.maximum(np.searchsorted(known, np.arange(count), side="right") - 1, 0)]]

    def _places(self, times):
        return np.floor(times / self._step_seconds + _ROUNDING).astype(np.int64)

    def _make_room(self, columns):
        """Join columns in pairs until so many of the present step fit."""
        while columns > self._most:
            pairs = self._values.reshape(self._most // 2, 2, -1)
            joined = np.fmax(pairs[:, 0], pairs[:, 1])
            self._values = np.concatenate([joined, np.full_like(joined, np.nan)])
            self._step_seconds *= 2
            columns = -(-columns // 2)


class Hours:
    """Rows as those of `Columns` of a recording of any length: only one hour, a picture's, is in memory.

    Each row lasts until the next one, also from one hour to another.

    Args:
      step_seconds: as for `Columns`.
      file: binary, empty, for writing and reading, which holds the hours that are over.
    """

    def __init__(self, step_seconds, file):
        self._step_seconds, self._file = step_seconds, file
        self._hour, self._columns, self._last = 0, None, None

    def add(self, rows, times):
        """Rows float [rows, bands], and when each begins, float64 [rows], in seconds of the recording, rising."""
        hours = np.floor(times / SECONDS).astype(np.int64)
        for hour in np.unique(hours).tolist():
            self._go_on_to(hour)
            inside = hours == hour
            self._add(rows[inside], times[inside] - hour * SECONDS)

    def pictures(self, seconds):
        """Yield what `Columns.picture` returns for each hour of a recording of so many seconds, above 0; once."""
        last = number_of_pictures(seconds) - 1
        self._go_on_to(last)
        self._file.seek(0)
        for _ in range(last):
            yield np.load(self._file, allow_pickle=False)
        yield self._picture(seconds - last * SECONDS)

    def _add(self, rows, times):
        if self._columns is None:
            self._columns = Columns(self._step_seconds)
            if self._last is not None and times[0] > 0:
                self._columns.add(self._last, np.zeros(1))
        self._columns.add(rows, times)
        self._last = rows[-1:]

    def _go_on_to(self, hour):
        while self._hour < hour:
            np.save(self._file, self._picture(SECONDS), allow_pickle=False)
            self._hour, self._columns = self._hour + 1, None

    def _picture(self, seconds):
        if self._columns is None:  # the hour has no row
            self._add(self._last, np.zeros(1))
        return self._columns.picture(seconds)


def number_of_pictures(seconds):
    """How many pictures a recording of so many seconds has; none where it has no sound."""
    return math.ceil(seconds / SECONDS)


@styled
def timeline(log_mel, mel_hz, scores, events, class_names, span, title, smooth_seconds=0.0):
    """A recording, or an hour of one.

    Args:
      log_mel: float [columns, n_mels], evenly over the span.
      mel_hz: float [n_mels], centre of each band in Hz, rising.
      scores: float [columns, classes] from 0 to 1, or NONE_OF_THESE, evenly over the span, not as many columns as
        log_mel's.
      events: DataFrame with start, end, label; parts outside the span are not drawn.
      class_names: str [classes].
      span: (first, last) second of the picture.
      title: the recording's name, and what else belongs above the picture.
      smooth_seconds: events were found in means of the scores over so long.

    Returns:
      The Figure. An event is a frame in its class's row, and seen at any length.
    """
    begin, end = span
    row_inches = 0.24 if len(class_names) <= 20 else 0.13
    heights = [2.4, max(row_inches * len(class_names), 0.7)]
    figure = new_figure(WIDTH, sum(heights) + 1.1)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    step = (end - begin) / len(log_mel)
    draw_log_mel(above, log_mel, begin + step * (np.arange(len(log_mel)) + 0.5), np.asarray(mel_hz))
    above.set(xlabel=None, ylabel="Hz")
    above.tick_params(labelbottom=False)
    inside = events[(events.start < end) & (events.end > begin)]
    number = {0: "no events", 1: "1 event"}.get(len(inside), f"{len(inside)} events")
    above.set_title(f"{_drawable(shorten(shown(title), TITLE_WIDTH))}: {number}")
    _draw_scores(below, np.asarray(scores), class_names, span, font=9 if row_inches > 0.2 else 6.5)
    below.set_title(_legend(scores, smooth_seconds), fontsize=9, fontweight="normal")
    for event in inside.itertuples():
        left, right = max(event.start, begin), min(event.end, end)
        place = class_names.index(event.label) - 0.5
        below.add_patch(Rectangle((left, place), right - left, 1, fill=False, edgecolor=RED, linewidth=1.4, zorder=3))
    _time_axis(below, begin, end)
    return figure


def _draw_scores(axes, scores, class_names, span, font):
    places = range(len(class_names))
    extent = (*span, len(class_names) - 0.5, -0.5)
    colours = matplotlib.colormaps["Blues"].with_extremes(under=LIGHT_GREY)
    axes.imshow(scores.T, aspect="auto", extent=extent, cmap=colours, vmin=0, vmax=1, interpolation="none")
    axes.set_yticks(places, axis_labels(class_names), fontsize=font)
    axes.set_yticks([place - 0.5 for place in places][1:], minor=True)
    axes.grid(axis="y", which="minor")
    axes.tick_params(axis="y", which="both", length=0)


def _legend(scores, smooth_seconds):
    """What the colours and the frames of the scores' panel mean."""
    grey = "; grey: none of the classes, which counts as 0" if np.min(scores) < 0 else ""
    means = f", found in means of the scores over {smooth_seconds:g} s" if smooth_seconds else ""
    return f"Scores (white 0, dark blue 1{grey}); frames: events{means}"


def _time_axis(axes, begin, end):
    axes.set_xlim(begin, end)
    step = next((step for step in TICK_SECONDS if (end - begin) / step <= MOST_TICKS), (end - begin) / MOST_TICKS)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _clock(seconds, end)))
    unit = "seconds" if end < 120 else "minutes:seconds" if end < 3600 else "hours:minutes:seconds"
    axes.set_xlabel(f"{unit} after the beginning of the recording")


def _clock(seconds, end):
    """A time as the axis has it: seconds, m:ss or h:mm:ss, by the end of the picture."""
    if end < 120:
        return f"{seconds:g}"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes}:{left:02d}" if end < 3600 else f"{minutes // 60}:{minutes % 60:02d}:{left:02d}"


def _drawable(text):
    """`text`, with a sign in place of letters that no installed font has."""
    lacking = fonts.lacking(text)
    return "".join("\ufffd" if letter in lacking or not letter.isprintable() else letter for letter in text)
