"""TFLite files of a Classifier, of built-in operations only.

float32, float16    waveform float32 [1, clip_samples] to scores float32 [1, classes]; float16: the network's weights
int8                the same, the front-end in float, each network as its architecture's record says
                    Scores of these are NaN where the waveform holds a NaN, an infinity or values beyond MAX_PEAK
int8_spectrogram    log-mel int8 [1, frames, n_mels] to scores int8 [1, classes], every operation int8

A file is joined of pieces: the front-end, the parts of each network that its record names, the mean of an
ensemble's scores. Each piece is converted by itself, so its precision is that of all its operations.
"""

import functools

import numpy as np
import tensorflow as tf

from export.tflite import quantization, recipes
from export.tflite.join import Join
from export.tflite.pieces import converted, from_function
from urbansound import models
from urbansound.audio.limits import MAX_PEAK
from urbansound.audio.logmel import log_mel
from urbansound.errors import InputError
from urbansound.models import ensemble
from urbansound.models.record import INT8

INTEGER_ONLY = "int8_spectrogram"
FORMATS = ("float32", "float16", "int8", INTEGER_ONLY)
FRONT_END = "front_end"  # the scope of the operations that make the log-mel


def unfit(classifier, format):
    """Why a Classifier can't be made a file of this format, in one line; None where it can."""
    n_fft = classifier.audio.n_fft
    if n_fft & (n_fft - 1) and format != INTEGER_ONLY:
        return (
            "TFLite's Fourier transform needs an n_fft that is a power of two. "
            f"Received: n_fft={n_fft}; train with --n_fft={1 << n_fft.bit_length()} --win_length="
            f"{classifier.audio.win_length}, or export {INTEGER_ONLY}, which holds no front-end"
        )
    for name in classifier.architectures if format == INTEGER_ONLY else ():
        recipe = models.architecture(name).int8
        if not recipe.integer_only:
            advice = "" if len(classifier.architectures) == 1 else f"; an ensemble without {name} can"
            return f"{name} can't be all int8. {recipe.why}{advice}"
    return None


def convert(classifier, format, calibration=None):
    """The TFLite file of a Classifier.

    Args:
      classifier: a Classifier.
      format: one of FORMATS.
      calibration: float32 [clips, clip_samples], windows of training clips; the int8 formats need them,
        a few hundred.

    Returns:
      The file's bytes, without metadata.

    Raises:
      InputError: the format can't be made (see `unfit`); no calibration data, or of another length.
      RuntimeError: an operation has another precision than its record says.
    """
    if reason := unfit(classifier, format):
        raise InputError(f"{format} can't be made: {reason}")
    audio = classifier.audio
    if format in ("int8", INTEGER_ONLY):
        _check_calibration(calibration, format, audio.clip_samples)
    if format == INTEGER_ONLY:
        inputs = _log_mels(calibration, audio)
        file = Join("log_mel", (1, audio.frames, audio.n_mels))
        whole = file.finish(_append_networks(file, file.input, classifier, recipes.float_pieces), "scores")
        return recipes.checked(quantization.static_int8(whole, inputs, float_ends=False), INT8, format)
    front_end = _front_end(audio)
    file = Join("waveform", (1, audio.clip_samples))
    place = file.append(front_end, [file.input], FRONT_END)
    if format == "int8":
        log_mels = _log_mels(calibration, audio)
        make = lambda network, record: recipes.int8_pieces(network, record, log_mels, classifier.targets)  # noqa: E731
    else:
        make = lambda network, _: [converted(network, half=format == "float16")]  # noqa: E731
    scores = _append_networks(file, place, classifier, make)
    guard = _guard(audio.clip_samples, len(classifier.class_names))
    return file.finish(file.append(guard, [file.input, scores], "guard"), "scores")


def _check_calibration(calibration, format, samples):
    if calibration is None or not len(calibration) or np.shape(calibration)[1:] != (samples,):
        raise InputError(
            f"{format} needs windows of training clips, float32 [clips, {samples}], for its ranges. "
            f"Received: {None if calibration is None else list(np.shape(calibration))}"
        )


def _log_mels(windows, audio):
    """[float32 [1, frames, n_mels]] of windows float32 [clips, clip_samples]."""
    return [log_mel(window[np.newaxis], audio).numpy() for window in windows]


def _append_networks(file, log_mels, classifier, make):
    """Append a classifier's networks and the means of ensembles to a Join; the place of the scores.

    Args:
      file: the Join.
      log_mels: the place of the log-mel in it.
      classifier: a Classifier.
      make: function of a network and its Architecture that returns the files it is joined of.
    """
    names, scopes = iter(classifier.architectures), {}

    def append(model):
        members = ensemble.members(model)
        if members:
            scores = [append(member) for member in members.values()]
            scopes["mean"] = scopes.get("mean", 0) + 1
            return file.append(_mean(len(scores), len(classifier.class_names)), scores, f"mean_{scopes['mean']}")
        name = next(names)
        scopes[name] = scopes.get(name, 0) + 1
        place = log_mels
        for piece, content in enumerate(make(model, models.architecture(name))):
            place = file.append(content, [place], f"{name}_{scopes[name]}/{piece}")
        return place

    return append(classifier.model)


def _front_end(audio):
    def waveform_to_log_mel(waveform):
        return log_mel(waveform, audio)

    spec = tf.TensorSpec([1, audio.clip_samples], tf.float32, "waveform")
    return from_function(waveform_to_log_mel, [spec])


def _guard(samples, classes):
    """The float file that lets scores [1, classes] of a waveform [1, samples] pass, or makes them NaN.

    The kernels of int8, ReLU and maximum turn a NaN into some number, so what comes of it looks like a score.
    """

    def scores_of_numbers(waveform, scores):
        power = tf.reduce_mean(waveform * waveform, axis=1, keepdims=True)
        return tf.where(power <= MAX_PEAK**2, scores, np.float32(np.nan))  # false for NaN

    specs = [tf.TensorSpec([1, samples], tf.float32, "waveform"), tf.TensorSpec([1, classes], tf.float32, "scores")]
    return from_function(scores_of_numbers, specs)


def _mean(count, classes):
    """The float file of the mean of `count` scores [1, classes]."""
    specs = [tf.TensorSpec([1, classes], tf.float32, f"scores_{i}") for i in range(count)]
    # One after the other: int8 files can hold no sum of three.
    return from_function(lambda *scores: functools.reduce(tf.add, scores) * (1 / count), specs)
