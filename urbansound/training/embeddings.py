"""Pretrained models whose body does not learn: each clip's embedding computed once and kept on disk.

What stands before a model's layer "standardize" is its body, the rest its head. One file per clip
holds the body's float32 output; its name is a hash of all that made it (the cached waveform, the
settings of the log-mel, the model's name, every weight of the body), so a changed clip, setting or weight never
meets an old file, and it is renamed into place, so an interruption leaves no half.
"""

import dataclasses
import hashlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.data import cache
from urbansound.errors import InputError
from urbansound.files import replacing
from urbansound.progress import bar

FORMAT = 3  # one more whenever a body of the same weights comes to compute something else
BATCH = 16


def body(model):
    """The part of a model up to its layer "standardize", log_mel [batch, frames, n_mels] to what that gets."""
    return keras.Model(model.input, model.get_layer("standardize").input)


def is_frozen(model):
    """Whether a model has a body of weights of which none learn."""
    part = body(model)
    return bool(part.weights) and not part.trainable_weights


def head(model):
    """The part of a compiled model from its layer "standardize" on; weights, optimizer and loss are the model's own."""
    part = keras.Model(model.get_layer("standardize").input, model.output)
    part.compile(model.optimizer, model.loss, metrics=["accuracy"])
    return part


def embeddings(model, entries, config):
    """What a model's body makes of clips, from the cache where it has them.

    Args:
      model: a model with a frozen body.
      entries: cache files of the clips' waveforms; the beginning of each is heard, as in validation.
      config: the run's Config.

    Returns:
      float32 [clips, values].

    Raises:
      InputError: the cache folder can't be written.
    """
    part = body(model)
    shape, made_by = part.output.shape[1:], _digest(part.get_weights(), config)
    files = [_file(entry, made_by, config.data.cache_dir) for entry in entries]
    missing = [i for i, file in enumerate(files) if not _is_whole(file, shape)]
    compute, done = tf.function(part), 0
    with bar("embedding clips") as on_progress:
        for log_mels in _log_mels([entries[i] for i in missing], config) if missing else ():
            for values in compute(log_mels, training=False).numpy():
                _write(files[missing[done]], values)
                done += 1
            on_progress(done, len(missing))
    return np.array([np.fromfile(file, "<f4") for file in files], np.float32).reshape(-1, *shape)


def _log_mels(entries, config):
    """Batches of log-mel float32 [batch, frames, n_mels], in the order of the entries."""

    def features(index, waveform):
        return log_mel(fit_length(waveform, config.audio.clip_samples, config.data.short_clips), config.audio)

    return cache.waveforms(entries).map(features, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH)


def _digest(weights, config):
    """Hash of what a body's output follows from, the clip aside."""
    settings = (FORMAT, config.model.model, dataclasses.astuple(config.audio), config.data.short_clips)
    digest = hashlib.sha256(repr(settings).encode())
    for values in weights:
        digest.update(values.tobytes())
    return digest.hexdigest()


def _file(entry, made_by, cache_dir):
    key = hashlib.sha256(f"{made_by} {Path(entry).name}".encode()).hexdigest()[:32]
    return Path(cache_dir) / "embeddings" / key[:2] / f"{key}.f32"


def _is_whole(file, shape):
    return file.is_file() and file.stat().st_size == 4 * np.prod(shape)


def _write(file, values):
    try:
        with replacing(file) as part:
            values.astype("<f4").tofile(part)
    except OSError as error:
        raise InputError(
            f"{file}: can't write the embedding cache ({error.strerror}); pass --cache_dir=FOLDER"
        ) from None
