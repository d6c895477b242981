"""What every command shares: flags read by absl, exit codes, errors in one line, where runs are put.

A command's module docstring is its help text: what it does, then examples of use.
"""

import os
import sys
import time

from absl import app, flags

from urbansound.errors import InputError
from urbansound.text import shown


def run(main, takes_paths=False):
    """Parse the command line with absl and call `main(argv)`; never returns.

    Args:
      main: gets argv without flags; returns the exit code, or None for 0.
      takes_paths: whether arguments that are no flags are accepted.

    Exit codes: 0 done, or help shown; 1 a bug, with its traceback; 2 bad flags or input, in one line
    on stderr; 130 interrupted.
    """
    # Hides TensorFlow's C++ start-up notices, unless the user has set a level.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app.run(lambda argv: _guarded(main, argv, takes_paths), flags_parser=_parse)


def default_run_dir(settings, kind=""):
    """The run directory of a Config where no --run_dir is given: runs/[KIND-]DATASET-MODEL-TIME."""
    return f"runs/{kind}{settings.data.dataset}-{settings.model.model}-{time.strftime('%Y%m%d-%H%M%S')}"


def _guarded(main, argv, takes_paths):
    try:
        if len(argv) > 1 and not takes_paths:
            raise InputError(f"unexpected argument '{argv[1]}'; flags are written --name=value")
        sys.exit(main(argv))
    except InputError as error:
        _fail(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _parse(argv):
    try:
        return flags.FLAGS(argv)
    except SystemExit:  # a help flag, which absl ends with 1
        sys.exit(0)
    except (flags.Error, InputError) as error:
        _fail(error)


def _fail(error):
    print(f"error: {shown(' '.join(str(error).split()))}", file=sys.stderr)
    sys.exit(2)
