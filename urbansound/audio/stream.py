"""Recordings of any length to blocks of a mono waveform of one sample rate, in memory that does not grow with them.

As in `decode`, the content decides how a file is read, and the samples are the same: WAV files of plain or companded
samples are decoded by the operations of `wav`, other ones by libsndfile, and soxr changes the rate.
"""

import concurrent.futures
import contextlib
import os
import stat
import sys

import numpy as np

from urbansound.audio import sndfile, wav_blocks
from urbansound.audio.limits import BLOCK_SECONDS
from urbansound.audio.resample import resample_blocks
from urbansound.audio.source import Source
from urbansound.errors import InputError, reason


def open_stream(source, sample_rate):
    """Open a recording.

    Args:
      source: path of a file of any format that `decode_file` reads; "-", or a path that is no regular file: WAV of
        plain or companded samples, of known or unknown length, which is read once, without seeking.
      sample_rate: Hz wanted.

    Returns:
      A `Stream`, a context manager that closes the file. The next block of a regular file is decoded while the caller
      has this one, by a thread of its own; a pipe is not read ahead, since closing it would wait for what may not come.

    Raises:
      InputError: nothing of it can be decoded; one line, only the fault: the caller knows the path.
    """
    with contextlib.ExitStack() as files:
        sound = open_sound(source, files)
        # Entered last, so that it ends first: no thread reads a file that is closed.
        ahead = files.enter_context(concurrent.futures.ThreadPoolExecutor(1)) if os.path.isfile(source) else None
        stream = Stream(sound, sample_rate, ahead)
        stream.opened = files.pop_all()
        return stream


def open_sound(source, files):
    """The sound of a source at its own rate, each channel apart or all averaged.

    Args:
      source: as for `open_stream`.
      files: an ExitStack that closes the file.

    Returns:
      What has `rate`, `channels`, `bits`, `promised`, `no_numbers`, `blocks` and `frames` as a `sndfile.Sound`.

    Raises:
      InputError: as `open_stream`.
    """
    try:
        return _open(source, files)
    except OSError as error:
        raise InputError(f"can't be read ({reason(error)})") from None


def _open(source, files):
    if source == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed")
        return wav_blocks.open_pipe(sys.stdin.buffer)
    file = open(source, "rb")  # noqa: SIM115, the stack closes it
    files.enter_context(file)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return wav_blocks.open_pipe(file)
    data = Source.of_file(file)
    return wav_blocks.open_wav(data) if data.startswith(b"RIFF") else sndfile.Sound(data)


class Stream:
    """A recording that is decoded as far as it is read, or a block further.

    Args:
      sound: as `open_sound` returns it.
      sample_rate: Hz wanted.
      ahead: executor that decodes the next block while the caller has this one, or None.

    Attributes:
      rate: the file's own sample rate in Hz.
      seconds: duration that the file promises; None where it is not known before it is read.
      fault: after the last block, why the file breaks off, a line; None where it is whole.
      opened: an ExitStack of what `close` closes.
    """

    def __init__(self, sound, sample_rate, ahead=None):
        self.rate = sound.rate
        self.seconds = sound.promised / sound.rate if sound.promised else None
        self.fault = None
        self.opened = contextlib.ExitStack()
        blocks = resample_blocks(self._good_blocks(sound), sound.rate, sample_rate)
        blocks = _cut(blocks, BLOCK_SECONDS * sample_rate)
        self._blocks = blocks if ahead is None else _ahead(blocks, ahead)
        self._first = next(self._blocks, None)  # only then is it certain that there is any
        if self._first is None:
            raise InputError(self.fault or f"holds no sample at {sample_rate} Hz")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close what was opened for it."""
        self.opened.close()

    def blocks(self):
        """Decode the recording, once.

        Yields:
          float32 [samples] at the sample rate wanted, at least one and at most BLOCK_SECONDS, all finite; full scale of
          integer formats is -1 to 1. After the last one, `fault` says whether that was all.
        """
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._blocks

    def _good_blocks(self, sound):
        """The blocks at the file's own rate up to its end or its first fault, which is kept."""
        samples = 0
        try:
            for block in sound.blocks():
                good = _numbers(block)
                yield block[:good]
                samples += good
                if good < len(block):
                    raise InputError(f"{sound.no_numbers} from {samples / sound.rate:.1f} s on")
        except InputError as error:
            self.fault = str(error)
        except OSError as error:
            self.fault = f"can't be read after {samples / sound.rate:.1f} s ({reason(error)})"


def _ahead(blocks, executor):
    """The blocks, the next of which is made while the caller has this one."""
    coming = executor.submit(next, blocks, None)
    while (block := coming.result()) is not None:
        coming = executor.submit(next, blocks, None)
        yield block


def _numbers(block):
    """How many samples, float32 [at least 1], come before the first that is none, or absurd."""
    if sndfile.are_numbers(block):
        return len(block)
    return int(np.argmin(np.abs(block) <= sndfile.MAX_PEAK))


def _cut(blocks, size):
    """Blocks of at most so many samples, none empty."""
    for block in blocks:
        for start in range(0, len(block), size):
            yield block[start : start + size]
