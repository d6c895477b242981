"""Ogg files, of which libsndfile reads the first of several joined streams, and of a cut one what is there.

Source: RFC 3533.
"""

import struct
import typing

from urbansound.audio.source import Part

PAGE = struct.Struct("<4s x B 8x I 8x B")  # name, flags, number of the stream, segments
BEGINS, ENDS = 2, 4
NOT_ENDED = "truncated: its last Ogg page does not end the stream"


class _Page(typing.NamedTuple):
    """What the head of a page says."""

    begins: bool  # its stream
    ends: bool
    stream: int
    stop: int  # place after it


def links(data):
    """The Ogg files that a file was joined of, one as a rule.

    Args:
      data: a `Source` that starts with "OggS".

    Yields:
      `Part`, each as soon as its end is found. Its fault says that a page is cut off, that bytes between pages are
      none, or that the last page does not end its stream; the part holds what lies before.
    """
    place, start, open_streams, beginning = 0, 0, set(), True
    while place < len(data):
        if data[place : place + 4] != b"OggS":
            if open_streams:
                yield Part([range(start, place)], fault=f"damaged: no Ogg page at byte {place}")
                return
            following = data.find(b"OggS", place)
            place = len(data) if following < 0 else following
            continue
        page = _page(data, place)
        if page.stop > len(data):
            yield Part([range(start, place)], fault=f"truncated: its Ogg page at byte {place} is cut off")
            return
        if page.begins and not beginning:
            yield Part([range(start, place)], fault=NOT_ENDED if open_streams else "")
            start = place
        beginning = page.begins
        open_streams = open_streams | {page.stream} if beginning else open_streams
        open_streams = open_streams - {page.stream} if page.ends else open_streams
        place = page.stop
    yield Part([range(start, len(data))], fault=NOT_ENDED if open_streams else "")


def _page(data, place):
    """The _Page at a place; of one that is cut off, it stops after the data's end."""
    _, flags, stream, segments = PAGE.unpack(data[place : place + PAGE.size].ljust(PAGE.size, b"\xff"))
    start = place + PAGE.size + segments
    return _Page(bool(flags & BEGINS), bool(flags & ENDS), stream, start + sum(data[place + PAGE.size : start]))
