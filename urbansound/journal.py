"""A journal: a file of JSON objects, a line each, to which a command adds what it has done for good."""

import json
import os
from pathlib import Path

from urbansound.errors import InputError


class Journal:
    """Entries on disk, in order; one process writes.

    Args:
      path: of the file, which is made where it is missing. Half of a last line, which a kill leaves, is taken off.

    Attributes:
      path: of the file.
      entries: list of dicts.

    Raises:
      InputError: a line before the last is no JSON object.
    """

    def __init__(self, path):
        self.path = Path(path)
        mend(self.path)
        self.entries = read(self.path)

    def add(self, entry):
        """Add an entry; it outlives a loss of power."""
        line = json.dumps(entry, allow_nan=False, ensure_ascii=True) + "\n"
        with open(self.path, "ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)


def read(path):
    """The entries of the journal at `path`, list of dicts; half of a last line, which may be being written, is left.

    Raises:
      InputError: a line before the last is no JSON object.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if lines and not _is_whole(lines[-1]):
        lines.pop()
    try:
        entries = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        entries = [None]
    if not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: damaged; delete it to begin anew")
    return entries


def mend(path):
    """Take off the last line of a journal where a kill has left half of it: what it would say is done again."""
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not _is_whole(lines[-1]):
        os.truncate(path, sum(map(len, lines[:-1])))


def _is_whole(line):
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
