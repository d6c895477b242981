"""Decoded waveforms on disk, decoded once and read back by every later epoch, fold and run.

One file per clip (see `sealed`): float32 scale, int32 number of samples, then that many int16 samples;
a sample's value is int16 * scale, so the error is at most 1.6e-5 of the clip's peak. Its name is a hash
of what made it (path, size and time of the clip, sample rate, this format), so a changed clip or
setting never meets an old file, and it is renamed into place, so an interruption leaves no half. A file
that is damaged all the same is decoded anew, and one that is damaged later ends the run.
"""

import os
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from urbansound.audio.decode import decode_in_graph
from urbansound.data import sealed
from urbansound.data.parallel import mapped, untuned

FORMAT = 2
FOLDER = "waveforms"  # in the cache
HEADER = struct.Struct("<fi")


def fill(paths, sample_rate, cache_dir, on_progress=None):
    """Decode every clip that the cache lacks, or holds damaged: how many those are, a line on stderr says.

    Args:
      paths: clips, any format that `audio.decode` reads.
      sample_rate: Hz of the cached waveforms.
      cache_dir: folder of the cache, made if absent.
      on_progress: called with (done, total) after each clip.

    Returns:
      (entries, faults): the cache file of each path in order, None where it can't be decoded; {its place: why} of
      those, in order.

    Raises:
      OSError: the cache folder can't be written; its text is an error's line, without the path.
    """
    entries = [_entry(path, sample_rate, cache_dir) for path in paths]
    with ThreadPoolExecutor() as pool:
        missing = [i for i, whole in enumerate(pool.map(is_whole, entries)) if not whole]
    if damaged := sealed.count_damaged(entries[i] for i in missing):
        print(f"cache: {damaged} damaged waveforms are decoded anew", file=sys.stderr)
    if missing:
        sealed.remove_parts(Path(cache_dir) / FOLDER)
    faults = {}
    # To trace the decoder takes half a second, which is only worth it where something is to be decoded.
    waveforms = decoded([paths[i] for i in missing], sample_rate) if missing else ()
    for done, (index, waveform, fault) in enumerate(waveforms, start=1):
        i = missing[int(index)]
        if fault := fault.numpy().decode():
            entries[i] = None
            faults[i] = fault
        else:
            write(entries[i], waveform.numpy())
        if on_progress:
            on_progress(done, len(missing))
    return entries, dict(sorted(faults.items()))


def decoded(paths, sample_rate):
    """A dataset of (index int64, waveform float32 [samples], fault string), as they get ready.

    A clip that can't be decoded has no samples and says why in `fault`, else empty.
    """
    files = tf.constant([os.fsencode(path) for path in paths], tf.string)  # a name may be no UTF-8
    dataset = tf.data.Dataset.from_tensor_slices(files).enumerate()
    dataset = mapped(dataset, lambda index, path: (index, *decode_in_graph(path, sample_rate)), deterministic=False)
    return untuned(dataset.prefetch(16))


def waveforms(entries):
    """A dataset of (index int64, waveform float32 [samples]) of cache files, in order."""
    dataset = tf.data.Dataset.from_tensor_slices(list(entries)).enumerate()
    return untuned(mapped(dataset, lambda index, entry: (index, read(entry))).prefetch(16))


def read(entry):
    """The waveform float32 [samples] in cache file `entry` (a string tensor), in-graph.

    Raises:
      tf.errors.InvalidArgumentError: the file has been damaged since `fill` saw it.
    """
    raw = tf.io.decode_raw(sealed.payload_of(entry), tf.int16)
    scale = tf.bitcast(raw[:2], tf.float32)
    return tf.cast(raw[4:], tf.float32) * scale


def _entry(path, sample_rate, cache_dir):
    status = os.stat(path)
    made_of = (FORMAT, os.path.abspath(path), status.st_size, status.st_mtime_ns, sample_rate)
    return place(sealed.key_of(made_of), cache_dir)


def place(key, cache_dir):
    """Path of the cache file of a key, str."""
    return str(sealed.place(cache_dir, FOLDER, key, ".i16"))


def is_whole(entry):
    """Whether a cache file is there and undamaged."""
    payload = sealed.read(entry)
    if payload is None or len(payload) < HEADER.size:
        return False
    scale, samples = HEADER.unpack_from(payload)
    return 0 < scale < np.inf and samples > 0 and len(payload) == HEADER.size + 2 * samples


def write(entry, waveform):
    """Write a waveform float32 [samples], at least one, to a cache file; raises OSError as `sealed.write`."""
    peak = np.max(np.abs(waveform), initial=0.0)
    scale = max(np.float32(peak / 32767), np.finfo(np.float32).tiny) if peak > 0 else np.float32(1)
    samples = np.round(waveform / scale).astype("<i2")
    sealed.write(entry, HEADER.pack(scale, len(samples)), samples.tobytes())
