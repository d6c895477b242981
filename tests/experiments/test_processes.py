"""Runs in processes of their own: they end with the process that started them."""

import os
import signal
import subprocess
import sys
import time

import pytest
from small_run import run_of

from running import ROOT
from urbansound import files
from urbansound.errors import InputError
from urbansound.experiments import processes, worker

# Starts the training of a run as a cross-validation does.
TRAIN = """
import sys
from urbansound.experiments import processes
from urbansound.run import Run
processes.train([Run.open(sys.argv[1])], 1)
"""


def is_locked(folder):
    try:
        with files.lock(folder):
            return False
    except InputError:
        return True


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_ends_with_its_parent_however_that_ends(number, tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path, epochs=100_000)
    parent = subprocess.Popen([sys.executable, "-c", TRAIN, run.path], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until(run.file("history.csv").exists, 200)
        assert is_locked(run.path)
    finally:
        parent.send_signal(number)
        parent.wait()
    wait_until(lambda: not is_locked(run.path), 30)


def test_a_line_about_a_run_has_no_control_characters(capsys):
    processes._say("fold\x1b[2J: done")
    assert capsys.readouterr().out == "fold\\x1b[2J: done\n"


@pytest.mark.parametrize(
    ("argument", "code", "line"),
    [
        ("--cache_dir=file", worker.REFUSED, "can't write the cache (Not a directory)"),
        ("--epochs=9", 2, "a resumed run keeps its settings"),
    ],
)
def test_a_worker_s_exit_code_tells_what_the_system_refuses_from_bad_settings(
    argument, code, line, tone_folder, tmp_path
):
    run = run_of(tone_folder, tmp_path)
    (tmp_path / "file").touch()
    call = [sys.executable, "-m", "urbansound.experiments.worker", "--resume", f"--run_dir={run.path}", argument]
    where = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
    with subprocess.Popen(call, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **where) as process:
        said = process.stderr.read()
    assert process.returncode == code, said
    assert line in said.splitlines()[-1]
