"""tf.data pipelines: cached waveforms in, batches of (log_mel, targets) out, all in-graph.

Order and augmentation of training clip k of epoch e are a function of only (seed, e, k), so a run
that is resumed at an epoch is trained on what an unbroken one is, however threads are timed.
"""

import numpy as np
import tensorflow as tf

from urbansound import targets as kinds
from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.data import augment, cache, noise
from urbansound.data.parallel import mapped, untuned
from urbansound.data.seeds import derive

PREFETCHED = 2  # batches that are made ahead of the step that takes them


def steps_per_epoch(clips, config):
    """Full batches in one pass over `clips` training clips; what is left over is other clips in every epoch."""
    return max(clips // _clips_per_batch(clips, config), 1)


def _clips_per_batch(clips, config):
    return min(config.train.batch_size // config.augment.views, clips)


def training_batches(entries, targets, config, first_epoch=0):
    """Endless augmented batches, `steps_per_epoch` of them an epoch; a clip's views are neighbours.

    Args:
      entries: cache files of the training clips.
      targets: float32 [clips, classes].
      config: the run's Config.
      first_epoch: epoch to begin at, as of an unbroken run.

    Returns:
      A dataset of (log_mel float32 [batch, frames, n_mels], targets float32 [batch, classes]).
    """
    clips, seed = len(entries), config.train.seed
    clip_stream, batch_stream = derive(seed, "clip"), derive(seed, "batch")
    alone_stream = derive(seed, "alone")
    batch = _clips_per_batch(clips, config)
    entries, targets = tf.constant(entries), tf.constant(targets, tf.float32)
    background, nothing = _noise(config), kinds.of(config.model.targets).nothing(targets.shape[1])

    def clip(place, number):
        window_seed, augment_seed = augment.split_seed(_seed(clip_stream, number), 2)
        samples = config.audio.clip_samples
        waveform = augment.random_window(cache.read(entries[place]), samples, window_seed)
        waveform = fit_length(waveform, samples, config.data.short_clips)
        waveform = augment.augment_waveform(
            waveform, background, augment_seed, config.augment, config.audio.sample_rate
        )
        target = targets[place]
        if config.augment.noise_alone > 0:
            alone_seed = _seed(alone_stream, number)
            waveform, alone = augment.noise_alone(waveform, background, alone_seed, config.augment.noise_alone)
            target = tf.where(alone, nothing, target)
        return waveform, target, number

    def mix(waveforms, targets, numbers):
        mix_seed, _ = augment.split_seed(_seed(batch_stream, numbers[0]), 2)
        return *augment.mixup(waveforms, targets, mix_seed, config.augment.mixup_alpha), numbers

    def mask(features, targets, numbers):
        _, mask_seed = augment.split_seed(_seed(batch_stream, numbers[0]), 2)
        features, targets = (tf.repeat(values, config.augment.views, axis=0) for values in (features, targets))
        return augment.mask(features, mask_seed, config.augment), targets

    dataset = mapped(_endless_order(clips, config, first_epoch), clip)
    if config.augment.mixup_alpha > 0:
        dataset = mapped(dataset.batch(batch, drop_remainder=True), mix).unbatch()
    dataset = _with_log_mel(dataset, config.audio).batch(batch, drop_remainder=True)
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
    dataset = _endless_order(len(embeddings), config, first_epoch)
    dataset = dataset.batch(_clips_per_batch(len(embeddings), config), drop_remainder=True)

    def mix(places, numbers):
        values = tf.gather(embeddings, places), tf.gather(targets, places)
        if config.augment.mixup_alpha == 0:
            return values
        return augment.mixup(*values, _seed(batch_stream, numbers[0]), config.augment.mixup_alpha)

    return untuned(mapped(dataset, mix).prefetch(PREFETCHED))


def _endless_order(clips, config, first_epoch):
    """A dataset of (place int32 of a clip, its number int64 over all epochs), shuffled anew in each epoch."""
    taken = steps_per_epoch(clips, config) * _clips_per_batch(clips, config)
    stream = derive(config.train.seed, "order")

    @tf.autograph.experimental.do_not_convert
    def order(epoch):
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(clips), _seed(stream, epoch))[:taken]
        return tf.data.Dataset.from_tensor_slices((shuffled, epoch * taken + tf.range(taken, dtype=tf.int64)))

    return tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(order)


def evaluation_batches(entries, targets, config):
    """One pass over the clips in order, the beginning of each, unchanged; shapes as in training."""

    def clip(entry, target):
        return fit_length(cache.read(entry), config.audio.clip_samples, config.data.short_clips), target

    dataset = tf.data.Dataset.from_tensor_slices((list(entries), np.asarray(targets, np.float32)))
    dataset = _with_log_mel(mapped(dataset, clip), config.audio)
    return _finished(dataset.batch(config.train.batch_size), config)


def ordered_embeddings(embeddings, targets, config):
    """One pass over embeddings float32 [clips, values] in order; shapes as in `embedding_batches`."""
    dataset = tf.data.Dataset.from_tensor_slices((embeddings, np.asarray(targets, np.float32)))
    return untuned(dataset.batch(config.train.batch_size))


def _seed(stream, number):
    """Seed int64 [2] of the `number`-th thing of a kind; stateless ops hash it well."""
    return tf.stack([tf.constant(stream, tf.int64), tf.cast(number, tf.int64)])


def _with_log_mel(dataset, audio):
    """The dataset with waveforms, the first of each element, made log-mels.

    Clip by clip, since the spectra of one clip stay in a core's cache and those of a batch do not:
    measured, a tenth to a quarter faster.
    """
    return mapped(dataset, lambda waveform, *others: (log_mel(waveform, audio), *others))


def _finished(dataset, config):
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1  # clips run side by side; threads within one only get in the way
    options.deterministic = config.train.deterministic
    return untuned(dataset.with_options(options).prefetch(PREFETCHED))


def _noise(config):
    """What background noise is cut from, float32 [samples]; None if unused."""
    if not config.augment.uses_noise:
        return None
    audio = config.audio
    samples = noise.load(
        config.augment.noise_dir, audio.sample_rate, audio.clip_samples, config.data.cache_dir, config.train.seed
    )
    return tf.constant(samples)
