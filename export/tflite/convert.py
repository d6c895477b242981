"""TFLite files of a Classifier, built-in operations alone, and how to run them.

float32, float16    waveform float32 [1, clip_samples] to scores float32 [1, classes]; float16: the weights
int8                the same, the front-end in float, the model's layers but the first in int8; of networks of
                    depthwise convolutions (yamnet) their weights alone
int8_spectrogram    log-mel int8 [1, frames, n_mels] to scores int8 [1, classes], every operation int8
"""

import tempfile

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.tflite import equalization, quantization
from urbansound.audio.logmel import log_mel
from urbansound.errors import InputError

FORMATS = ("float32", "float16", "int8", "int8_spectrogram")
FRONT_END = "front_end"  # name scope of the operations that make the log-mel


def check(classifier, formats):
    """Stop on what can't be exported, before any work.

    Raises:
      InputError: a format of another name; an n_fft that the files' Fourier transform does not know.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"format must be one of {', '.join(FORMATS)}. Received: {name}")
    n_fft = classifier.audio.n_fft
    if n_fft & (n_fft - 1) and set(formats) - {"int8_spectrogram"}:
        raise InputError(
            "TFLite's Fourier transform needs an n_fft that is a power of two. "
            f"Received: n_fft={n_fft}; train with --n_fft={1 << n_fft.bit_length()} --win_length="
            f"{classifier.audio.win_length}, or export int8_spectrogram, which holds no front-end"
        )


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
      InputError: see `check`; no calibration data, or of another length; a model that can't be all int8.
    """
    check(classifier, [format])
    if format == "float32":
        return _float_file(_scores_of_waveform(classifier))
    if format == "float16":
        return quantization.float16_weights(_float_file(_scores_of_waveform(classifier)), FRONT_END)
    samples = classifier.audio.clip_samples
    if calibration is None or not len(calibration) or np.shape(calibration)[1:] != (samples,):
        raise InputError(
            f"{format} needs windows of training clips, float32 [clips, {samples}], for its ranges. "
            f"Received: {None if calibration is None else list(np.shape(calibration))}"
        )
    if format == "int8":
        content = _float_file(_scores_of_waveform(classifier))
        if not quantization.has_depthwise(content):  # else no channels share a step
            content = equalization.equalized(content, calibration)
        return quantization.static_int8(content, calibration, FRONT_END)
    log_mels = [log_mel(window, classifier.audio).numpy() for window in calibration]
    return quantization.static_int8(
        equalization.equalized(_float_file(_scores_of_log_mel(classifier)), log_mels), log_mels
    )


def score_windows(content, audio):
    """What scores waveforms by a TFLite file in TensorFlow Lite's interpreter.

    Args:
      content: the bytes of a file of any of FORMATS.
      audio: the classifier's AudioConfig; for int8_spectrogram, log-mels are computed by it.

    Returns:
      A function of windows float32 [n, clip_samples] that returns scores float32 [n, classes].
    """
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def score(windows):
        rows = np.empty((len(windows), target["shape"][1]), np.float32)
        for row, window in enumerate(np.asarray(windows, np.float32)):
            interpreter.set_tensor(source["index"], _input_of(window, source, audio)[np.newaxis])
            interpreter.invoke()
            rows[row] = dequantize(interpreter.get_tensor(target["index"])[0], target)
        return rows

    return score


def quantize(values, tensor):
    """Floats to the int8 steps of a tensor, an entry of the interpreter's details; same shape."""
    scale, zero_point = tensor["quantization"]
    return np.clip(np.round(np.asarray(values) / scale) + zero_point, -128, 127).astype(np.int8)


def dequantize(values, tensor):
    """What values of a tensor stand for, float32, same shape; those of a float tensor are themselves."""
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return np.float32(scale) * (values.astype(np.float32) - zero_point)


def _input_of(window, tensor, audio):
    """What a file wants of a window float32 [clip_samples]."""
    return window if tensor["dtype"] == np.float32 else quantize(log_mel(window, audio), tensor)


def _scores_of_waveform(classifier):
    def score(waveform):
        with tf.name_scope(FRONT_END):
            features = log_mel(waveform, classifier.audio)
        return {"scores": classifier.model(features, training=False)}

    return classifier.model, score, tf.TensorSpec([1, classifier.audio.clip_samples], tf.float32, "waveform")


def _scores_of_log_mel(classifier):
    def score(log_mel):
        return {"scores": classifier.model(log_mel, training=False)}

    audio = classifier.audio
    return classifier.model, score, tf.TensorSpec([1, audio.frames, audio.n_mels], tf.float32, "log_mel")


def _float_file(graph):
    """The float32 file of (model, function of one tensor, its TensorSpec)."""
    model, function, spec = graph
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serving_default", function, input_signature=[spec])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        return quantization.constant_biases(converter.convert())
