"""What a person can mend: bad input, and what the operating system refuses; each has one line."""

import errno
import os
import re
import sys

# What TensorFlow's errors say of files. Its codes do not tell: that of a full disk is also that of a full memory.
DAMAGED = "is damaged; start again: it is then made anew"  # a file of the cache
_OF_FILES = [DAMAGED] + [
    os.strerror(getattr(errno, name))
    for name in (
        *("EACCES", "EDQUOT", "EFBIG", "EIO", "EISDIR", "EMFILE", "ENAMETOOLONG", "ENFILE"),
        *("ENOENT", "ENOSPC", "ENOTDIR", "EPERM", "EROFS", "ESTALE"),
    )
    if hasattr(errno, name)
]
_PLACES = re.compile(r"Error in user-defined function passed to .*? with iterator: \S+ |\{\{.*?\}\} *|\[Op:.*")
# What it puts around the text of an assertion, in a graph or outside.
_ASSERTED = re.compile(r"^assertion failed: \[|\]$|^Expected '.*b['\"]|['\"]$")


class InputError(ValueError):
    """Bad input or settings. Its text is one line: what was wrong, where, and what to do.

    Commands print it and exit with 2, without a traceback (see `command.run`).
    """


class Refused(SystemExit):
    """The end of a command, with code 2, for which neither settings nor input can be blamed: see `file_fault`."""


def reason(error):
    """Why a file could not be used, a few words, of an OSError; those of libraries often lack `strerror`."""
    text = " ".join(str(error.strerror or error).split())
    said = re.search(r"error message = '([^']+)'", text)  # h5py tells where in its code it was, too
    return said[1] if said else text


def system_fault(error):
    """What the operating system refused, in a line: as `file_fault`, or memory.

    Args:
      error: an exception.

    Returns:
      The line; None for any other exception.
    """
    if (fault := file_fault(error)) is not None:
        return fault
    if isinstance(error, MemoryError):
        return f"not enough memory ({error})" if str(error) else "not enough memory"
    if _is_of_tensorflow(error, "ResourceExhaustedError"):
        return f"not enough memory ({''.join(_lines(error)[:1])}); try a smaller --batch_size"
    return None


def file_fault(error):
    """What no settings can be blamed for, in a line: a full disk, a missing right, a lost or damaged file; or None."""
    if isinstance(error, OSError):
        place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        return f"{place}: {reason(error)}" if place else reason(error)
    if _is_of_tensorflow(error, "OpError"):
        for line in _lines(error):  # of `fit`, the first ones only say where in the graph
            if any(fault in line for fault in _OF_FILES):
                return _ASSERTED.sub("", line)
    return None


def _is_of_tensorflow(error, name):
    tensorflow = sys.modules.get("tensorflow")  # which takes seconds to load
    return tensorflow is not None and isinstance(error, getattr(tensorflow.errors, name))


def _lines(error):
    """The lines of a TensorFlow error without the places in the graph, or in a pipeline."""
    return [_PLACES.sub("", line).strip() for line in error.message.splitlines()]
