"""tf.data pipelines: cached waveforms in, batches of (log_mel, targets) out, all in-graph."""

import numpy as np
import tensorflow as tf

from urbansound import targets as kinds
from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.data import augment, cache
from urbansound.data.parallel import mapped, untuned
from urbansound.data.seeds import derive, split_seed
from urbansound.data.views import clips_per_batch, order, seed_of, views

PREFETCHED = 2  # batches that are made ahead of the step that takes them


def training_batches(entries, targets, config, first_epoch=0):
    """Endless augmented batches, `steps_per_epoch` of them an epoch; a clip's copies are neighbours.

    Args:
      entries: cache files of the training clips.
      targets: float32 [clips, classes].
      config: the run's Config.
      first_epoch: epoch to begin at, as of an unbroken run.

    Returns:
      A dataset of (log_mel float32 [batch, frames, n_mels], targets float32 [batch, classes]).
    """
    nothing = np.full(targets.shape[1], kinds.of(config.model.targets).nothing(targets.shape[1]), np.float32)
    dataset = views(entries, targets, nothing, config, first_epoch)
    return _masked_batches(dataset, len(entries), config, lambda _, targets: (targets,))


def taught_batches(lessons, first_epoch=0):
    """The same of clips that teachers were asked about.

    Args:
      lessons: a Lessons.
      first_epoch: as in `training_batches`.

    Returns:
      A dataset of ((log_mel float32 [batch, frames, n_mels], embeddings float32 [batch, values]), targets float32
      [batch, classes]).
    """
    course = lessons.course
    batches = _masked_batches(course.views(first_epoch), len(course.entries), course.config, lessons.of)
    return mapped(batches, lambda log_mels, targets, embeddings: ((log_mels, embeddings), targets))


def _masked_batches(dataset, clips, config, learned):
    """Batches of (log_mel, *what `learned` makes of view numbers and targets), each copied and its log-mel masked."""
    batch_stream = derive(config.train.seed, "batch")

    def mask(log_mels, targets, views, numbers):
        _, mask_seed = split_seed(seed_of(batch_stream, numbers[0]), 2)
        values = (tf.repeat(each, config.augment.views, axis=0) for each in (log_mels, *learned(views, targets)))
        log_mels, *others = values
        return augment.mask(log_mels, mask_seed, config.augment), *others

    dataset = _with_log_mel(dataset, config.audio).batch(clips_per_batch(clips, config), drop_remainder=True)
    return _finished(mapped(dataset, mask), config)


def embedding_batches(embeddings, targets, config, first_epoch=0):
    """Endless batches of embeddings of the training clips, mixed up, in the order that `training_batches` has.

    Args:
      embeddings: float32 [clips, values].
      targets, config, first_epoch: as there.

    Returns:
      A dataset of (embeddings float32 [batch, values], targets float32 [batch, classes]).
    """
    embeddings, targets = tf.constant(embeddings), tf.constant(targets, tf.float32)
    batch_stream = derive(config.train.seed, "batch")
    dataset = order(len(embeddings), config, first_epoch)
    dataset = dataset.batch(clips_per_batch(len(embeddings), config), drop_remainder=True)

    def mix(places, _, numbers):
        values = tf.gather(embeddings, places), tf.gather(targets, places)
        if config.augment.mixup_alpha == 0:
            return values
        return augment.mixup(*values, seed_of(batch_stream, numbers[0]), config.augment.mixup_alpha)

    return untuned(mapped(dataset, mix).prefetch(PREFETCHED))


def evaluation_batches(entries, targets, config):
    """One pass over the clips in order, the beginning of each, unchanged; shapes as in training."""

    def clip(entry, target):
        return fit_length(cache.read(entry), config.audio.clip_samples, config.data.short_clips), target

    dataset = tf.data.Dataset.from_tensor_slices((list(entries), np.asarray(targets, np.float32)))
    dataset = _with_log_mel(mapped(dataset, clip, deterministic=True), config.audio, deterministic=True)
    return _finished(dataset.batch(config.train.batch_size), config)


def ordered_embeddings(embeddings, targets, config):
    """One pass over embeddings float32 [clips, values] in order; shapes as in `embedding_batches`."""
    dataset = tf.data.Dataset.from_tensor_slices((embeddings, np.asarray(targets, np.float32)))
    return untuned(dataset.batch(config.train.batch_size))


def _with_log_mel(dataset, audio, deterministic=None):
    """The dataset with waveforms, the first of each element, made log-mels.

    Clip by clip, since the spectra of one clip stay in a core's cache and those of a batch do not:
    measured, a tenth to a quarter faster.
    """
    return mapped(dataset, lambda waveform, *others: (log_mel(waveform, audio), *others), deterministic)


def _finished(dataset, config):
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1  # clips run side by side; threads within one only get in the way
    options.deterministic = config.train.deterministic
    return untuned(dataset.with_options(options).prefetch(PREFETCHED))
