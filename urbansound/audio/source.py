"""Bytes of a file of any length, read where they are asked for, and files that are made of parts of others."""

import bisect
import io
import itertools
import os
import typing

BUFFER = 2**16  # bytes that are read at least: walking through a file takes small steps


class Source:
    """Bytes, indexed and searched as Python's own are, that are read from a file where they are asked for."""

    def __init__(self, read, length, first=0):
        """A source of `length` bytes, from `first` on, that `read` returns: a function (place, size)."""
        self._read, self._length, self._first = read, length, first
        self._start, self._buffer = 0, b""

    @classmethod
    def of_bytes(cls, data):
        """A source of what is in memory."""
        return cls(lambda place, size: data[place : place + size], len(data))

    @classmethod
    def of_file(cls, file):
        """A source of an open regular file, whose own position does not matter; read while it is open only."""
        number = file.fileno()
        return cls(lambda place, size: os.pread(number, size, place), os.fstat(number).st_size)

    def after(self, place):
        """The source of the bytes from a place on."""
        return Source(self._read, max(self._length - place, 0), self._first + place)

    def __len__(self):
        return self._length

    def __getitem__(self, place):
        if isinstance(place, slice):
            start, stop, _ = place.indices(self._length)
            return self._bytes(start, stop)
        return self._bytes(place, place + 1)[0]

    def _bytes(self, start, stop):
        if not self._start <= start <= stop <= self._start + len(self._buffer):
            if stop - start >= BUFFER or stop <= start:
                return self._read(self._first + start, stop - start) if stop > start else b""
            self._buffer = self._read(self._first + start, min(BUFFER, self._length - start))
            self._start = start
        return self._buffer[start - self._start : stop - self._start]

    def startswith(self, prefix):
        """Whether the bytes start with others."""
        return self[: len(prefix)] == prefix

    def find(self, pattern, start=0):
        """The place of the first occurrence of bytes from `start` on; -1: there is none."""
        step = BUFFER - len(pattern) + 1
        for place in range(start, self._length, step):
            found = self[place : place + BUFFER].find(pattern)
            if found >= 0:
                return place + found
        return -1


class Part(typing.NamedTuple):
    """What a decoder takes for one file.

    Attributes:
      pieces: list of bytes and of ranges of places in a source, in their order.
      at_least: samples per channel that must come of an MP3, 0 where its own tag tells; None of other files.
      fault: why it is not whole, a line; empty where it is.
    """

    pieces: list
    at_least: int | None = None
    fault: str = ""


class Spliced(io.RawIOBase):
    """Pieces of a source as a file for libsndfile, whose calls come from C and so must not raise.

    A seek to nowhere stays in place, as C's does. Where the source can't be read, the file ends.

    Attributes:
      error: the exception that ended it; None otherwise.
      stop: the place in the source where the last piece ends.
    """

    def __init__(self, source, pieces, until=None):
        """A file of these pieces, see `Part`; where `until` occurs in the last one, after its start, it ends."""
        super().__init__()
        self._source, self._pieces, self._until = source, pieces, until
        self._ends = list(itertools.accumulate(map(len, pieces)))
        self._place, self._start, self._buffer = 0, 0, b""
        self.error = None
        self.stop = pieces[-1].stop if pieces and isinstance(pieces[-1], range) else 0

    def readinto(self, buffer):
        """Fill a buffer as far as possible; the number of bytes."""
        start, size = self._place - self._start, len(buffer)
        if not 0 <= start <= start + size <= len(self._buffer):
            self._buffer, self._start, start = self._read(max(size, BUFFER)), self._place, 0
        data = self._buffer[start : start + size]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _read(self, size):
        """Bytes from the place on, less than `size` at the end only."""
        parts, place = [], self._place
        try:
            while size > 0 and (data := self._next(place, size)):
                parts.append(data)
                place, size = place + len(data), size - len(data)
        except BaseException as error:  # an interrupt would be printed, and lost
            self.error = error
        return b"".join(parts)

    def _next(self, place, size):
        """Bytes from a place on, at most `size`, of one piece."""
        number = bisect.bisect_right(self._ends, place)
        if number == len(self._pieces) or self.error:
            return b""
        piece = self._pieces[number]
        start = place - self._ends[number] + len(piece)
        if isinstance(piece, bytes):
            return piece[start : start + size]
        start, last = piece.start + start, number == len(self._pieces) - 1
        stop = min(start + size, self.stop if last else piece.stop)
        if last and self._until:
            seen = max(start - len(self._until) + 1, piece.start)
            if (found := self._source[seen:stop].find(self._until)) >= 0:
                self.stop = stop = seen + found
        return self._source[start:stop]

    def seek(self, offset, whence=os.SEEK_SET):
        """The place after the seek."""
        place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._ends[-1]}[whence]
        self._place = place if place >= 0 else self._place
        return self._place

    def tell(self):
        """The place that is read next."""
        return self._place
