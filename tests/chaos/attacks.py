"""What is done to a command while it runs. An attack returns what it did in words, how the command ended, and faults.

Every attack takes (world, scene, whole, generator): `whole` is how the undisturbed command Ended. Afterwards nothing
hinders the command any more.
"""

import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess

import numpy as np

CACHE_HEADER = 8  # bytes
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


def killed(world, scene, whole, generator):
    """SIGKILL to the command and its children, at a random moment."""
    process = world.start(scene.start)
    share = _wait_a_share(process, whole, generator)
    process.signal(signal.SIGKILL)
    return f"at {share:.0%} of its time", process.end(), []


def killed_at_a_rename(world, scene, whole, generator, number=None, moment=None):
    """SIGKILL at a rename, random unless it is given: its number from 1, and "before" or "after"."""
    number = number or int(generator.integers(len(whole.renames))) + 1
    moment = moment or str(generator.choice(["before", "after"], p=[0.7, 0.3]))
    ended = world.start(scene.start, kill=(number, moment)).end()
    where = os.path.relpath(whole.renames[number - 1], world.home)
    return f"{moment} rename {number} of {len(whole.renames)}, to {_short(where)}", ended, []


def parent_killed(world, scene, whole, generator, name=None):
    """A signal, SIGKILL or SIGTERM, to the command only, once it has children: they have to end too."""
    process = world.start(scene.start)
    process.wait_until(process.children)
    process.wait_until(lambda: False, seconds=generator.uniform(0, whole.seconds / 3))
    name = name or str(generator.choice(["SIGKILL", "SIGTERM"]))
    process.signal(getattr(signal, name), group=False)
    ended = process.end()
    alive = world.survivors()
    return f"{name} to the parent", ended, [f"{len(alive)} children outlive their parent"] if alive else []


def child_killed(world, scene, whole, generator):
    """SIGKILL to a child only: its parent has to say so in a line."""
    process = world.start(scene.start)
    process.wait_until(process.children)
    process.wait_until(lambda: False, seconds=generator.uniform(0, whole.seconds / 4))
    for pid in process.children():
        os.kill(pid, signal.SIGKILL)
    return "SIGKILL to the child", process.end(), []


def disk_full(world, scene, whole, generator):
    """Home is a file system with room for a share of what the command writes; then it gets room again."""
    needed = _size(world.kept(f"after {scene.name}")) - _size(world.kept(scene.world))
    share = generator.uniform(0, 1)
    with _file_system(world, _size(world.kept(scene.world)) + int(share * needed)) as mounted:
        if not mounted:
            return "no file system can be mounted here", None, []
        world.restore(scene.world)
        return f"room for {share:.0%} of what it writes", world.run(scene.start), []


def large_files_refused(world, scene, whole, generator):
    """No file may be larger than a random size: the writes of large ones fail."""
    size = int(2 ** generator.uniform(6, 20))
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
    return f"no file above {size} bytes", world.start(scene.start, prepare=limit).end(), []


def read_only(world, scene, whole, generator):
    """One of the folders that it writes to can't be written."""
    folder = world.home / str(generator.choice(scene.writes))
    folder.mkdir(exist_ok=True)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        ended = world.start(scene.start, prepare=_obey_modes).end()
    finally:
        for path in folders:
            path.chmod(0o755)
    return f"{folder.name}/ is read-only", ended, []


def cache_damaged(world, scene, whole, generator):
    """Half of the cache's entries are cut or overwritten, each in another way, before the command starts."""
    entries = sorted(path for path in (world.home / "cache").rglob("*") if path.is_file())
    chosen = generator.choice(entries, len(entries) // 2, replace=False)
    for i, entry in enumerate(chosen):
        entry.write_bytes(_DAMAGES[i % len(_DAMAGES)](entry.read_bytes(), generator))
    ended = world.run(scene.start)
    faults = [] if "damaged" in ended.errors else ["not a word about damaged entries"]
    return f"{len(chosen)} of {len(entries)} entries are cut or overwritten", ended, faults


def clip_lost(world, scene, whole, generator):
    """A clip vanishes or changes at a random moment; afterwards it is what it was."""
    clips = sorted((world.home / "data").rglob("*.wav"))
    clip, how = clips[generator.integers(len(clips))], str(generator.choice(["vanishes", "changes"]))
    process = world.start(scene.start)
    share = _wait_a_share(process, whole, generator)
    # Before the command has looked for clips, a lost one is none of them, and other results are right.
    process.wait_until(lambda: any((world.home / "runs").rglob("clips.csv")))
    if how == "vanishes":
        clip.unlink(missing_ok=True)
    else:
        clip.write_bytes(clips[0 if clip != clips[0] else 1].read_bytes())
    ended = process.end()
    shutil.copy2(world.kept(scene.world) / clip.relative_to(world.home), clip)
    return f"{clip.relative_to(world.home)} {how} at {share:.0%}", ended, []


def two_on_one_cache(world, scene, whole, generator):
    """Another one with results of its own starts at the same time, on the same empty cache."""
    other = tuple(argument.replace("=runs/", "=runs/other_") for argument in scene.start)
    processes = [world.start(arguments) for arguments in (scene.start, other)]
    ended, second = (process.end() for process in processes)
    return "two at once", ended, [f"the other: exit code {second.code}", *second.faults] if second.code else []


def started_twice(world, scene, whole, generator):
    """The same results are begun by a second one while the first is at work: it has to be refused."""
    process = world.start(scene.start)
    begun = world.home / (scene.results or "data")
    process.wait_until(begun.exists)
    process.wait_until(lambda: False, seconds=generator.uniform(0, whole.seconds / 3))
    at_work = process.running
    second = world.run(scene.command_after(world.home))
    overlapped = at_work and process.running
    faults = [f"the second: {fault}" for fault in second.faults]
    if overlapped and scene.locks and second.code != 2:
        faults.append(f"the second was not refused: exit code {second.code}")
    return f"a second, which ended with {second.code}", process.end(), faults


# The scenes, by their names, that each attack fits.
ATTACKS = {
    killed: ("train", "crossval", "search", "evaluate", "export", "predict", "detect"),
    killed_at_a_rename: ("train", "crossval", "search", "evaluate", "export", "detect"),
    parent_killed: ("crossval", "search", "detect"),
    child_killed: ("crossval", "search", "detect"),
    disk_full: ("train", "crossval", "search", "evaluate", "export", "predict", "detect"),
    large_files_refused: ("train", "crossval", "search", "evaluate", "export", "detect"),
    read_only: ("train", "crossval", "search", "evaluate", "export", "predict", "detect"),
    cache_damaged: ("train, warm cache", "evaluate", "export"),
    clip_lost: ("train", "crossval", "search", "evaluate", "export"),
    two_on_one_cache: ("train", "crossval", "search"),
    started_twice: ("train", "crossval", "search", "evaluate", "export", "detect"),
}


def _wait_a_share(process, whole, generator):
    """Wait for a random share of the undisturbed command's time, seldom while it only imports; the share."""
    share = generator.uniform(0.2, 1)
    process.wait_until(lambda: False, seconds=share * whole.seconds)
    return share


def _short(path):
    return re.sub(r"[0-9a-f]{28,}", "…", path)


def _size(folder):
    """Bytes that a folder's files and folders take in pages."""
    return sum(4096 * (1 + (path.stat().st_size - 1) // 4096 + 1) for path in folder.rglob("*"))


@contextlib.contextmanager
def _file_system(world, room):
    """Home as a file system of `room` bytes, and afterwards as before; yields whether there is the right to mount."""
    shutil.rmtree(world.home, ignore_errors=True)
    world.home.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", f"size={room}", "chaos", str(world.home)]
    if subprocess.run(call, capture_output=True, check=False).returncode:
        yield False
        return
    outside = world.root / "outside"
    try:
        yield True
        shutil.copytree(world.home, outside, symlinks=True)
    finally:
        subprocess.run(["umount", "-l", str(world.home)], check=True)
    world.home.rmdir()
    outside.rename(world.home)


def _obey_modes():
    """Take from root the right to pass over modes of files."""
    libc = ctypes.CDLL(None)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def _bit_flipped(data, generator):
    flipped = bytearray(data)
    flipped[generator.integers(CACHE_HEADER, len(data))] ^= 1 << int(generator.integers(8))
    return bytes(flipped)


_DAMAGES = (
    lambda data, generator: data[: generator.integers(len(data))],
    lambda data, generator: b"",
    lambda data, generator: bytes(len(data)),
    lambda data, generator: generator.bytes(len(data)),
    lambda data, generator: data[:CACHE_HEADER] + generator.bytes(len(data) - CACHE_HEADER),
    lambda data, generator: np.float32("nan").tobytes() + data[4:],
    lambda data, generator: data[:4] + bytes(4),  # no samples
    _bit_flipped,
)
