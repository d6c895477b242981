"""Parts of a recording as WAV files of its own rate and channels, in memory that does not grow with their length."""

import contextlib
import typing

from urbansound.audio.stream import open_sound
from urbansound.audio.wav_writer import WavWriter
from urbansound.errors import InputError
from urbansound.files import replacing


class Excerpt(typing.NamedTuple):
    """A part of a recording: from `start` until before `end`, in seconds; the WAV file it is for; a comment in that."""

    start: float
    end: float
    path: str
    comment: str


def write_excerpts(source, excerpts):
    """Write parts of a recording, each in one step, reading it once.

    Integer samples of up to 24 bits are the recording's own, others become float32. An excerpt has one sample at least.

    Args:
      source: path of a file that `open_stream` reads.
      excerpts: of Excerpt, in any order; they may overlap.

    Returns:
      How many were written: those that begin before the recording's end or its first fault.

    Raises:
      InputError: nothing of the recording can be decoded.
      OSError: a file can't be written.
    """
    waiting, written = sorted(excerpts, reverse=True), 0
    with contextlib.ExitStack() as files:
        sound, begun = open_sound(source, files), []
        for place, block in _placed_blocks(sound):
            until = place + len(block)
            while waiting and round(waiting[-1].start * sound.rate) < until:
                begun.append(_File(sound, waiting.pop(), files))
                written += 1
            for file in begun:
                file.add(place, block)
            begun = [file for file in begun if not file.closed_by(until)]
            if not waiting and not begun:
                break
        for file in begun:
            file.close()
    return written


def _placed_blocks(sound):
    """Yield (first sample, float32 [samples, channels]) up to the recording's end or its first fault."""
    place = 0
    with contextlib.suppress(InputError):  # who has found the events has said so
        for block in sound.frames():
            yield place, block
            place += len(block)


@contextlib.contextmanager
def _new_file(path):
    with replacing(path) as part, open(part, "wb") as file:
        yield file


class _File:
    """An excerpt while it is written."""

    def __init__(self, sound, excerpt, files):
        self._start = round(excerpt.start * sound.rate)
        self._end = max(round(excerpt.end * sound.rate), self._start + 1)
        self._closing = files.enter_context(contextlib.ExitStack())  # until it is closed, an error removes the file
        file = self._closing.enter_context(_new_file(excerpt.path))
        frames = self._end - self._start
        self._writer = WavWriter(file, sound.rate, sound.channels, sound.bits, frames, excerpt.comment)

    def add(self, place, block):
        """Write what belongs to it of a block, float32 [samples, channels], whose first sample is `place`."""
        self._writer.write(block[max(self._start - place, 0) : max(self._end - place, 0)])

    def closed_by(self, place):
        """Close it where it ends at a sample or before; whether that is so."""
        if self._end <= place:
            self.close()
        return self._end <= place

    def close(self):
        """Give the file its place."""
        self._writer.finish()
        self._closing.close()
