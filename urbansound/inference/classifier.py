"""Waveforms of any length to scores: windows of the model's length, scored, then averaged.

Plain TensorFlow, so that what `predict` runs is also what the exported graphs hold.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from urbansound import models
from urbansound.audio.length import lengthen
from urbansound.audio.logmel import log_mel
from urbansound.config import AudioConfig
from urbansound.errors import InputError
from urbansound.models.temperature import divide

WINDOWS_AT_ONCE = 32  # what bounds the memory that an hour of audio needs


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model and all that it takes to score waveforms with it."""

    model: keras.Model  # log_mel [batch, frames, n_mels] to scores [batch, classes]
    audio: AudioConfig  # clip_samples is the window
    hop: int  # samples from one window's start to the next's
    short_clips: str  # what becomes of a waveform shorter than a window: "repeat" or "zeros"
    class_names: tuple[str, ...]
    architectures: tuple[str, ...]  # of the model's networks, in their order
    thresholds: dict | None = None  # the scores from which it is believed, see `calibration.fit`

    @classmethod
    def from_run(cls, run, window_seconds=None, window_hop_seconds=None, calibrated=True):
        """The classifier of a trained Run.

        Args:
          run: a Run.
          window_seconds: length of a window; default: of the clips that the run trained on.
          window_hop_seconds: from one window's start to the next's; default: half a window.
          calibrated: whether the model is (see `Run.load_model`).

        Raises:
          InputError: the run has no model yet; the model can't take windows of that length; a hop
            that is not above 0 and at most the window.
        """
        config, model = run.config, run.load_model(calibrated)
        audio = config.audio
        if window_seconds is not None and window_seconds != audio.clip_seconds:
            audio = dataclasses.replace(audio, clip_seconds=float(window_seconds))
            model = _for_window(model, audio, run, run.temperature if calibrated else 1)
        hop = hop_samples(audio, audio.clip_seconds / 2 if window_hop_seconds is None else window_hop_seconds)
        names = tuple(run.class_names), tuple(run.architectures)
        return cls(model, audio, hop, config.data.short_clips, *names, run.thresholds if calibrated else None)

    def score(self, waveforms):
        """Scores float32 [batch, classes] of waveforms float32 [batch, samples >= 1]; see `score_waveforms`."""
        return score_waveforms(waveforms, self.score_windows, self)

    def score_windows(self, windows):
        """Scores float32 [batch, classes] of windows float32 [batch, audio.clip_samples]."""
        return self.model(log_mel(windows, self.audio), training=False)


def hop_samples(audio, seconds):
    """Samples from one window's start to the next's, of an AudioConfig.

    Raises:
      InputError: `seconds` is not above 0 and at most the window.
    """
    within = 0 < seconds <= audio.clip_seconds  # false for NaN, which is no number of samples
    hop = round(seconds * audio.sample_rate) if within else 0
    if hop == 0:
        raise InputError(
            "window_hop_seconds must be above 0 and at most the window. "
            f"Received: window_hop_seconds={seconds:g}, window_seconds={audio.clip_seconds:g}"
        )
    return hop


def score_waveforms(waveforms, score_windows, classifier):
    """The mean score over windows that cover each waveform to its last sample.

    Args:
      waveforms: float32 [batch, samples], samples >= 1.
      score_windows: windows float32 [windows, audio.clip_samples] to scores [windows, classes]: the
        classifier's own, or another form of its model.
      classifier: whose windows, and what becomes of waveforms shorter than one.

    Returns:
      float32 [batch, classes].

    Raises:
      tf.errors.InvalidArgumentError: a waveform holds a NaN or an infinity, of which layers make some score.
    """
    waveforms = tf.debugging.check_numerics(waveforms, "waveform")
    samples, hop = classifier.audio.clip_samples, classifier.hop
    length = tf.maximum(tf.shape(waveforms)[1], samples)
    waveforms = lengthen(waveforms, length, classifier.short_clips)
    starts = window_starts(length, samples, hop)
    rows = tf.range(tf.shape(waveforms)[0]) * length
    places = tf.reshape(rows[:, tf.newaxis] + starts, [-1])  # [batch * windows], in one row of samples
    waveforms = tf.reshape(waveforms, [-1])

    def score(chunk):
        windows = tf.gather(waveforms, chunk[:, tf.newaxis] + tf.range(samples))
        return score_windows(windows)

    scores = _in_chunks(score, places)
    scores = tf.reshape(scores, [-1, tf.size(starts), len(classifier.class_names)])
    return tf.reduce_mean(scores, axis=1)


def window_starts(length, samples, hop):
    """First samples int32 [windows] of the windows over a waveform of `length` >= samples; the last ends with it."""
    spare = length - samples
    return tf.minimum(tf.range(0, spare + hop, hop), spare)


def score_clips(waveforms, clips, classifier, score_windows=None, on_progress=None):
    """Scores of many clips of any lengths.

    Args:
      waveforms: iterable of (index, waveform float32 [any, at least 1]), in any order.
      clips: number of rows of the result.
      classifier: a Classifier.
      score_windows: another form of its model, see `score_waveforms`; default: its own.
      on_progress: called with (done, clips) after each clip.

    Returns:
      float32 [clips, classes]; NaN in rows that no waveform came for.
    """
    score = _compiled(classifier) if score_windows is None else None
    result = np.full((clips, len(classifier.class_names)), np.nan, np.float32)
    samples, pending, owners = classifier.audio.clip_samples, [], []

    def put(batch, rows):
        batch = tf.stack(batch)
        result[rows] = score(batch) if score else score_waveforms(batch, score_windows, classifier)

    for done, (index, waveform) in enumerate(waveforms, start=1):
        if len(waveform) > samples:
            put([waveform], [int(index)])
        else:
            pending.append(lengthen(waveform, samples, classifier.short_clips))
            owners.append(int(index))
        if len(pending) == WINDOWS_AT_ONCE:
            put(pending, owners)
            pending, owners = [], []
        if on_progress:
            on_progress(done, clips)
    if pending:
        put(pending, owners)
    return result


def _compiled(classifier):
    signature = [tf.TensorSpec([None, None], tf.float32)]
    return tf.function(classifier.score, input_signature=signature, autograph=False)


def _for_window(model, audio, run, temperature):
    """A run's model for windows of another length."""
    longer, _ = models.build((audio.frames, audio.n_mels), model.output_shape[-1], run.config.model)
    if [weight.shape for weight in longer.weights] != [weight.shape for weight in model.weights]:
        raise InputError(
            f"a {run.config.model.model} takes windows of the length that it was trained on; leave out --window_seconds"
        )
    # From the file: set_weights leaves what layers derive from their weights, as Keras's Normalization does.
    longer.load_weights(run.file("model.keras"))
    return divide(longer, temperature)


def _in_chunks(function, items):
    """`function` over items [n] to float32 [n, …], about WINDOWS_AT_ONCE at a time, in even chunks."""
    count = tf.size(items)
    chunks = tf.maximum((count - 1) // WINDOWS_AT_ONCE + 1, 1)
    size = (count - 1) // chunks + 1
    filled = tf.reshape(tf.pad(items, [[0, chunks * size - count]]), [chunks, size])
    results = tf.map_fn(function, filled, fn_output_signature=tf.float32, parallel_iterations=1)
    return tf.reshape(results, tf.concat([[chunks * size], tf.shape(results)[2:]], axis=0))[:count]
