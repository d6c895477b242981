"""A folder in which commands run and are attacked: what was there before can be put back, and no process is lost."""

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from running import ROOT

HOOK = Path(__file__).resolve().parent / "hook"
LONGEST_SECONDS = 900  # of a command, which takes ten to forty on two cores with nothing else to do
GRACE_SECONDS = 5  # that children have to notice that their parent is gone


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (negative: its signal), what it printed, seconds, places that it renamed to."""

    code: int
    output: str
    errors: str
    seconds: float
    renames: tuple[str, ...] = ()

    @property
    def faults(self):
        """What a command may not do at its end, whatever was done to it, in a line each."""
        said = self.errors.strip().splitlines()
        if "Traceback (most recent call last)" in self.errors + self.output:
            return [f"a traceback: {said[-1] if said else self.output.splitlines()[-1]}"]
        if self.code == 2 and not any(line.startswith("error: ") for line in said):
            return [f"exit code 2 without an error line: {said[-1] if said else ''}"]
        if self.code not in (0, 2) and self.code >= 0:
            return [f"exit code {self.code}: {said[-1] if said else ''}"]
        return []


class World:
    """A folder `home`, always of the same name, since a run holds whole paths.

    Args:
      root: folder of the world.
      calm: function of (home, arguments) that runs a command undisturbed and returns how it Ended; default: a process.
    """

    def __init__(self, root, calm=None):
        self.root = Path(root).resolve()
        self.home = self.root / "home"
        self._calm = calm or (lambda home, arguments: self.start(arguments).end())
        self._started = 0

    def keep(self, name):
        """Keep home as it is now under a name."""
        shutil.copytree(self.home, self.root / "kept" / name, symlinks=True)

    def kept(self, name):
        """The folder that was kept under a name."""
        return self.root / "kept" / name

    def restore(self, name):
        """Make home what it was, times of files included, since the cache knows clips by them."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.kept(name), self.home, symlinks=True, dirs_exist_ok=True)

    def start(self, arguments, kill=None, prepare=None):
        """A Process of a command, in a group of its own.

        Args:
          arguments: the command and its flags.
          kill: (number, moment) of the rename at which its group is killed, see the hook.
          prepare: called in the new process before it runs.
        """
        self._started += 1
        return Process(self, arguments, self.root / f"started-{self._started}", kill, prepare)

    def run(self, arguments):
        """How a command Ended that nobody disturbs."""
        return self._calm(self.home, arguments)

    def survivors(self, seconds=GRACE_SECONDS):
        """Processes of this world that still run after that many seconds; they are killed then."""
        end = time.monotonic() + seconds
        while (found := self._processes()) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found

    def _processes(self):
        mark = f"CHAOS_RENAMES={self.root}{os.sep}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in entry.read_bytes():
                    found.append(int(entry.parent.name))
            except OSError:
                continue  # ended meanwhile, or another's
        return found


class Process:
    """A command that runs in a world; its output goes into files, which no orphan can hold up."""

    def __init__(self, world, arguments, log, kill, prepare):
        name, *flags = map(str, arguments)
        module = name if name == "export" else f"urbansound.{name}"
        self._log, self._begin = log, time.monotonic()
        environment = {**os.environ, "PYTHONPATH": f"{HOOK}{os.pathsep}{ROOT}", "CHAOS_RENAMES": f"{log}.renames"}
        if kill is not None:
            environment["CHAOS_KILL"] = f"{kill[0]}:{kill[1]}"
        with open(f"{log}.out", "w") as output, open(f"{log}.err", "w") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, *flags],
                cwd=world.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
                preexec_fn=prepare,
            )

    @property
    def running(self):
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    def wait_until(self, condition, seconds=LONGEST_SECONDS):
        """Wait until `condition()` is true, the command ends, or that many seconds are over."""
        end = time.monotonic() + seconds
        while self.running and time.monotonic() < end and not condition():
            time.sleep(0.02)

    def signal(self, number, group=True):
        """Send a signal to its group, or to the process by itself."""
        if self.running:
            (os.killpg if group else os.kill)(self.popen.pid, number)

    def children(self):
        """Process ids of its children that do its work, whichever thread has started them."""
        found = []
        for path in Path(f"/proc/{self.popen.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread or the child has ended meanwhile
                for pid in path.read_text().split():
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if b"urbansound." in command or b"multiprocessing.spawn" in command:
                        found.append(int(pid))
        return found

    def end(self):
        """Wait for its end: an Ended; one that hangs is killed, and says so."""
        try:
            self.popen.wait(LONGEST_SECONDS)
            hung = ""
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.popen.wait()
            hung = f"Traceback (most recent call last): none, it hung for {LONGEST_SECONDS} s"
        output, errors, renames = (self._read(kind) for kind in ("out", "err", "renames"))
        seconds = time.monotonic() - self._begin
        return Ended(self.popen.returncode, output, errors + hung, seconds, tuple(renames.splitlines()))

    def _read(self, kind):
        path = Path(f"{self._log}.{kind}")
        return path.read_text(errors="replace") if path.exists() else ""
