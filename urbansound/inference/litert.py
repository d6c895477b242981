"""A TFLite file at work in LiteRT's interpreter: waveforms to scores, whatever the file's input."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from urbansound.audio.logmel import log_mel


def score_windows(content, audio):
    """A function that scores waveforms by a TFLite file.

    Args:
      content: the bytes of a file of any of `convert.FORMATS`.
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
    """The float32 values that a tensor's steps stand for, same shape; a float tensor's are themselves."""
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return np.float32(scale) * (values.astype(np.float32) - zero_point)


def _input_of(window, tensor, audio):
    """A window float32 [clip_samples] as a file takes it."""
    return window if tensor["dtype"] == np.float32 else quantize(log_mel(window, audio), tensor)
