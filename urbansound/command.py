"""What commands share: absl flags in, one line and exit code 2 on bad input, 130 on Ctrl-C; where runs lie."""

import os
import sys
import time

from absl import app, flags

from urbansound.errors import InputError


def run(main, takes_paths=False):
    """Parse the command line with absl and call `main(argv)`; never returns.

    Args:
      main: gets argv without flags; returns the exit code, or None for 0.
      takes_paths: whether arguments that are no flags are welcome.

    Exit codes: 0 done; 1 a bug, with its traceback; 2 bad flags or input, in one line on stderr;
    130 interrupted.
    """
    # TensorFlow's C++ start-up notices are for its developers; a person's own setting stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app.run(lambda argv: _guarded(main, argv, takes_paths), flags_parser=_parse)


def default_run_dir(settings, kind=""):
    """runs/[KIND-]DATASET-MODEL-TIME of a Config, where a command is told no --run_dir."""
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
    except (flags.Error, InputError) as error:
        _fail(error)


def _fail(error):
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
