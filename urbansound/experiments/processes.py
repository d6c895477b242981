"""Runs that train in processes of their own, so that they share nothing and a fault ends one of them."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys

from urbansound import cores
from urbansound.data import prepare
from urbansound.errors import InputError
from urbansound.run import Run
from urbansound.text import shown
from urbansound.training import begun, teachers


class RunError(InputError):
    """A run that ended before its end: `code` is its process's exit code, `said` its error line in train.log, or ""."""

    def __init__(self, message, code, said=""):
        super().__init__(message)
        self.code, self.said = code, said


def begin(path, config, prepared=prepare.prepare, names=()):
    """The Run at `path`, made now where there is none.

    Args:
      path: of the run directory.
      config: a Config.
      prepared: function of the Config that returns what `prepare.prepare` does.
      names: see `begun.reopened`.

    Raises:
      InputError: it was begun with other settings, or as `begun.reopened`; the data or a setting can't be used.
    """
    if not (path / "config.json").exists():
        config.check_used()
        return teachers.new_run(path, config, *prepared(config))
    check_settings(path, Run.open(path).config, config)
    return begun.reopened(path, config.flat(), names)


def check_settings(path, kept, config):
    """Raise InputError where `config` differs from `kept`, with which `path` was begun, in more than its places."""
    moved = kept.places(config.flat())
    names = [name for name in kept.differences(config) if name not in moved]
    if names:
        raise InputError(f"{path} was begun with other settings ({', '.join(names)}); pass those, or another --run_dir")


def train(runs, jobs, *, evaluate=True, quiet=False):
    """Train every one of `runs` from where it stands, `jobs` at a time.

    Args:
      runs: Runs.
      jobs: processes at once, each with its share of the cores.
      evaluate: whether to measure each on its test fold too.
      quiet: whether each writes into its train.log; several at once do so in any case.

    Raises:
      RunError: a run failed; no other is started after it.
      KeyboardInterrupt: Ctrl-C, after every run has kept its last whole epoch.
    """
    processes, jobs = [], min(jobs, len(runs))
    with concurrent.futures.ThreadPoolExecutor(max(jobs, 1)) as pool:
        waiting = [pool.submit(_train_one, run, jobs, processes, evaluate, quiet) for run in runs]
        try:
            for future in concurrent.futures.as_completed(waiting):
                future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                # The terminal has told them already, another sender may not have; Windows knows no other.
                for process in processes:
                    if process.poll() is None and os.name == "posix":
                        process.send_signal(signal.SIGINT)
            raise


def _train_one(run, jobs, processes, evaluate, quiet):
    """Bring one run to its end: on this terminal, or into its train.log."""
    logged = quiet or jobs > 1
    if not quiet:
        _say(f"{run.path.name}: training")
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(run.file("train.log"), "a")) if logged else None
        start = log.tell() if logged else 0
        # The pipe ends with this process, however it ends: then so does the worker.
        process = subprocess.Popen(
            [sys.executable, "-m", "urbansound.experiments.worker", *_arguments(run, evaluate)],
            env={**os.environ, **cores.share(jobs)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        stack.enter_context(process.stdin)
        processes.append(process)
        code = process.wait()
    if code:
        said = _error_in(run.file("train.log"), start) if logged else ""
        what = [": ".join(filter(None, (f"{run.path.name} ended with exit code {code}", said)))]
        what += [f"see {run.file('train.log')}"] if logged else []
        raise RunError("; ".join([*what, "the same command goes on from there"]), code, said)
    if not quiet:
        _say(f"{run.path.name}: done")


def _error_in(log, start):
    """The error that a command has written into its log, from byte `start` on; "" where there is none."""
    with open(log, "rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")


def _arguments(run, evaluate):
    arguments = ["--resume", f"--run_dir={run.path}", *([] if evaluate else ["--noevaluate"])]
    texts = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in run.places.items()}
    return arguments + [f"--{name}={text}" for name, text in texts.items()]


def _say(line):
    """Print a line in one piece: `print` writes the end of a line apart, and another thread's line may come between."""
    sys.stdout.write(f"{shown(line)}\n")
    sys.stdout.flush()
