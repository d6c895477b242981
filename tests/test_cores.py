"""Cores are those that the system gives a process, fewer where it is told so, shared by several processes."""

import os
import subprocess
import sys

import pytest

from urbansound import cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores can't be taken from a process here")
def test_only_the_cores_that_the_system_gives_are_used():
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from urbansound import cores; "
    command = [sys.executable, "-c", program + "print(cores.usable())"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "1"


@pytest.mark.parametrize(("told", "usable"), [("1", 1), ("1000", None), ("0", None), ("many", None)])
def test_cores_are_at_most_those_that_the_environment_says(told, usable, monkeypatch):
    monkeypatch.delenv(cores.THREADS, raising=False)
    available = cores.usable()
    monkeypatch.setenv(cores.THREADS, told)
    assert cores.usable() == (usable or available)


def test_processes_share_the_cores(monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: 8)
    assert [cores.share(jobs) for jobs in (1, 3, 20)] == [{}, {cores.THREADS: "2"}, {cores.THREADS: "1"}]
