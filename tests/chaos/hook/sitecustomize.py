"""On the PYTHONPATH of a process under attack: counts its renames and those of its children, and kills at one of them.

CHAOS_RENAMES names a file that gets a line per rename: its place. CHAOS_KILL, where it is set, is NUMBER:MOMENT:
at the rename of that number, the first being 1, the process group is killed, "before" or "after" it.
"""

import fcntl
import os
import signal

LOG = os.environ["CHAOS_RENAMES"]
NUMBER, _, MOMENT = os.environ.get("CHAOS_KILL", "0:before").partition(":")


def _count(target):
    """The number of this rename among those of all processes that share the log."""
    with open(LOG, "a+", encoding="utf-8", errors="surrogateescape") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        number = len(log.readlines()) + 1
        log.write(f"{os.path.abspath(os.fsdecode(target))}\n")
    return number


def _watched(rename):
    def watched(source, target, **folders):
        dies = _count(target) == int(NUMBER)
        if dies and MOMENT == "before":
            os.killpg(0, signal.SIGKILL)
        rename(source, target, **folders)
        if dies:
            os.killpg(0, signal.SIGKILL)

    return watched


os.replace, os.rename = _watched(os.replace), _watched(os.rename)
