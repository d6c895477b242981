"""Embeddings of a frozen body: computed once per clip and kept on disk.

One file per clip (see `sealed`) holds the body's float32 output. Its name is a hash of all that made it (the cached
waveform, the settings of the log-mel, the body's layers and weights), so a changed clip, setting, layer or
weight never meets an old file. It is renamed into place, so an interruption leaves no half; a damaged one is
computed anew.
"""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.data import cache, sealed
from urbansound.data.parallel import mapped
from urbansound.progress import bar

BATCH = 16
FOLDER = "embeddings"  # in the cache


def split(network, embedding):
    """(body, head) of a network at its layer named `embedding`; layers and weights are the network's own."""
    values = network.get_layer(embedding).input
    return keras.Model(network.input, values), keras.Model(values, network.output)


def embeddings(body, entries, config):
    """Embeddings of clips, from the cache where it has them; how many are damaged there, a line on stderr says.

    Args:
      body: a keras.Model from log-mel to embeddings [batch, values], of which nothing is trained.
      entries: cache files of the clips' waveforms; the beginning of each is taken, as in validation.
      config: the run's Config.

    Returns:
      float32 [clips, values].

    Raises:
      OSError: the cache folder can't be written; its text is an error's line, without the path.
    """
    shape, made_by = body.output.shape[1:], _digest(body, config)
    files = [_file(entry, made_by, config.data.cache_dir) for entry in entries]
    found = [_read(file, shape) for file in files]
    missing = [i for i, values in enumerate(found) if values is None]
    if damaged := sealed.count_damaged(files[i] for i in missing):
        print(f"cache: {damaged} damaged embeddings are computed anew", file=sys.stderr)
    if missing:
        sealed.remove_parts(Path(config.data.cache_dir) / FOLDER)
    compute, done = tf.function(body, autograph=False), 0
    with bar("embedding clips") as on_progress:
        for log_mels in _log_mels([entries[i] for i in missing], config) if missing else ():
            for values in compute(log_mels, training=False).numpy():
                found[missing[done]] = values
                sealed.write(files[missing[done]], values.astype("<f4").tobytes())
                done += 1
            on_progress(done, len(missing))
    return np.array(found, np.float32).reshape(-1, *shape)


def _log_mels(entries, config):
    """Batches of log-mel float32 [batch, frames, n_mels], in the order of the entries."""

    def features(index, waveform):
        return log_mel(fit_length(waveform, config.audio.clip_samples, config.data.short_clips), config.audio)

    return mapped(cache.waveforms(entries), features).batch(BATCH)


def _digest(body, config):
    """Hash of what a body's output follows from, the clip aside."""
    digest = hashlib.sha256(repr((dataclasses.astuple(config.audio), config.data.short_clips)).encode())
    digest.update(_layers(body).encode())
    for values in body.get_weights():
        digest.update(values.tobytes())
    return digest.hexdigest()


def _layers(body):
    """The body's configuration as JSON, its layers named by their places: Keras numbers them by process."""
    places = {layer.name: place for place, layer in enumerate((body, *body.operations))}
    return json.dumps(_renamed(keras.saving.serialize_keras_object(body), places), sort_keys=True)


def _renamed(value, places):
    """A serialised model in which places stand for names; other text is kept, also where it equals a name."""
    match value:
        case dict():
            names = {"name": places.get(value["name"], value["name"])} if isinstance(value.get("name"), str) else {}
            return {key: _renamed(item, places) for key, item in value.items()} | names
        case [str(name), int(), int()]:  # a tensor: its layer, and where in that
            return [places.get(name, name), *value[1:]]
        case list() | tuple():
            return [_renamed(item, places) for item in value]
        case _:
            return value


def _file(entry, made_by, cache_dir):
    return sealed.place(cache_dir, FOLDER, sealed.key_of((made_by, Path(entry).name)), ".f32")


def _read(file, shape):
    """Values float32 `shape` of a clip; None where the file is gone or damaged."""
    payload = sealed.read(file)
    return (
        None if payload is None or len(payload) != 4 * np.prod(shape) else np.frombuffer(payload, "<f4").reshape(shape)
    )
