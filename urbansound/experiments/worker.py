"""`urbansound.train` in a process that ends when the process that started it does, whichever way that ended.

Its standard input is a pipe that nothing is written to: its end is the starter's. Exit codes are those of
`command.run`, but 3 where the settings can't be blamed (`errors.Refused`): a search takes 2 for a trial's fault.
"""

import os
import runpy
import signal
import sys
import threading

from urbansound.errors import Refused

REFUSED = 3


def _end_with_starter():
    while os.read(0, 1):  # not sys.stdin, whose lock Python wants as it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # at once: whole epochs are kept


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.argv[0] = "urbansound.train"
    try:
        runpy.run_module("urbansound.train", run_name="__main__", alter_sys=True)
    except Refused:
        sys.exit(REFUSED)
