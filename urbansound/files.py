"""Small files read within limits; files and folders written so that a crash leaves the old or the new; locks."""

import contextlib
import csv
import json
import math
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd

from urbansound.errors import InputError, reason

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# Columns of names, which are text even where they look like a number or a missing value ("None", "NA", "1e5").
NAMES = (
    *("path", "label", "recording", "predicted", "second", "third", "fault"),
    *("stage", "run_dir", "architectures", "origin", "data_sets", "sha256", "condition"),
)
TYPES = {"salience": "Int64", "seconds": float}
MAX_TEXT_BYTES = 2**24
MAX_LINE = 2**20
PARTS = ".*.part.*"  # names of what is being written
LOCK = ".lock"
CLIP_SETTINGS = ".detect.json"  # in the folder of detect's clips: how they were cut


def read_text(path):
    """The text of a file of settings or names, UTF-8.

    Raises:
      InputError: there is no such file, it is a device or pipe, larger than MAX_TEXT_BYTES, or no text.
    """
    with _in_words(path):
        if _size(path) > MAX_TEXT_BYTES:
            raise InputError(f"{path}: not a text file of at most {MAX_TEXT_BYTES} bytes")
        return Path(path).read_text(encoding="utf-8")


def read_lines(path):
    """The lines of a text file of any size, UTF-8 with or without a mark of that, one after another with their ends.

    Raises:
      InputError: there is no such file, it is a device or pipe, no text, or a line has more than MAX_LINE characters.
    """
    with _in_words(path):
        _size(path)
        # A byte that is not UTF-8 becomes a surrogate, so that the line that holds it is known.
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), ""), start=1):
                if len(line) > MAX_LINE:
                    raise InputError(f"{path}: line {number} has more than {MAX_LINE} characters; not a table")
                try:
                    line.encode()
                except UnicodeEncodeError:
                    raise InputError(
                        f"{path}: line {number} is not text in UTF-8; save the file again as such"
                    ) from None
                yield line


def _size(path):
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: not a file")
    return status.st_size


@contextlib.contextmanager
def _in_words(path):
    """Raise InputError where a text file can't be read."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: can't be read ({reason(error)})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 (byte {error.start})") from None
    except ValueError as error:  # a name that no file can have
        raise InputError(f"{path}: can't be read ({error})") from None


@contextlib.contextmanager
def replacing(path, durable=True):
    """Yield a path next to `path` to write to; it takes `path`'s place when the block succeeds.

    The ending is kept, since writers choose their format by it.

    Args:
      path: of the file.
      durable: whether it outlives a loss of power from here on, for which a disk takes milliseconds.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    try:
        yield part
        if durable:
            _sync(part)
        os.replace(part, path)
        if durable:
            _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path):
    """Yield a folder next to `path` that takes its place when the block succeeds, and is gone when it does not.

    What processes that were killed have left of this folder is removed first, as far as there are locks.

    Args:
      path: of the folder: absent, or an empty folder.

    Raises:
      InputError: something else is there when the block succeeds.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(PARTS):
        if left.name.endswith(f".part.{path.name}") and left.is_dir():
            _remove_unless_locked(left)
    part = _part(path)
    part.mkdir()
    try:
        with lock(part):
            yield part
            try:
                if os.name != "posix" and path.is_dir():
                    path.rmdir()  # which POSIX does as it renames
                os.rename(part, path)
            except OSError as error:
                raise InputError(f"{path}: can't be made ({reason(error)}); name a folder that is not there") from None
            (path / LOCK).unlink(missing_ok=True)  # now: while it was a part, others might have removed it
        _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def lock(folder):
    """Hold a folder against other processes; what they left half-written in it is removed. Yields whether it is held.

    The kernel lets go of it when the process ends, however it ends. Windows and some network file systems have no
    such locks: there nothing is held and nothing removed.

    Raises:
      InputError: another process holds it.
    """
    if fcntl is None:  # nor would Windows rename or remove a folder with an open file in it
        yield False
        return
    with open(Path(folder) / LOCK, "a") as file:
        held = _held(file, folder)
        if held:
            remove_parts(folder)
        yield held


def remove_parts(folder, names=PARTS, before=math.inf):
    """Delete the files that processes which were killed have left half-written in a folder that is locked.

    Args:
      folder: the folder.
      names: a pattern of paths in it.
      before: only files that were last written before this time, in seconds as `time.time` counts them: in a folder
        that is not locked, younger ones may be a living process's.
    """
    for part in Path(folder).glob(names):
        with contextlib.suppress(OSError):  # another process removes it, or another user owns it
            if part.is_file() and part.stat().st_mtime < before:
                part.unlink()


def check_folder(path, flag):
    """Raise InputError where no folder can be at `path`, the value of `flag`: a file is there, or where a parent is."""
    for place in (Path(path), *Path(path).parents):
        if os.path.lexists(place):
            if not place.is_dir():
                raise InputError(f"{place}: not a folder; pass another {flag}")
            return


def is_free(path):
    """Whether a new folder can be made at `path`: nothing is there, or an empty folder that nobody works in."""
    path = Path(path)
    if not path.exists():
        return True
    return path.is_dir() and not any(path.iterdir()) and not path.samefile(os.curdir)


def _held(file, folder):
    """Lock an open file of a folder for this process; False where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{folder}: another process is at work on it; wait for its end, or end it") from None
    except OSError:
        return False
    return True


def _remove_unless_locked(folder):
    with contextlib.suppress(InputError, OSError), lock(folder) as held:
        if held:
            shutil.rmtree(folder, ignore_errors=True)


def _part(path):
    return path.with_name(f".{os.getpid()}.part.{path.name}")


def _sync(path):
    """Wait until a file, or a folder's list of names, is on the disk."""
    if not path.is_dir():
        _sync_descriptor(os.open(path, os.O_RDWR))
    elif os.name == "posix":
        with contextlib.suppress(OSError):  # not every file system does so for folders
            _sync_descriptor(os.open(path, os.O_RDONLY))


def _sync_descriptor(descriptor):
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path, text):
    """Write `text` to `path` in one step."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write `value` to `path` as indented JSON, NaN refused, in one step."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path):
    """The object {name: value} in a JSON file.

    Raises:
      InputError: as `read_text`; it holds no JSON, or no object.
    """
    text = read_text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return value


def write_csv(path, table):
    """Write a DataFrame to `path` without its index, in one step."""
    write_text(path, csv_text(table))


def csv_text(table):
    """A DataFrame without its index as CSV that `pandas.read_csv` reads back equal.

    Names are written as they are, also such as a spreadsheet takes for a formula (=1+1).
    """
    text = table.to_csv(index=False)
    # To pandas, as it reads, a carriage return ends a line unless it is in quotes, in which pandas does not put it.
    return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC) if "\r" in text else text


def read_csv(path, columns=()):
    """The DataFrame that `write_csv` wrote to `path`; columns in NAMES are text, those in TYPES of these types.

    Raises:
      InputError: there is no such file, it is no such table, or lacks one of `columns`.
    """
    types = dict.fromkeys(NAMES, str) | TYPES
    try:
        with np.errstate(invalid="ignore"):  # an infinite integer: what comes of it is refused
            table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    except (OSError, ValueError, TypeError, OverflowError) as error:
        fault = reason(error) if isinstance(error, OSError) else error
        raise InputError(f"{path}: not a table ({fault})") from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{path}: has no column {missing[0]}")
    names = [name for name in NAMES if name in table]
    return table.assign(**table[names].fillna(""))
