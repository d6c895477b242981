"""Fuzzing by seeded mutation: readers are fed with broken files, and must take or refuse every one of them in a line.

python tests/fuzz/run.py [--targets=graph,table,…] [--share=1] [--seed=1] [--keep=FOLDER]

Prints a table, a line per target, and as its last line one JSON object; exit code 1 where there is a fault: an
exception other than InputError, an end of the process, a file that takes more than HANG_SECONDS, or one that raises
the memory of the process by more than MEMORY_MB. A whole campaign is 100,000 files for the graph's decoder, 2,000
models and 20,000 for each other reader; --share takes a share of these. --keep gets a file for each kind of fault.
Linux, macOS.
"""

import argparse
import collections
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[1] / folder) for folder in ("support", ".."))

import seeds
import targets
from mutation import mutated
from targets import attempt

HANG_SECONDS = 20
MEMORY_MB = 64  # more than the process had before, for a file of at most 64 kB
LIMIT_MB = 8192  # address space beyond what the process has: what wants more fails instead of taking the machine's
WARM_UP = 200  # files before memory is watched: graphs are traced, pools are filled
_STATE = struct.Struct("<4q")  # number of the file at work; files taken and refused before; MB more than at the start


def main():
    """Run the campaign, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", default=",".join(targets.TARGETS))
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--worker", nargs=3, metavar=("FIRST", "END", "STATE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        first, end, state = arguments.worker
        return _work(arguments.targets, int(first), int(end), arguments.seed, state)
    figures = {}
    print("| target | files | taken | refused | faults | s | MB more |\n|---|---|---|---|---|---|---|")
    for name in arguments.targets.split(","):
        figures[name] = _campaign(name, round(arguments.share * targets.TARGETS[name].files), arguments)
        row = (name, *(figures[name][key] for key in ("files", "taken", "refused", "faults", "seconds", "mb_more")))
        print(f"| {' | '.join(map(str, row))} |", flush=True)
    print(json.dumps({"seed": arguments.seed, "hang_seconds": HANG_SECONDS, "memory_mb": MEMORY_MB, **figures}))
    return 1 if any(figure["faults"] for figure in figures.values()) else 0


def _campaign(name, files, arguments):
    """Figures of one target; a process that ends is started again after the file that ended it."""
    start, first, counts, faults = time.monotonic(), 0, collections.Counter(), []
    with tempfile.NamedTemporaryFile() as state:
        while first < files:
            Path(state.name).write_bytes(_STATE.pack(-1, 0, 0, 0))
            command = [sys.executable, __file__, f"--targets={name}", f"--seed={arguments.seed}"]
            command += ["--worker", str(first), str(files), state.name]
            process = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            faults += [json.loads(line) for line in process.stdout.splitlines()]
            number, taken, refused, more = _STATE.unpack(Path(state.name).read_bytes())
            if number < 0:
                raise RuntimeError(f"{name}: does not start: {process.stderr[-500:]}")
            counts.update(taken=taken, refused=refused)
            counts["mb_more"] = max(counts["mb_more"], more)
            if process.returncode:
                faults.append((number, _end(process.returncode)))
            first = number + 1
    _tell(name, faults, arguments)
    seconds = round(time.monotonic() - start)
    return {"files": files, **counts, "faults": len(faults), "seconds": seconds}


def _end(code):
    """What the exit code of a worker means."""
    if code == -signal.SIGALRM:
        return f"took more than {HANG_SECONDS} s"
    return f"ended the process: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"


def _tell(name, faults, arguments):
    """Print the first file of each kind of fault to stderr, and write it to the folder that keeps them."""
    files = seeds.load(targets.TARGETS[name].kind)
    kinds = collections.defaultdict(list)
    for number, fault in faults:
        kinds[fault].append(number)
    for fault, numbers in kinds.items():
        print(f"{name}: {len(numbers)} files, the first is number {numbers[0]}: {fault}", file=sys.stderr)
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            data = mutated(files, targets.TARGETS[name].tokens, arguments.seed, numbers[0])
            (arguments.keep / f"found-{name}-{arguments.seed}-{numbers[0]}").write_bytes(data)


def _work(name, first, end, seed, state):
    """Feed the target files `first` to `end`; a fault is a line on stdout, and the state says how far it is."""
    target = targets.TARGETS[name]
    files, taken, refused, most = seeds.load(target.kind), 0, 0, 0
    output = os.fdopen(os.dup(1), "w")  # what a reader prints is no line of ours
    os.dup2(2, 1)
    with targets.opened(name) as read, open(state, "r+b", buffering=0) as progress:
        for number in range(WARM_UP):
            attempt(read, mutated(files, target.tokens, seed + 1, number))
        _limit_address_space()
        before = start = _peak_mb()
        for number in range(first, end):
            progress.seek(0)
            progress.write(_STATE.pack(number, taken, refused, most))
            signal.alarm(HANG_SECONDS)
            answer = attempt(read, mutated(files, target.tokens, seed, number))
            signal.alarm(0)
            peak = _peak_mb()
            if peak - before > MEMORY_MB:
                answer = f"takes {peak - before} MB more memory"
            before, most = peak, peak - start
            taken, refused = taken + (answer is True), refused + (answer is False)
            if isinstance(answer, str):
                print(json.dumps((number, answer)), file=output, flush=True)
        progress.seek(0)
        progress.write(_STATE.pack(end - 1, taken, refused, most))
    return 0


def _peak_mb():
    """The most memory that this process has had; the unit of `ru_maxrss` is kB on Linux, bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)


def _limit_address_space():
    if sys.platform == "linux":
        has = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (has + LIMIT_MB * 2**20,) * 2)


if __name__ == "__main__":
    sys.exit(main())
