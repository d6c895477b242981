"""Recordings without labels, cut into windows that teachers say what is heard in."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from urbansound.audio.stream import open_stream
from urbansound.data import audio_files, cache, sealed
from urbansound.errors import InputError, reason
from urbansound.files import read_csv
from urbansound.progress import bar
from urbansound.text import shown

FORMAT = 1
FOLDER = "windows"  # in the cache: how many windows a recording has; the windows are waveforms of the cache
COLUMNS = ("folder", "path", "bytes")


def recordings(config):
    """The recordings of a Config's unlabelled_dir.

    Returns:
      (DataFrame of folder, path in it and bytes; how many files of other kinds the folder holds, in words). None and
      "" without such a folder.

    Raises:
      InputError: no such folder, or no recording in it; a path that is not UTF-8.
    """
    folder = config.distill.unlabelled_dir
    if folder is None:
        return None, ""
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder; point --unlabelled_dir at a folder of recordings")
    found = audio_files.find([folder])
    paths = [os.path.relpath(path, folder) for path in found.files]
    if strange := [path for path in paths if path != audio_files.as_text(path)]:
        raise InputError(f"{shown(os.path.join(folder, strange[0]))}: its path is not UTF-8; rename it")
    rows = {"folder": os.path.abspath(folder), "path": paths, "bytes": list(map(_size, found.files))}
    return pd.DataFrame(rows), found.summary


def of_run(run):
    """`recordings` as a Run began with them; None where there were none."""
    path, moved = run.file("unlabelled.csv"), run.places.get("unlabelled_dir")
    if not path.exists():
        return None
    table = read_csv(path, COLUMNS)
    return table if moved is None else table.assign(folder=os.path.abspath(moved))


def paths(table):
    """Where the recordings of a table lie, a list of str."""
    return [os.path.join(*place) for place in zip(table.folder, table.path, strict=True)]


def windows(table, config):
    """Cache files of the windows of recordings, cut now where the cache lacks them.

    Windows follow each other without overlap; what is left at the end counts from half a window on, or where it is all.
    Of a broken recording, what comes before the fault is taken; how many are broken, a line on stderr says.

    Args:
      table: as `recordings` returns it, or None.
      config: a Config.

    Returns:
      List of str.

    Raises:
      InputError: a recording is gone or has another size; none can be read.
      OSError: the cache folder can't be written.
    """
    if table is None:
        return []
    check(table)
    files = paths(table)
    sealed.remove_parts(Path(config.data.cache_dir) / FOLDER)
    entries, faults = [], []
    with bar("cutting recordings", unit="recording") as on_progress:
        for done, path in enumerate(files, start=1):
            cut, fault = _windows(path, config)
            entries += cut
            faults += [f"{path}: {fault}"] if fault else []
            on_progress(done, len(files))
    if not entries:
        raise InputError(f"{table.folder[0]}: holds no recording that can be read ({faults[0]})")
    if faults:
        print(shown(f"{len(faults)} of {len(files)} recordings break off: {faults[0]}"), file=sys.stderr)
    return entries


def check(table):
    """Raise InputError where a recording of a table is gone, or has another size than when the run was made."""
    files = paths(table)
    changed = [path for path, size in zip(files, table.bytes, strict=True) if _size(path) != size]
    if changed:
        raise InputError(
            f"{changed[0]}: gone, or of another size than when the run was made ({len(changed)} of {len(files)} "
            "recordings are); put the old one back, pass --unlabelled_dir=FOLDER if they were moved, or start a new run"
        )


def _size(path):
    """Bytes of a file; -1 where there is none."""
    try:
        return os.path.getsize(path)
    except OSError:  # a link to nowhere
        return -1


def _windows(path, config):
    """(cache files, fault or "") of the windows of a recording."""
    audio = config.audio
    try:
        status = os.stat(path)
    except OSError as error:
        return [], reason(error)
    file = os.path.abspath(path), status.st_size, status.st_mtime_ns
    made_of = FORMAT, cache.FORMAT, *file, audio.sample_rate, audio.clip_samples
    key, cache_dir = sealed.key_of(made_of), config.data.cache_dir
    count = sealed.place(cache_dir, FOLDER, key, ".txt")

    def name(number):
        return cache.place(f"{key}-{number}", cache_dir)

    if (payload := sealed.read(count)) is not None:
        number, _, fault = payload.decode("utf-8", "surrogateescape").partition(" ")
        entries = list(map(name, range(int(number))))
        with ThreadPoolExecutor() as pool:
            if all(pool.map(cache.is_whole, entries)):
                return entries, fault
    if count.exists():
        print(f"cache: windows of {shown(path)} are damaged or lost, and cut anew", file=sys.stderr)
    entries, fault = [], ""
    try:
        with open_stream(path, audio.sample_rate) as stream:
            for number, window in enumerate(_cut(stream.blocks(), audio.clip_samples)):
                entries.append(name(number))
                cache.write(entries[-1], window)
            fault = stream.fault or ""
    except InputError as error:
        fault = str(error)
    if entries:  # else it is tried again: its rights may change, for one
        sealed.write(count, f"{len(entries)} {fault}".encode("utf-8", "surrogateescape"))
    return entries, fault


def _cut(blocks, samples):
    """Windows float32 [samples], the last one at least half of that unless it is the only one."""
    held, first = np.zeros(0, np.float32), True
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= samples:
            yield held[:samples]
            held, first = held[samples:], False
    if len(held) >= samples / 2 or (first and len(held)):
        yield held
