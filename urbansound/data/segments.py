"""Names of clips that were cut out of recordings: in a folder per class, sorted by recording and time.

LABEL/RECORDING~HASH_START-ENDs_SCORE.wav, such as dog_bark/20260504_060000~1f0c9a3e_000012.500-000015.250s_0.93.wav:
the recording's name, eight digits of a hash of its whole path, seconds in it, and the score. A clip may be renamed
after the "s", converted, and moved to another class: the data set `folder` finds its recording by the beginning.
"""

import hashlib
import os
import re
from pathlib import PurePath

from urbansound.data.audio_files import as_text

NAME = re.compile(r"((.+~[0-9a-f]{8})_\d+\.\d{3}-\d+\.\d{3}s)")
UNSAFE = frozenset('<>:"/\\|?*%')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no names of files on Windows
MOST_BYTES = 120


def recording_name(path):
    """What the names of all clips of a recording begin with, whatever way its path is written."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()
    return f"{safe_name(as_text(PurePath(path).stem))}~{digest[:8]}"


def segment_path(recording, start, end, label, score):
    """The path of a clip in its folder, str.

    Args:
      recording: what `recording_name` returns.
      start: in seconds of the recording.
      end: as start.
      label: of the clip's class.
      score: from 0 to 1.
    """
    return os.path.join(safe_name(label), f"{recording}_{start:010.3f}-{end:010.3f}s_{score:.2f}.wav")


def recording_of(name):
    """The recording that a clip of this name was cut out of, as `recording_name` has it; None: the name tells none."""
    match = NAME.match(name)
    return match and match[2]


def segment_of(name):
    """The recording and the times in a clip's name, which stay when it is corrected; None: the name tells none."""
    match = NAME.match(name)
    return match and match[1]


def safe_name(text):
    """A text as the name of a file or folder on any system, distinct for distinct texts, visible in listings.

    What no name may hold is as in a URL: dog/cat becomes dog%2Fcat. Long ones end with a hash.
    """
    letters = list(text)
    for place, letter in enumerate(letters):
        at_end = (place == 0 and letter in ". ~") or (place == len(letters) - 1 and letter in ". ")
        if letter in UNSAFE or not letter.isprintable() or at_end:
            letters[place] = _escaped(letter)
    if RESERVED.fullmatch(text):
        letters[0] = _escaped(letters[0])
    name = "".join(letters)
    if len(name.encode()) <= MOST_BYTES:
        return name
    return f"{name.encode()[:MOST_BYTES].decode(errors='ignore')}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _escaped(letter):
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogateescape"))
