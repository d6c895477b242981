"""The scores of every window as a table that sed_scores_eval reads: onset, offset, a column per class."""

import contextlib

import numpy as np
import pandas as pd

from urbansound.files import replacing
from urbansound.text import shown

SUFFIX = ".scores.tsv"


def onsets(starts, before, window_seconds):
    """When the score of each window begins to stand for the sound: half of the way from the middle of the one before.

    Args:
      starts: float64 [windows], where windows begin, in seconds, rising.
      before: where the window before them begins; None: they are the first, whose score begins with its window.
      window_seconds: length of each.

    Returns:
      float64 [windows], in seconds.
    """
    earlier = np.append(starts[0] - window_seconds if before is None else before, starts[:-1])
    return (earlier + starts) / 2 + window_seconds / 2


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

    Each row lasts from its own of the `onsets` to the next one, so that there are no gaps and no overlaps.
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
        before, first, row = self._rest or (None, [], scores[:0])
        edges = np.append(first, onsets(starts, before, self._window_seconds))
        scores = np.concatenate([row, scores])
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
