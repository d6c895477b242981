"""What teachers say of the views of training clips: asked once, kept in the cache.

A file (see `sealed`) holds one teacher's answers to one epoch of views: float16 rows of its scores and its embedding.
Its name is a hash of all that made it, so other clips, settings or models never meet an old file.
"""

import dataclasses
import hashlib
import math
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.audio.resample import resample
from urbansound.data import sealed, unlabelled
from urbansound.data.lessons import Course, Lessons
from urbansound.data.parallel import mapped, untuned
from urbansound.data.seeds import derive
from urbansound.data.views import noise_of
from urbansound.models import ensemble, parts
from urbansound.progress import bar
from urbansound.training import teachers

FORMAT = 2
FOLDER = "lessons"  # in the cache
BATCH = 32
ROWS = 1024  # at a time
CUT_OFF = 0.01  # of a window, for which none is added
LEAST_DEVIATION = 1e-3  # of a value that no view moves
# Of AugmentConfig, what changes nothing about a waveform; the noise itself is told by its samples.
NOT_IN_WAVEFORMS = ("time_masks", "time_mask_frames", "mel_masks", "mel_mask_bands", "noise_dir")


def of_run(run, training, config):
    """What a run's teachers say of the views of its training clips and of its recordings without labels.

    Args:
      run: a Run.
      training: (cache entries, targets float32 [clips, classes]) of its training clips.
      config: the Config of the stage that is taught.

    Returns:
      The Lessons; None where the run has no teachers.

    Raises:
      InputError: as `teachers.of_run` and `lessons`.
    """
    runs = teachers.of_run(run)
    if not runs:
        return None
    return lessons(
        runs, Course.of(training, unlabelled.windows(unlabelled.of_run(run), config), config), run.class_names
    )


def read_out(lessons, seed):
    """A new layer that makes the teachers' embeddings of a network's, float32 [batch, any] to [batch, values]."""
    start = keras.initializers.GlorotUniform(derive(seed, "read-out") % 2**32)
    return keras.layers.Dense(lessons.embeddings.shape[1], kernel_initializer=start, name="read_out")


def lessons(runs, course, class_names):
    """What trained runs say of views, computed as far as the cache lacks it.

    Args:
      runs: Runs that teach, at least one.
      course: the Course.
      class_names: of the scores, in their order.

    Returns:
      The Lessons.

    Raises:
      InputError: a teacher's model is gone or damaged.
      OSError: the cache folder can't be written.
    """
    with bar("asking teachers", unit="view") as on_progress:
        total = len(runs) * course.view_epochs * course.views_per_epoch
        told = []
        for run in runs:
            done = len(told) * total // len(runs)
            told.append(_answers(run, course, class_names, lambda more, done=done: on_progress(done + more, total)))
    classes = len(class_names)
    scores = np.mean([answers[:, :classes] for answers in told], axis=0, dtype=np.float32).astype(np.float16)
    return Lessons(course, scores, _squashed(np.concatenate([answers[:, classes:] for answers in told], axis=1)))


def _squashed(embeddings):
    """Embeddings float16 [views, values], each value standardised over the views, and far ones brought nearer."""
    mean, deviation = (function(embeddings, axis=0, dtype=np.float32) for function in (np.mean, np.std))
    # Part by part: in float32, all of them are twice as large.
    for start in range(0, len(embeddings), ROWS):
        rows = embeddings[start : start + ROWS]
        embeddings[start : start + ROWS] = np.tanh((rows - mean) / np.maximum(deviation, LEAST_DEVIATION) / 2)
    return embeddings


def _answers(run, course, class_names, on_progress):
    """A teacher's scores and embeddings float16 [views, classes + values] of a whole Course."""
    config, digest = course.config, teachers.digest_of(run)
    made_of = (FORMAT, digest, class_names, _views_of(course))
    sealed.remove_parts(Path(config.data.cache_dir) / FOLDER)
    teacher, epochs, damaged = None, [], 0
    for epoch in range(course.view_epochs):
        file = sealed.place(config.data.cache_dir, FOLDER, sealed.key_of((*made_of, epoch)), ".f16")
        answers = _read(file, course.views_per_epoch)
        if answers is None:
            damaged += file.exists()
            teacher = teacher or _Teacher(run, class_names, config.audio.sample_rate)
            done = epoch * course.views_per_epoch
            answers = teacher.answers(course, epoch, lambda more, done=done: on_progress(done + more))
            sealed.write(file, answers.astype("<f2").tobytes())
        epochs.append(answers)
        on_progress((epoch + 1) * course.views_per_epoch)
    if damaged:
        print(f"cache: {damaged} damaged files of what {run.path} says were made anew", file=sys.stderr)
    return np.concatenate(epochs)


def _read(file, views):
    payload = sealed.read(file)
    return None if payload is None else np.frombuffer(payload, "<f2").reshape(views, -1)


def _views_of(course):
    """All that the waveforms of a Course follow from, the number of epochs aside."""
    config = course.config
    augment = {
        name: value for name, value in dataclasses.asdict(config.augment).items() if name not in NOT_IN_WAVEFORMS
    }
    audio = config.audio.sample_rate, config.audio.clip_seconds, config.data.short_clips
    noise = noise_of(config)
    noise = None if noise is None else hashlib.sha256(noise.tobytes()).hexdigest()
    batches = config.train.batch_size, config.train.seed
    return [Path(entry).name for entry in course.entries], audio, augment, batches, noise


class _Teacher:
    """A trained run at work on waveforms of another sample rate.

    Args:
      run: the Run.
      class_names: of the scores, in their order.
      sample_rate: Hz of the waveforms.
    """

    def __init__(self, run, class_names, sample_rate):
        self._config, self._rate = run.config, sample_rate
        networks = [
            (share, keras.Model(network.input, [network.output, parts.embedding(network)]))
            for network, share in ensemble.leaves(run.load_model(calibrated=False))
        ]
        places = [run.class_names.index(name) for name in class_names]

        def say(log_mels):
            """Scores and embeddings float32 [views, values], means over windows: [views, windows, frames, n_mels]."""
            views, windows = tf.unstack(tf.shape(log_mels)[:2])
            each = tf.reshape(log_mels, [views * windows, *log_mels.shape[2:]])
            said = [(share, *network(each, training=False)) for share, network in networks]
            scores = tf.add_n([share * scores for share, scores, _ in said])
            values = tf.concat([tf.gather(scores, places, axis=1), *[embedding for *_, embedding in said]], axis=1)
            return tf.reduce_mean(tf.reshape(values, [views, windows, values.shape[1]]), axis=1)

        self._say = tf.function(say, autograph=False)

    def answers(self, course, epoch, on_progress):
        """Scores and embeddings float16 [views, classes + values] of the views of one epoch."""
        views = course.views(epoch).take(course.views_per_epoch)
        log_mels = mapped(views, lambda waveform, *_: self._log_mels(waveform), deterministic=True)
        rows = []
        for batch in untuned(log_mels.batch(BATCH).prefetch(2)):
            rows.append(self._say(batch).numpy().astype(np.float16))
            on_progress(sum(map(len, rows)))
        return np.concatenate(rows)

    def _log_mels(self, waveform):
        """Log-mels float32 [windows, frames, n_mels]: of as few windows of the teacher's length as a view takes."""
        audio, short_clips = self._config.audio, self._config.data.short_clips
        samples = round(waveform.shape[0] * audio.sample_rate / self._rate)
        if audio.sample_rate != self._rate:
            change = lambda samples: resample(samples, self._rate, audio.sample_rate)  # noqa: E731
            waveform = tf.ensure_shape(tf.numpy_function(change, [waveform], tf.float32), [None])
        windows = max(math.ceil(samples / audio.clip_samples - CUT_OFF), 1)
        starts = np.linspace(0, max(samples - audio.clip_samples, 0), windows).round().astype(int)
        cut = [fit_length(waveform[start:], audio.clip_samples, short_clips) for start in starts]
        return log_mel(tf.stack(cut), audio)
