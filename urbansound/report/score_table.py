"""The scores of every window as a table that sed_scores_eval reads: onset, offset, a column per class."""

import contextlib

import numpy as np
import pandas as pd

from urbansound.files import replacing
from urbansound.text import shown

SUFFIX = ".scores.tsv"


@contextlib.contextmanager
def score_table(path, class_names, window_seconds):
    """Yield a ScoreTable; the file takes its place when the block succeeds.

    Args:
      path: of the file.
      class_names: str [classes].
      window_seconds: length of each window.
    """
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        yield ScoreTable(file, class_names, window_seconds)


class ScoreTable:
    """Takes the windows of one recording as they come; see `score_table`.

    Each row has the time around the middle of its window, to half of the way to the neighbours' middles; the first
    begins with its window. So the rows have no gaps between them, and none overlaps another.
    """

    def __init__(self, file, class_names, window_seconds):
        self._file, self._window_seconds = file, window_seconds
        self._columns = ["onset", "offset", *map(shown, class_names)]
        self._rest = None  # start, onset and scores of the newest window, whose offset is not known yet
        self._write([], np.empty((0, len(class_names))), header=True)

    def add(self, scores, starts):
        """The next windows: float32 [windows, classes], and where they begin, float64 [windows], in seconds."""
        scores, starts = np.asarray(scores), np.asarray(starts, np.float64)
        if not len(starts):
            return
        first = starts[0]  # of the recording
        if self._rest is not None:
            before, first, row = self._rest
            starts, scores = np.append(before, starts), np.concatenate([row, scores])
        edges = (starts[:-1] + starts[1:]) / 2 + self._window_seconds / 2
        edges = np.append(first, edges)
        self._write(edges, scores[:-1])
        self._rest = starts[-1], edges[-1], scores[-1:]

    def finish(self, seconds=None):
        """The last window, which lasts until the recording's end at `seconds`; None: until its own."""
        if self._rest is not None:
            start, onset, row = self._rest
            self._write([onset, start + self._window_seconds if seconds is None else seconds], row)
            self._rest = None

    def _write(self, edges, scores, header=False):
        """Rows between each two of `edges`."""
        table = pd.DataFrame(np.asarray(scores), columns=self._columns[2:])
        table.insert(0, "onset", np.asarray(edges[:-1], np.float64), allow_duplicates=True)
        table.insert(1, "offset", np.asarray(edges[1:], np.float64), allow_duplicates=True)
        table.to_csv(self._file, sep="\t", index=False, header=header, lineterminator="\n")
