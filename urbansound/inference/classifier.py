"""Waveforms of any length to scores: windows of the model's length, scored, then averaged.

`Classifier.score` does it in plain TensorFlow, for the SavedModel's graph, and `score_sounds` block by block with any
form of a model, for everything else.
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
from urbansound.inference.windows import windows
from urbansound.models.temperature import divide
from urbansound.targets import SINGLE, Targets

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
    targets: Targets = SINGLE  # what its scores are of: one class among all, or each by itself

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
        return cls(
            model, audio, hop, config.data.short_clips, *names, run.thresholds if calibrated else None, run.targets
        )

    def score(self, waveforms):
        """The mean score over windows that cover each waveform to its last sample, also inside a graph.

        Args:
          waveforms: float32 [batch, samples], samples >= 1.

        Returns:
          float32 [batch, classes].

        Raises:
          tf.errors.InvalidArgumentError: a waveform holds a NaN or an infinity, of which layers make some score.
        """
        waveforms = tf.debugging.check_numerics(waveforms, "waveform")
        samples = self.audio.clip_samples
        length = tf.maximum(tf.shape(waveforms)[1], samples)
        waveforms = lengthen(waveforms, length, self.short_clips)
        starts = window_starts(length, samples, self.hop)
        rows = tf.range(tf.shape(waveforms)[0]) * length
        places = tf.reshape(rows[:, tf.newaxis] + starts, [-1])  # [batch * windows], in one row of samples
        waveforms = tf.reshape(waveforms, [-1])

        def score(chunk):
            windows = tf.gather(waveforms, chunk[:, tf.newaxis] + tf.range(samples))
            return self.score_windows(windows)

        scores = _in_chunks(score, places)
        scores = tf.reshape(scores, [-1, tf.size(starts), len(self.class_names)])
        return tf.reduce_mean(scores, axis=1)

    def score_windows(self, windows):
        """Scores float32 [batch, classes] of windows float32 [batch, audio.clip_samples]."""
        return self.model(log_mel(windows, self.audio), training=False)

    def compiled(self):
        """`score_windows` of numpy arrays, as a graph that is traced once; a window that holds a NaN is refused."""

        def checked(windows):
            return self.score_windows(tf.debugging.check_numerics(windows, "waveform"))

        signature = [tf.TensorSpec([None, self.audio.clip_samples], tf.float32)]
        graph = tf.function(checked, input_signature=signature, autograph=False)
        return lambda windows: graph(windows).numpy()


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
      score_windows: another form of its model, see `score_sounds`; default: its own.
      on_progress: called with (done, clips) after each clip.

    Returns:
      float32 [clips, classes]; NaN in rows that no waveform came for.
    """

    def sounds():
        for done, (index, waveform) in enumerate(waveforms, start=1):
            yield int(index), [np.asarray(waveform)]
            if on_progress:
                on_progress(done, clips)

    return score_sounds(sounds(), clips, classifier, classifier.hop, score_windows or classifier.compiled())


def score_sounds(sounds, count, described, hop, score_windows):
    """The mean scores over windows that cover sounds of any lengths to their last samples, WINDOWS_AT_ONCE at a time.

    Args:
      sounds: iterable of (row of the result, blocks), the blocks float32 [any] in order; they are read as they come.
      count: number of rows of the result.
      described: a Description or a Classifier, whose windows, short sounds and classes these are.
      hop: samples from one window's start to the next's.
      score_windows: function of windows float32 [n, audio.clip_samples] that returns scores [n, classes].

    Returns:
      float32 [count, classes]; NaN in rows of which no sample came.
    """
    sums, numbers = np.zeros((count, len(described.class_names))), np.zeros(count)
    pending, rows = [], []

    def put():
        np.add.at(sums, rows, np.asarray(score_windows(np.stack(pending))))
        np.add.at(numbers, rows, 1)
        pending.clear()
        rows.clear()

    for row, blocks in sounds:
        for _, window in windows(blocks, described.audio.clip_samples, hop, described.short_clips, at_once=1):
            pending.append(window[0])
            rows.append(row)
            if len(pending) == WINDOWS_AT_ONCE:
                put()
    if pending:
        put()
    known = numbers[:, np.newaxis]
    return np.divide(sums, known, out=np.full_like(sums, np.nan), where=known > 0).astype(np.float32)


def _for_window(model, audio, run, temperature):
    """A run's model for windows of another length."""
    longer, _ = models.build((audio.frames, audio.n_mels), model.output_shape[-1], run.config.model)
    if [weight.shape for weight in longer.weights] != [weight.shape for weight in model.weights]:
        raise InputError(
            f"a {run.config.model.model} takes windows of the length that it was trained on; leave out --window_seconds"
        )
    # From the file: set_weights leaves what layers derive from their weights, as Keras's Normalization does.
    longer.load_weights(run.file("model.keras"))
    return divide(longer, temperature, run.targets.activation)


def _in_chunks(function, items):
    """`function` over items [n] to float32 [n, …], about WINDOWS_AT_ONCE at a time, in even chunks."""
    count = tf.size(items)
    chunks = tf.maximum((count - 1) // WINDOWS_AT_ONCE + 1, 1)
    size = (count - 1) // chunks + 1
    filled = tf.reshape(tf.pad(items, [[0, chunks * size - count]]), [chunks, size])
    results = tf.map_fn(function, filled, fn_output_signature=tf.float32, parallel_iterations=1)
    return tf.reshape(results, tf.concat([[chunks * size], tf.shape(results)[2:]], axis=0))[:count]
