"""Audio files on disk: which ones a folder holds, which of them are one file, which hold the same bytes.

Training, `predict`, `detect` and the client of a server choose files by `search`.
"""

import collections
import dataclasses
import fnmatch
import hashlib
import os
import re
import stat
from pathlib import Path

from urbansound.digest import sha256
from urbansound.errors import InputError
from urbansound.files import CLIP_SETTINGS, LOCK

# What libsndfile decodes, by ending.
AUDIO_ENDINGS = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".voc", ".sph"),
)
# Sound that libsndfile does not decode.
FOREIGN_ENDINGS = (".m4a", ".aac", ".mp4", ".wma", ".amr", ".3gp", ".webm", ".mka", ".ac3", ".ape", ".wv")
# Other kinds of what a folder holds.
FOLDER, AUDIO, HIDDEN, NO_ENDING, NO_FILE = "folder", "audio", "hidden", "without ending", "pipes or devices"
FOLDER_AGAIN, FILE_AGAIN = "links to folders searched already", "further names of files found already"
KINDS_SHOWN = 8
BEGINNING = 2**14  # bytes
OWN_FILES = (LOCK, CLIP_SETTINGS)  # that commands leave in a folder of clips; not worth a word
WILD = re.compile(r"[*?\[]")  # what makes a name a pattern
ANY_FOLDERS = "**"


@dataclasses.dataclass
class Found:
    """What a search found.

    Attributes:
      files: paths of the audio files, str.
      passed_over: {kind: paths} of the rest; a kind is an ending in small letters, such as ".txt", or one of the
        words above.
    """

    files: list[str] = dataclasses.field(default_factory=list)
    passed_over: dict[str, list[str]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))

    def add(self, other):
        """Append what another search found."""
        self.files += other.files
        for kind, paths in other.passed_over.items():
            self.passed_over[kind] += paths

    @property
    def foreign(self):
        """Paths of sound files that libsndfile does not decode."""
        return [path for ending in FOREIGN_ENDINGS for path in self.passed_over.get(ending, ())]

    @property
    def summary(self):
        """'passed over: 12 .txt, 3 hidden, 1 .m4a (libsndfile reads none)', most frequent first; '' for nothing."""
        kinds = sorted(self.passed_over.items(), key=lambda item: (-len(item[1]), item[0]))
        counts = [f"{len(paths)} {kind}{_note(kind)}" for kind, paths in kinds[:KINDS_SHOWN]]
        if rest := kinds[KINDS_SHOWN:]:
            counts.append(f"{sum(len(paths) for _, paths in rest)} of {len(rest)} other kinds")
        return f"passed over: {', '.join(counts)}" if counts else ""


def _note(kind):
    return " (libsndfile reads none)" if kind in FOREIGN_ENDINGS else ""


def find(paths):
    """The audio files among `paths`: a file as it is, whatever its name; of a folder, what `search` finds in it.

    A path that is neither may be a pattern: *, ? and [...] as `fnmatch` reads them, within one name; the name ** for
    any number of folders, links and hidden ones excepted. Of what matches, `search` finds the audio files. A name that
    exists is no pattern, whatever signs it has.

    Returns:
      Found, its files in the order of `paths`.

    Raises:
      InputError: a path that is neither file nor folder, or a pattern of none; a folder that can't be read; no audio
        file at all.
    """
    found = Found()
    for path in map(str, paths):
        if os.path.isdir(path):
            found.add(search(entries(path), above(path)))
        elif os.path.isfile(path):
            found.files.append(path)
        else:
            found.add(_matched(path))
    if not found.files:
        passed_over = f" ({found.summary})" if found.summary else ""
        raise InputError(f"no audio files ({' '.join(AUDIO_ENDINGS)}) in {', '.join(map(str, paths))}{passed_over}")
    return found


def _matched(path):
    """Found of a path that does not exist as it stands."""
    folder, names = _existing(path)
    if not WILD.search("/".join(names)):
        raise InputError(f"{path}: no such file or folder")
    if not (matching := list(_matching(folder or os.curdir, names))):
        raise InputError(f"{path}: a pattern that no file or folder matches")
    found = search(matching, above(folder or os.curdir))
    if not folder:  # as a shell writes them
        found.files = [file.removeprefix(os.path.join(os.curdir, "")) for file in found.files]
    return found


def _existing(path):
    """(folder, names): the longest beginning of a path that is a folder as it stands, and the names that follow."""
    folder, names = Path(path).anchor, list(Path(path).parts)
    del names[: bool(folder)]
    while names and os.path.isdir(os.path.join(folder, names[0])):
        folder = os.path.join(folder, names.pop(0))
    return folder, names


def _matching(folder, names):
    """Yield the DirEntries below a folder whose path matches a pattern, given name by name."""
    name, *rest = names
    if name == ANY_FOLDERS and rest:
        yield from _matching(folder, rest)
    for entry in entries(folder):
        matches = name == ANY_FOLDERS or fnmatch.fnmatchcase(entry.name, name)
        if matches and not rest:
            yield entry
        elif matches and _is_open(entry, name):
            yield from _matching(entry.path, names if name == ANY_FOLDERS else rest)


def _is_open(entry, name):
    """Whether a pattern's name leads into this entry."""
    hidden = entry.name.startswith(".") and not name.startswith(".")
    followed = name != ANY_FOLDERS or not entry.is_symlink()
    return not hidden and followed and os.path.isdir(entry.path)  # false for a link that leads nowhere, or to itself


def search(listed, above):
    """The audio files, by their endings, among `listed` and in all sub-folders.

    Each real folder is entered once and each real file taken once, whatever links lead there; a name that is no
    link goes before those that are. Names that begin with a dot are passed over.

    Args:
      listed: what `entries` returns, or some of it.
      above: what `above` returns of their folder; a link that leads back there is not followed.

    Returns:
      Found, its files in alphabetical order, folder by folder.

    Raises:
      InputError: a folder that can't be read.
    """
    found, seen = Found(), set(above)
    names, links = list(listed), []
    for waiting in (names, links):
        for entry in waiting:  # which grows meanwhile
            if entry.name in OWN_FILES:
                continue
            if entry.is_symlink() and waiting is names:
                links.append(entry)
                continue
            kind = _kind(entry, seen)
            if kind == FOLDER:
                waiting.extend(entries(entry.path))
            elif kind == AUDIO:
                found.files.append(entry.path)
            else:
                found.passed_over[kind].append(entry.path)
    found.files.sort(key=Path)
    return found


def entries(folder):
    """DirEntries of all that a folder holds, in alphabetical order.

    Raises:
      InputError: it can't be read.
    """
    try:
        with os.scandir(folder) as listed:
            return sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: can't be read ({error.strerror}); permit it, or name other folders") from None


def above(folder):
    """Identities of a folder and of all folders that it lies in, by its path as written and by its real path."""
    places = Path(os.path.abspath(folder)), Path(folder).resolve()
    return {_identity(os.stat(path)) for place in places for path in (place, *place.parents)}


def _kind(entry, seen):
    """FOLDER and AUDIO of what is new, whose identity is then in `seen`; else the kind that is passed over."""
    if entry.name.startswith("."):
        return HIDDEN
    ending = os.path.splitext(entry.name)[1].lower()
    status = _status(entry.path)
    is_folder = status is not None and stat.S_ISDIR(status.st_mode)
    if not is_folder and ending not in AUDIO_ENDINGS:
        return ending or NO_ENDING
    if status is None:
        return AUDIO  # a broken link: who opens it says so
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return NO_FILE
    known, new = (FOLDER_AGAIN, FOLDER) if is_folder else (FILE_AGAIN, AUDIO)
    if _identity(status) in seen:
        return known
    seen.add(_identity(status))
    return new


def identity(path):
    """What all names of one file have in common, links and hard links too; None where there is no regular file."""
    status = _status(path)
    return _identity(status) if status is not None and stat.S_ISREG(status.st_mode) else None


def _identity(status):
    return status.st_dev, status.st_ino


def _status(path):
    try:
        return os.stat(path)
    except (OSError, ValueError):  # a name that no file can have is a ValueError
        return None


def same_bytes(paths):
    """Files whose bytes are the same.

    Only files of one size are opened, and read whole only where their beginnings are the same.

    Args:
      paths: of files.

    Returns:
      List of lists of two or more indices into `paths`, in order.

    Raises:
      OSError: a file can't be read.
    """
    groups = [range(len(paths))]
    for key in (os.path.getsize, _beginning, sha256):
        groups = [alike for group in groups for alike in _alike(group, lambda i, key=key: key(paths[i]))]
    return groups


def _alike(items, key):
    """Lists of the two or more items that have one key."""
    by_key = collections.defaultdict(list)
    for item in items:
        by_key[key(item)].append(item)
    return [group for group in by_key.values() if len(group) > 1]


def _beginning(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(BEGINNING)).digest()


def as_text(path):
    r"""A path as text that can be written: bytes that are not UTF-8 become escapes such as \xe9."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
