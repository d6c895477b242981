"""Views of training clips: the waveforms that clips become in training, a function of (seed, number).

The clips of an epoch come in an order of its own. The place of one in all epochs is its number, and what happens to it
follows from that, so a run that is resumed at an epoch is trained on what an unbroken one is, however threads are
timed. Where `view_epochs` is given, epochs beyond it repeat the waveforms of those before, in the same batches.
"""

import numpy as np
import tensorflow as tf

from urbansound.audio.length import fit_length
from urbansound.data import augment, cache, noise
from urbansound.data.parallel import mapped
from urbansound.data.seeds import derive, split_seed


def steps_per_epoch(clips, config):
    """Full batches in one pass over `clips` training clips; what is left over is other clips in every epoch."""
    return max(clips // clips_per_batch(clips, config), 1)


def clips_per_batch(clips, config):
    """How many of the training clips a batch has, which their copies fill up to `batch_size`."""
    return min(config.train.batch_size // config.augment.views, clips)


def views(entries, targets, nothing, config, first_epoch=0, view_epochs=None):
    """Endless augmented waveforms, `steps_per_epoch` batches of them an epoch.

    Args:
      entries: cache files of the training clips.
      targets: float32 [clips, values], which are mixed as clips are.
      nothing: float32 [values], the target of background noise alone.
      config: the run's Config.
      first_epoch: epoch to begin at, as of an unbroken run.
      view_epochs: how many epochs have waveforms of their own; None: all.

    Returns:
      A dataset of (waveform float32 [clip_samples], target float32 [values], view int64, number int64); view is the
      number of the first time that this waveform comes.
    """
    clips, samples = len(entries), config.audio.clip_samples
    clip_stream, alone_stream, batch_stream = (derive(config.train.seed, name) for name in ("clip", "alone", "batch"))
    entries, targets = tf.constant(entries), tf.constant(targets, tf.float32)
    background = noise_of(config)
    background = None if background is None else tf.constant(background)

    def clip(place, view, number):
        window_seed, augment_seed = split_seed(seed_of(clip_stream, view), 2)
        waveform = augment.random_window(cache.read(entries[place]), samples, window_seed)
        waveform = fit_length(waveform, samples, config.data.short_clips)
        waveform = augment.augment_waveform(
            waveform, background, augment_seed, config.augment, config.audio.sample_rate
        )
        target = targets[place]
        if config.augment.noise_alone > 0:
            alone_seed = seed_of(alone_stream, view)
            waveform, alone = augment.noise_alone(waveform, background, alone_seed, config.augment.noise_alone)
            target = tf.where(alone, nothing, target)
        return waveform, target, view, number

    def mix(waveforms, targets, views, numbers):
        mix_seed, _ = split_seed(seed_of(batch_stream, views[0]), 2)
        return *augment.mixup(waveforms, targets, mix_seed, config.augment.mixup_alpha), views, numbers

    # Who is mixed with whom must not depend on how threads are timed where waveforms come again.
    deterministic = None if view_epochs is None else True
    dataset = mapped(order(clips, config, first_epoch, view_epochs), clip, deterministic)
    if config.augment.mixup_alpha > 0:
        dataset = dataset.batch(clips_per_batch(clips, config), drop_remainder=True)
        dataset = mapped(dataset, mix, deterministic).unbatch()
    return dataset


def order(clips, config, first_epoch, view_epochs=None):
    """A dataset of (place int32 of a clip, view int64, number int64), as `views` has them, shuffled anew in each epoch.

    Epochs beyond view_epochs have the order of those whose waveforms they repeat.
    """
    taken = steps_per_epoch(clips, config) * clips_per_batch(clips, config)
    stream = derive(config.train.seed, "order")

    @tf.autograph.experimental.do_not_convert
    def epoch(number):
        first = number if view_epochs is None else number % view_epochs
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(clips), seed_of(stream, first))[:taken]
        places = tf.range(taken, dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices((shuffled, first * taken + places, number * taken + places))

    return tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(epoch)


def seed_of(stream, number):
    """Seed int64 [2] of the `number`-th thing of a kind; stateless ops hash it well."""
    return tf.stack([tf.constant(stream, tf.int64), tf.cast(number, tf.int64)])


def noise_of(config):
    """What background noise is cut from, float32 [samples]; None if unused."""
    if not config.augment.uses_noise:
        return None
    audio = config.audio
    return noise.load(
        config.augment.noise_dir, audio.sample_rate, audio.clip_samples, config.data.cache_dir, config.train.seed
    )
