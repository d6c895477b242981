"""AIFF, AU, CAF, NIST, RF64, VOC and W64 files: libsndfile silently reads what is there, whatever they promise.

Source: Apple's AIFF 1.3 and CAF 1.0, Sun's AU, EBU Tech 3306 (RF64), Sony's Wave64,
  Creative's VOC, NIST's SPHERE.
"""

import re
import string
import struct
import typing

from urbansound.errors import InputError

PRINTABLE = frozenset(string.printable.encode())
TO_THE_END = 0xFFFF_FFFF  # of a writer to a pipe, who can't know the length


class _Layout(typing.NamedTuple):
    """How the chunks of a kind of file lie in it."""

    first: int  # place of the first chunk
    head: struct.Struct  # a chunk's name and bytes
    counted: int  # bytes of the head that the chunk's bytes count
    align: int
    sound: bytes  # how the name of the chunk with the samples starts


LAYOUTS = {
    b"FORM": _Layout(12, struct.Struct(">4sI"), 0, 2, b"SSND"),
    b"RF64": _Layout(12, struct.Struct("<4sI"), 0, 2, b"data"),
    b"riff": _Layout(40, struct.Struct("<16sQ"), 24, 8, b"data"),
    b"caff": _Layout(8, struct.Struct(">4sq"), 0, 1, b"data"),
}


def check_length(data):
    """Raise InputError where a file of these kinds promises other samples than are there; others pass."""
    if data[:4] in LAYOUTS:
        _check_chunks(data, LAYOUTS[data[:4]])
    elif data[:4] in (b".snd", b"dns."):
        _check_au(data)
    elif data.startswith(b"NIST_1A"):
        _check_nist(data)
    elif data.startswith(b"Creative Voice File"):
        _check_voc(data)


def _check_au(data):
    offset, size = struct.unpack_from(">II" if data.startswith(b".snd") else "<II", data.ljust(12, b"\0"), 4)
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


def _check_chunks(data, layout):
    place, long_size, sound = layout.first, 0, None
    while place + layout.head.size <= len(data):
        name, size = layout.head.unpack_from(data, place)
        if sound is not None and not PRINTABLE.issuperset(name[:4]):
            raise InputError(_unclaimed(sound, len(data) - place))
        content = place + layout.head.size
        if name == b"ds64":
            long_size = int.from_bytes(data[content + 8 : content + 16], "little")
        if sound is None and name.startswith(layout.sound):
            sound = size - layout.counted
            if sound < 0 or (sound == TO_THE_END and not long_size):
                return  # to the end of the file
            sound = long_size if sound == TO_THE_END else sound
            _check(data, content, sound)
            size = sound + layout.counted
        place = content + max(size - layout.counted, 0)
        place += -place % layout.align
    if sound is None:
        raise InputError(f"truncated: no {layout.sound.decode()} chunk in its {len(data)} bytes")


def _check(data, offset, size):
    if offset + size > len(data):
        there = max(len(data) - offset, 0)
        raise InputError(f"truncated: header promises {size} bytes of samples, {there} are there")


def _unclaimed(size, rest):
    return f"header promises {size} bytes of samples, but {rest} bytes that are no chunks follow; mend its length"
