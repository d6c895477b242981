"""AIFF, AU, CAF, NIST, RF64, SVX, VOC and W64 files: libsndfile silently reads what is there, whatever they promise.

Source: Apple's AIFF 1.3 and CAF 1.0, Electronic Arts' 8SVX, Sun's AU, EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64),
  Sony's Wave64, Creative's VOC, NIST's SPHERE.
"""

import re
import string
import struct
import typing

from urbansound.audio.limits import MAX_CHUNKS
from urbansound.errors import InputError

PRINTABLE = frozenset(string.printable.encode())
TO_THE_END = 0xFFFF_FFFF  # of a writer to a pipe, who can't know the length
NEVER_MENDED = 2**64 - 1
MOST_HEAD = 2**20  # bytes before the samples of a file that is mended


class _Layout(typing.NamedTuple):
    """How the chunks of a kind of file lie in it."""

    first: int  # place of the first chunk
    head: struct.Struct  # a chunk's name and bytes
    counted: int  # bytes of the head that the chunk's bytes count
    align: int
    sound: bytes  # how the name of the chunk with the samples starts


LAYOUTS = {
    b"AIFF": _Layout(12, struct.Struct(">4sI"), 0, 2, b"SSND"),
    b"AIFC": _Layout(12, struct.Struct(">4sI"), 0, 2, b"SSND"),
    b"8SVX": _Layout(12, struct.Struct(">4sI"), 0, 2, b"BODY"),
    b"16SV": _Layout(12, struct.Struct(">4sI"), 0, 2, b"BODY"),
    b"RF64": _Layout(12, struct.Struct("<4sI"), 0, 2, b"data"),
    b"BW64": _Layout(12, struct.Struct("<4sI"), 0, 2, b"data"),
    b"riff": _Layout(40, struct.Struct("<16sQ"), 24, 8, b"data"),
    b"caff": _Layout(8, struct.Struct(">4sq"), 0, 1, b"data"),
}


def fault(data):
    """Where a file of these kinds, a `Source`, promises other samples than are there, a line that says so; else ""."""
    kind = data[8:12] if data.startswith(b"FORM") else data[:4]
    try:
        if kind in LAYOUTS:
            _check_chunks(data, LAYOUTS[kind])
        elif data[:4] in (b".snd", b"dns."):
            _check_au(data)
        elif data.startswith(b"NIST_1A"):
            _check_nist(data)
        elif data.startswith(b"Creative Voice File"):
            _check_voc(data)
    except InputError as error:
        return str(error)
    return ""


def _check_au(data):
    offset, size = struct.unpack(">II" if data.startswith(b".snd") else "<II", data[4:12].ljust(8, b"\0"))
    if size == TO_THE_END:
        return
    _check(data, offset, size)
    if offset + size + 1 < len(data):  # a byte may pad it
        raise InputError(_unclaimed(size, len(data) - offset - size))


def _check_nist(data):
    fields = dict(re.findall(rb"(sample_count|sample_n_bytes|channel_count) -i (\d+)", data[:1024]))
    if len(fields) == 3 and data[8:16].strip().isdigit():
        samples, size, channels = (int(fields[name]) for name in (b"sample_count", b"sample_n_bytes", b"channel_count"))
        _check(data, int(data[8:16]), samples * size * channels)


def _check_voc(data):
    place = int.from_bytes(data[20:22], "little")
    while place + 4 <= len(data) and data[place] != 0:  # 0 ends it
        size = int.from_bytes(data[place + 1 : place + 4], "little")
        _check(data, place + 4, size)
        place += 4 + size


def walk(data, layout):
    """Walk through the chunks of a file.

    Args:
      data: a `Source`.
      layout: one of LAYOUTS.

    Yields:
      (name, place, size): bytes, of the first MAX_CHUNKS chunks; where the content starts, and how many bytes it is
      said to have. A negative size of a chunk with samples: they extend to the end of the file.
    """
    place, long_size = layout.first, 0
    for _ in range(MAX_CHUNKS):
        if place + layout.head.size > len(data):
            return
        name, size = layout.head.unpack(data[place : place + layout.head.size])
        place, size = place + layout.head.size, size - layout.counted
        if name == b"ds64":
            long_size = int.from_bytes(data[place + 8 : place + 16], "little")
        if name.startswith(layout.sound) and size == TO_THE_END:
            size = long_size if 0 < long_size < NEVER_MENDED else -1
        yield name, place, size
        place += max(size, 0)
        place += -place % layout.align


def pieces(data):
    """A file of these kinds, a `Source`, as pieces (see `Part`) that libsndfile understands.

    RF64 whose length was never written, since the recorder failed, extends to its end. BW64 is RF64 by another name.
    """
    places = {}
    if data[:4] in (b"RF64", b"BW64"):
        places = {name: (place, size) for name, place, size in reversed(list(walk(data, LAYOUTS[data[:4]])))}
    start, size = places.get(b"data", (0, 0))
    if b"ds64" not in places or not places[b"ds64"][0] < start <= MOST_HEAD:
        return [range(len(data))]
    head, long_sizes = bytearray(data[:start]), places[b"ds64"][0]
    head[:4] = b"RF64"
    if size < 0:
        head[long_sizes : long_sizes + 16] = struct.pack("<QQ", len(data) - 8, len(data) - start)
    return [bytes(head), range(start, len(data))]


def _check_chunks(data, layout):
    sound = None
    for name, place, size in walk(data, layout):
        if sound is not None and not PRINTABLE.issuperset(name[:4]):
            raise InputError(_unclaimed(sound, len(data) - place + layout.head.size))
        if sound is None and name.startswith(layout.sound):
            if size < 0:
                return
            sound = size
            _check(data, place, sound)
    if sound is None:
        raise InputError(f"truncated: no {layout.sound.decode()} chunk in its {len(data)} bytes")


def _check(data, offset, size):
    if offset + size > len(data):
        there = max(len(data) - offset, 0)
        raise InputError(f"truncated: header promises {size} bytes of samples, {there} are there")


def _unclaimed(size, rest):
    return f"header promises {size} bytes of samples, but {rest} bytes that are no chunks follow; mend its length"
