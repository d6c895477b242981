"""Windows over sound that comes block by block: those that `Classifier.score` scores of the whole."""

import numpy as np

from urbansound.audio.length import lengthen


def windows(blocks, samples, hop, short_clips, at_once):
    """Windows that cover a sound to its last sample.

    Args:
      blocks: iterable of float32 [any], the sound's samples in order.
      samples: of a window.
      hop: samples from one window's start to the next's, at most `samples`.
      short_clips: what becomes of a sound shorter than a window, "repeat" or "zeros".
      at_once: the most windows that are given at a time.

    Yields:
      (starts, windows): first samples int64 [n] and float32 [n, samples], n >= 1; the last window ends with the
      sound. Nothing for a sound without samples.
    """
    held, base, start = np.zeros(0, np.float32), 0, 0  # samples from `base` on; first sample of the next window
    for block in blocks:
        held = np.concatenate([held, block])
        while (count := min((base + len(held) - samples - start) // hop + 1, at_once)) > 0:
            starts = start + hop * np.arange(count, dtype=np.int64)
            yield starts, np.lib.stride_tricks.sliding_window_view(held, samples)[starts - base]
            start += hop * count
        if start > 0:
            held, base = held[start - hop - base :], start - hop  # the last window may have to be moved
    end = base + len(held)
    if start == 0 and end > 0:
        yield np.zeros(1, np.int64), lengthen(held, samples, short_clips).numpy()[np.newaxis]
    elif start > 0 and end > base + samples:
        yield np.array([end - samples]), held[np.newaxis, -samples:]
