"""What a person can mend: bad input, and what the operating system refuses; each has one line."""

import errno
import os
import re
import sys

# What TensorFlow's errors say of files. Its codes do not tell: that of a full disk is also that of a full memory.
_OF_FILES = ["is damaged; start again"] + [  # the first is of `data.sealed`
    os.strerror(getattr(errno, name))
    for name in ("EACCES", "EDQUOT", "EIO", "EISDIR", "ENOENT", "ENOSPC", "ENOTDIR", "EPERM", "EROFS", "ESTALE")
    if hasattr(errno, name)
]


class InputError(ValueError):
    """Bad input or settings. Its text is one line: what was wrong, where, and what to do.

    Commands print it and exit with 2, without a traceback (see `command.run`).
    """


def reason(error):
    """Why a file could not be used, a few words, of an OSError; those of libraries often lack `strerror`."""
    text = " ".join(str(error.strerror or error).split())
    said = re.search(r"error message = '([^']+)'", text)  # h5py tells where in its code it was, too
    return said[1] if said else text


def system_fault(error):
    """What the operating system refused, in a line: a full disk, a missing right, a lost file, memory.

    Args:
      error: an exception.

    Returns:
      The line; None for any other exception.
    """
    if isinstance(error, OSError):
        place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        return f"{place}: {reason(error)}" if place else reason(error)
    if isinstance(error, MemoryError):
        return f"not enough memory ({error})" if str(error) else "not enough memory"
    tensorflow = sys.modules.get("tensorflow")  # which takes seconds to load
    if tensorflow is not None and isinstance(error, tensorflow.errors.OpError):
        line = re.sub(r"\{\{.*?\}\} *|\[Op:.*", "", error.message.strip().splitlines()[0]).strip()
        if any(fault in line for fault in _OF_FILES):
            return line
        if isinstance(error, tensorflow.errors.ResourceExhaustedError):
            return f"not enough memory ({line}); try a smaller --batch_size"
    return None
