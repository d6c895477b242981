"""Ogg files, of which libsndfile reads the first of several joined streams, and of a cut one what is there.

Source: RFC 3533.
"""

import struct

from urbansound.errors import InputError

PAGE = struct.Struct("<4s x B 8x I 8x B")  # name, flags, number of the stream, segments
BEGINS, ENDS = 2, 4


def links(data):
    """The Ogg files that a file was joined of, one as a rule.

    Args:
      data: bytes that start with "OggS".

    Returns:
      A list of bytes.

    Raises:
      InputError: a page is cut off, bytes between pages are none, or the last page does not end its stream.
    """
    result, place, start, open_streams, beginning = [], 0, 0, set(), True
    while place < len(data):
        if not data.startswith(b"OggS", place):
            if open_streams:
                raise InputError(f"damaged: no Ogg page at byte {place}")
            following = data.find(b"OggS", place)
            place = len(data) if following < 0 else following
            continue
        flags, stream, size = _page(data, place)
        if flags & BEGINS and not beginning:
            _check_ended(open_streams)
            result.append(data[start:place])
            start = place
        beginning = bool(flags & BEGINS)
        open_streams = open_streams | {stream} if beginning else open_streams
        open_streams = open_streams - {stream} if flags & ENDS else open_streams
        place += size
    _check_ended(open_streams)
    return [*result, data[start:]]


def _page(data, place):
    """(flags, number of its stream, bytes) of the page at a place."""
    if place + PAGE.size <= len(data):
        _, flags, stream, segments = PAGE.unpack_from(data, place)
        size = PAGE.size + segments + sum(data[place + PAGE.size : place + PAGE.size + segments])
        if place + size <= len(data):
            return flags, stream, size
    raise InputError(f"truncated: its Ogg page at byte {place} is cut off")


def _check_ended(open_streams):
    if open_streams:
        raise InputError("truncated: its last Ogg page does not end the stream")
