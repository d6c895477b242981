"""When and where a recording was made: by what its recorder wrote into the file, or by the file's name.

Source: GUANO Specification 1.0 (Riggs); EBU Tech 3285 (bext); the comments that the versions of AudioMoth's firmware
  write; LIST INFO of Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991).
"""

import dataclasses
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from urbansound.audio import chunks
from urbansound.audio.source import Source

WAV_LAYOUT, WAV_KINDS = chunks.LAYOUTS[b"RF64"], (b"RIFF", b"RF64", b"BW64")
MOST_BYTES = 2**20  # of a chunk that are read
YEARS = range(1900, 2101)
UNSET = 1970  # the year of a recorder whose clock was never set
BEXT_DATE = slice(320, 338)  # of the chunk: 10 bytes of date, 8 of time
BEXT = re.compile(rb"(\d{4})[-_:. /](\d\d)[-_:. /](\d\d)(\d\d)[-_:. ](\d\d)[-_:. ](\d\d)")
AUDIOMOTH = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d\d)/(\d\d)/(\d{4})"
    r"(?: \(UTC(?:(?P<sign>[+-])(?P<hours>\d{1,2})(?:: ?(?P<minutes>\d{1,2}))?)?(?P<known>\)))?.*AudioMoth",
    re.ASCII | re.DOTALL,
)
# 20260504_060000, 20260504$060000, 2026-05-04_06-00-00, 20260504T060000Z, 20260504T060000+0200, within any name.
NAME = re.compile(
    r"(?<!\d)(\d{4})([-_.]?)(\d\d)\2(\d\d)(?P<between>[T $_-]{0,2})(\d\d)([-_.:]?)(\d\d)\7(\d\d)(?!\d)"
    r"(?P<zone>Z(?![A-Za-z0-9])|[+-]\d\d:?\d\d(?!\d))?",
    re.ASCII,
)


@dataclasses.dataclass(frozen=True)
class Origin:
    """When and where a recording was made.

    Attributes:
      start: of its first sample, a datetime, aware where its zone is known; None: unknown.
      latitude: degrees north, WGS84; None: unknown.
      longitude: degrees east; None: unknown.
      source: what told the start, or else the place: "GUANO", "AudioMoth", "bext", "file name"; "": nothing did.
    """

    start: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    source: str = ""


def origin(path, zone=None):
    """When and where a recording was made.

    What a file says more exactly comes first: GUANO's time, the comment of an AudioMoth, bext, the file's name. What is
    no time or place, or can't be true, is as if it were not there. Only the heads of chunks and the metadata are read.

    Args:
      path: of a file of any kind; metadata are looked for in WAV, RF64 and BW64.
      zone: datetime.tzinfo of times that tell none; None: such a time stays without a zone.

    Returns:
      An Origin.
    """
    found = _metadata(path)
    starts = {
        "GUANO": _guano_time(found.get("guano", {})),
        "AudioMoth": _audiomoth_time(found.get("comment", "")),
        "bext": _bext_time(found.get("bext", b"")),
        "file name": _name_time(Path(path).stem),
    }
    latitude, longitude = _guano_place(found.get("guano", {}))
    for source, start in starts.items():
        if start is not None:
            start = start.replace(tzinfo=zone) if start.tzinfo is None else start
            return Origin(start, latitude, longitude, source)
    return Origin(None, latitude, longitude, "GUANO" if latitude is not None else "")


def _metadata(path):
    """What a file holds of "guano" ({key: value}), "comment" (a text) and "bext" (bytes)."""
    found = {}
    try:
        with open(path, "rb") as file:
            data = Source.of_file(file)
            if data[:4] in WAV_KINDS and data[8:12] == b"WAVE":
                for name, content in _contents(data):
                    if name == b"guan":
                        found["guano"] = _guano(content)
                    elif name == b"bext":
                        found["bext"] = content
                    elif name == b"LIST" and content.startswith(b"INFO"):
                        found["comment"] = _comment(content)
    except OSError:  # whoever reads the sound will say so
        pass
    return found


def _contents(data):
    """Yield (name, content) of the chunks with metadata."""
    for name, place, size in chunks.walk(data, WAV_LAYOUT):
        if size < 0:
            return
        if name in (b"guan", b"bext", b"LIST"):
            yield name, data[place : place + min(size, MOST_BYTES)]


def _guano(content):
    lines = content.decode("utf-8", "replace").strip("\0").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _comment(content):
    """The comment in a LIST INFO chunk, "" where there is none."""
    place = 4
    while place + 8 <= len(content):
        name, size = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        if name == b"ICMT":
            return content[place + 8 : place + 8 + size].decode("utf-8", "replace").strip("\0")
        place += 8 + size + size % 2
    return ""


def _guano_time(guano):
    text = guano.get("Timestamp", "")
    if len(text) <= len("2026-05-04"):  # a day is no time
        return None
    try:
        return _plausible(datetime.fromisoformat(text))
    except ValueError:
        return None


def _guano_place(guano):
    """(latitude, longitude), both None where they are unknown."""
    try:
        latitude, longitude = map(float, guano.get("Loc Position", "").replace(",", " ").split())
    except ValueError:
        return None, None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # false for NaN
        return None, None
    return latitude, longitude


def _audiomoth_time(comment):
    match = AUDIOMOTH.search(comment)
    if not match:
        return None
    hour, minute, second, day, month, year = map(int, match.groups()[:6])
    offset = 60 * int(match["hours"] or 0) + int(match["minutes"] or 0) if match["known"] else math.nan
    return _time(year, month, day, hour, minute, second, -offset if match["sign"] == "-" else offset)


def _bext_time(content):
    match = BEXT.fullmatch(content[BEXT_DATE])
    return _time(*map(int, match.groups())) if match else None


def _name_time(name):
    for match in NAME.finditer(name):
        fields = (int(field) for field in match.group(1, 3, 4, 6, 8, 9))
        if start := _time(*fields, _name_offset(match["zone"] or "", match["between"])):
            return start
    return None


def _name_offset(zone, between):
    """Minutes east of Greenwich; NaN: unknown. A number after a minus counts files unless the time is ISO 8601."""
    if zone == "Z":
        return 0
    if not zone or (zone[0] == "-" and between != "T"):
        return math.nan
    offset = 60 * int(zone[1:3]) + int(zone[-2:])
    return -offset if zone[0] == "-" else offset


def _time(year, month, day, hour, minute, second, offset=math.nan):
    """A datetime of a zone so many minutes east of Greenwich, NaN: unknown; None where there is no such time."""
    try:
        zone = None if math.isnan(offset) else timezone(timedelta(minutes=offset)) if offset else UTC
        return _plausible(datetime(year, month, day, hour, minute, second, tzinfo=zone))
    except ValueError:
        return None


def _plausible(start):
    return start if start.year in YEARS and start.year != UNSET else None
