"""`urbansound.train` in a process that ends when the process that started it does, whichever way that ended.

Its standard input is a pipe that nothing is written to: its end is the starter's.
"""

import os
import runpy
import signal
import sys
import threading


def _end_with_starter():
    while os.read(0, 1):  # not sys.stdin, whose lock Python wants as it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # at once: whole epochs are kept


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.argv[0] = "urbansound.train"
    runpy.run_module("urbansound.train", run_name="__main__", alter_sys=True)
