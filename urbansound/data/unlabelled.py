"""Recordings without labels, cut into windows that teachers say what is heard in."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from urbansound.audio.stream import open_stream
from urbansound.data import audio_files, cache, sealed
from urbansound.errors import InputError, reason
from urbansound.progress import bar
from urbansound.text import shown

FORMAT = 1
FOLDER = "windows"  # in the cache: how many windows a recording has; the windows are waveforms of the cache


def windows(config):
    """Cache files of the windows of all recordings in a folder, cut now where the cache lacks them.

    Windows follow each other without overlap; what is left at the end counts from half a window on, or where it is all.
    What the folder holds besides recordings is counted on stderr, and recordings that are broken, of which what comes
    before the fault is taken.

    Args:
      config: a Config; the folder is its unlabelled_dir.

    Returns:
      List of str; none without such a folder.

    Raises:
      InputError: no recording is in the folder, or none can be read.
      OSError: the cache folder can't be written.
    """
    folder = config.distill.unlabelled_dir
    if folder is None:
        return []
    found = audio_files.find([folder])
    if found.summary:
        print(shown(f"{folder}: {found.summary}"), file=sys.stderr)
    entries, faults = [], []
    with bar("cutting recordings", unit="recording") as on_progress:
        for done, path in enumerate(found.files, start=1):
            cut, fault = _windows(path, config)
            entries += cut
            faults += [f"{path}: {fault}"] if fault else []
            on_progress(done, len(found.files))
    if not entries:
        raise InputError(f"{folder}: holds no recording that can be read{f' ({faults[0]})' if faults else ''}")
    if faults:
        print(shown(f"{len(faults)} of {len(found.files)} recordings break off: {faults[0]}"), file=sys.stderr)
    return entries


def _windows(path, config):
    """(cache files, fault or "") of the windows of a recording."""
    audio = config.audio
    try:
        status = os.stat(path)
    except OSError as error:  # a link to nowhere
        return [], reason(error)
    file = os.path.abspath(path), status.st_size, status.st_mtime_ns
    made_of = FORMAT, cache.FORMAT, *file, audio.sample_rate, audio.clip_samples
    key = hashlib.sha256(repr(made_of).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    count = Path(config.data.cache_dir) / FOLDER / key[:2] / f"{key}.txt"
    name = lambda number: cache.place(f"{key}-{number}", config.data.cache_dir)  # noqa: E731
    if (payload := sealed.read(count)) is not None:
        number, _, fault = payload.decode("utf-8", "surrogateescape").partition(" ")
        entries = list(map(name, range(int(number))))
        with ThreadPoolExecutor() as pool:
            if all(pool.map(cache.is_whole, entries)):
                return entries, fault
    entries, fault = [], ""
    try:
        with open_stream(path, audio.sample_rate) as stream:
            for number, window in enumerate(_cut(stream.blocks(), audio.clip_samples)):
                entries.append(name(number))
                cache.write(entries[-1], window)
            fault = stream.fault or ""
    except InputError as error:
        fault = str(error)
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
