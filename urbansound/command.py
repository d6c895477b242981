"""What every command shares: flags read by absl, exit codes, errors in one line, where runs are put.

A command's module docstring is its help text: what it does, then examples of use.
"""

import math
import os
import signal
import sys
import time

from absl import app, flags

from urbansound.errors import InputError, Refused, file_fault, system_fault
from urbansound.files import read_text
from urbansound.text import shown

FLAG_FILES, FLAG_FILES_DEEP = 1000, 20  # that a command reads, and that name one another
LONGEST = 1000  # letters of an error, from which its middle is left out: absl quotes a flag's whole value


def run(main, takes_paths=False):
    """Parse the command line with absl and call `main(argv)`; never returns.

    Args:
      main: gets argv without flags; returns the exit code, or None for 0.
      takes_paths: whether arguments that are no flags are accepted.

    Exit codes: 0 done, or help shown; 1 a bug, with its traceback; 2 bad flags or input, or what the operating
    system refuses (a full disk, a missing right), in one line on stderr; 130 interrupted; 141 nobody reads the output.
    """
    # Hides TensorFlow's C++ start-up notices, unless the user has set a level.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if sys.stdout is None:  # nothing would be said, and a file that is opened next would take its number
        _fail("standard output is closed; send it to a file, or to /dev/null")
    app.run(lambda argv: _guarded(main, argv, takes_paths), flags_parser=_parse)


def default_run_dir(settings, kind=""):
    """The run directory of a Config where no --run_dir is given: runs/[KIND]DATASET-MODEL-TIME."""
    return f"runs/{kind}{settings.data.dataset}-{settings.model.model}-{time.strftime('%Y%m%d-%H%M%S')}"


def _guarded(main, argv, takes_paths):
    try:
        if len(argv) > 1 and not takes_paths:
            raise InputError(f"unexpected argument '{argv[1]}'; flags are written --name=value")
        code = main(argv)
        sys.stdout.flush()
        sys.exit(code)
    except InputError as error:
        _fail(error)
    except KeyboardInterrupt as error:
        _say(": ".join(["interrupted", *map(str, error.args)]))
        sys.exit(130)
    except Exception as error:
        if (fault := system_fault(error)) is None:
            raise
        _close_if_full(error)
        _fail(fault, SystemExit if file_fault(error) is None else Refused)


def _parse(argv):
    try:
        _check_flag_files(argv[1:])
        rest = flags.FLAGS(argv)
        _check_numbers()
        return rest
    except SystemExit:  # a help flag, which absl ends with 1
        _guarded(lambda _: 0, [], takes_paths=False)
    except OSError as error:  # of its text, where the disk is full
        _close_if_full(error)
        _fail(system_fault(error))
    except (flags.Error, InputError, ValueError) as error:  # absl has a ValueError for --noFLAG=1
        _fail(error)


def _check_numbers():
    """Raise InputError for a flag that is NaN or infinite: absl's limits let NaN through."""
    for name in flags.FLAGS:
        value = flags.FLAGS[name].value
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name} must be a finite number. Received: {value}")


def _check_flag_files(arguments):
    """Raise InputError for a flag file that can't be read, or files that name one another without an end.

    absl reads a device for ever and follows names until Python's stack is full.
    """
    waiting, files = [(arguments, 0)], 0
    while waiting:
        lines, deep = waiting.pop()
        for place, line in enumerate(lines):
            if line == "--" and deep == 0:
                break  # what follows are no flags
            flag, _, path = line.partition("=")
            if flag not in ("--flagfile", "-flagfile"):
                continue
            path = path or "".join(lines[place + 1 : place + 2])
            files += 1
            if deep == FLAG_FILES_DEEP or files > FLAG_FILES:
                most = f"{FLAG_FILES_DEEP} deep, or are more than {FLAG_FILES}"
                raise InputError(f"{path}: flag files name one another more than {most}; join them")
            waiting.append((read_text(os.path.expanduser(path.strip().strip("\"'"))).splitlines(), deep + 1))


def _fail(error, end=SystemExit):
    line = shown(" ".join(str(error).split()))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    _say(f"error: {line}")
    raise end(2)


def _close_if_full(error):
    """Forget standard output where it takes no more: Python would try again as it ends, and make the exit code 120.

    Where it is a pipe whose reader has ended, as of `| head`, the process ends without a word.
    """
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = None
    if isinstance(error, BrokenPipeError):
        sys.stdout = None
        sys.exit(128 + signal.SIGPIPE)


def _say(line):
    """Print a line on stderr. Where that is a file on a full disk, the exit code stays what it is."""
    try:
        print(shown(line), file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None  # Python would try again as it ends, and make the exit code 120
