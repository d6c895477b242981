"""MP3 files counted frame by frame, since their length stands in a tag at most, and decoders believe the tag.

A file without a tag has the length that a decoder guesses from its first frame. A file may also be several
files joined, each with a tag of its own.

Source: ISO/IEC 11172-3 and 13818-3 for frames; the tags of Xing and LAME as mpg123 reads them.
"""

import re

from urbansound.audio.source import BUFFER, Part
from urbansound.errors import InputError

# kbit/s by (MPEG-1, layer) and index from 1.
BITRATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44100, 48000, 32000)  # of MPEG-1; MPEG-2 has half of them, MPEG-2.5 a quarter
HALVINGS = {3: 0, 2: 1, 0: 2}  # by the number that stands for the version
MOST_DAMAGE = 0.01  # share of a file's bytes that may be neither frames nor tags
ID3V2 = re.compile(rb"ID3[\x02-\x04][^\xff].([\x00-\x7f]{4})", re.DOTALL)
ID3_BYTES = 10  # of the header
OTHER_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")
COUNT = re.compile(rb"(?:Xing|Info)...[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})", re.DOTALL)
TAG_WITHIN = 64  # bytes from a frame's start


def without_id3(data):
    """A `Source` without the ID3v2 tags that it starts with."""
    start = 0
    while match := ID3V2.match(data[start : start + ID3_BYTES]):
        start += _id3_bytes(match)
    return data.after(start) if start else data


def starts_with_frame(data):
    """Whether a `Source` starts as an MP3 does."""
    return _header(data, 0) is not None


def tracks(data):
    """The files that an MP3 file was joined of, one as a rule, each with a tag that tells its true length.

    Args:
      data: a `Source` that starts with a frame.

    Returns:
      A list of `Part`. A tag that counts less frames than there are is replaced. One that counts more is left: frames
      are missing. The last part's fault says where the last frame is cut off, or more than MOST_DAMAGE of the bytes
      are neither frames nor tags.
    """
    found, place, damage = [], 0, 0
    while place < len(data):
        head = data[place : place + TAG_WITHIN]
        if match := ID3V2.match(head):
            place += _id3_bytes(match)
            continue
        header = _header(head, 0)
        if header is None or not _continues(data, place, header, found):
            end = _next_frame(data, place + 1)
            damage += 0 if head.startswith(OTHER_TAGS) else _damage(data, place, end)
            place = end
            continue
        kind, size, _ = header
        is_tag = _is_tag(head[:size])
        if not found or found[-1].kind != kind or is_tag:
            found.append(_Track(kind))
        found[-1].add(place, size, is_tag)
        place += size
    parts = [part for track in found if (part := _part(data, track))]
    if damage > MOST_DAMAGE * len(data):
        fault = f"damaged: {damage} of its {len(data)} bytes are no MP3 frames"
        if not parts:
            raise InputError(fault)
        parts[-1] = parts[-1]._replace(fault=fault)
    return parts


class _Track:
    """Frames of one kind after each other, the tag before them, and where they lie."""

    def __init__(self, kind):
        self.kind, self.tag, self.pieces, self.frames, self.last = kind, range(0), [], 0, 0

    def add(self, place, size, is_tag):
        """Count a frame, or take note of the tag, which stands in the first one."""
        if is_tag:
            self.tag = range(place, place + size)
            return
        if self.pieces and self.pieces[-1].stop == place:
            self.pieces[-1] = range(self.pieces[-1].start, place + size)
        else:
            self.pieces.append(range(place, place + size))
        self.frames, self.last = self.frames + 1, place


def _header(data, place):
    """(what frames of one stream have in common, bytes, samples) of the frame at a place; None where there is none."""
    word = data[place : place + 4]
    if len(word) < 4 or word[0] != 0xFF or word[1] < 0xE0:
        return None
    version, layer, bitrate, rate = word[1] >> 3 & 3, 4 - (word[1] >> 1 & 3), word[2] >> 4, word[2] >> 2 & 3
    if version not in HALVINGS or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    first = version == 3
    hertz, padding = RATES[rate] >> HALVINGS[version], word[2] >> 1 & 1
    samples = 384 if layer == 1 else 1152 if first or layer == 2 else 576
    slot = 4 if layer == 1 else 1  # bytes that a length is counted in
    size = (samples // 8 // slot * BITRATES[first, layer][bitrate - 1] * 1000 // hertz + padding) * slot
    return (word[1] & 0xFE, word[2] & 0x0C), size, samples


def _continues(data, place, header, found):
    """Whether the frame at a place goes on with the stream before it, or starts one: bytes may look like a frame."""
    return not found or found[-1].kind == header[0] or _is_followed(data, place, header)


def _is_followed(data, place, header):
    """Whether another frame of the same kind follows the one at a place."""
    kind, size, _ = header
    after = _header(data, place + size)
    return after is not None and after[0] == kind


def _next_frame(data, place):
    """The place of the first frame from `place` on that another follows, or of the data's end."""
    while (place := data.find(b"\xff", place)) >= 0:
        header = _header(data, place)
        if header is not None and _is_followed(data, place, header):
            return place
        place += 1
    return len(data)


def _id3_bytes(match):
    """Bytes of an ID3v2 tag, of the match of its header."""
    size = 0
    for seven_bits in match[1]:
        size = size << 7 | seven_bits
    return ID3_BYTES + size


def _is_tag(head):
    return any(name in head for name in (b"Xing", b"Info"))


def _damage(data, start, stop):
    """Bytes between two places that are no padding with zeros."""
    return sum(len(data[place : min(place + BUFFER, stop)].strip(b"\0")) for place in range(start, stop, BUFFER))


def _part(data, track):
    """A track as a `Part`; None of a tag alone."""
    if not track.frames:
        return None
    _, size, samples = _header(data, track.last)
    match = COUNT.search(data[track.tag.start : track.tag.stop][: TAG_WITHIN + 12])
    promised, frames, pieces = int.from_bytes(match[1], "big") if match else 0, track.frames, track.pieces
    there, fault = len(data) - track.last, ""
    if there < size:
        fault = "" if promised else f"truncated: {there} of {size} bytes are there of its last MP3 frame"
        frames, pieces = frames - 1, [*pieces[:-1], range(pieces[-1].start, track.last)]
    if promised >= frames:
        return Part([track.tag, *pieces], 0, fault)
    start = pieces[0].start
    return Part([_tag(data[start : start + 4], frames), *pieces], (frames - 1) * samples, fault)  # decoders are late


def _tag(frame, count):
    """A frame for a decoder that counts those after it, in the format of one of them."""
    head = bytes([frame[0], frame[1] | 1, frame[2] & 0x0C | 0xE0, frame[3]])  # no checksum, the highest bitrate
    mono, first = frame[3] >> 6 == 3, frame[1] >> 3 & 3 == 3
    side = (9 if mono else 17) if not first else (17 if mono else 32)
    fields = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (head + bytes(side) + fields).ljust(_header(head, 0)[1], b"\0")
