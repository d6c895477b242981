"""A TFLite file at work in LiteRT's interpreter: waveforms to scores, whatever the file's input."""

import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from urbansound import cores
from urbansound.audio.logmel import log_mel


def score_windows(content, audio):
    """A function that scores waveforms by a TFLite file, as many at once as there are cores.

    Args:
      content: the bytes of a file of any of `convert.FORMATS`.
      audio: the classifier's AudioConfig; for int8_spectrogram, log-mels are computed by it.

    Returns:
      A function of windows float32 [n, clip_samples] that returns scores float32 [n, classes].
    """
    idle, threads = queue.SimpleQueue(), cores.usable()
    # A window is little work: interpreters of one thread each take half the time of one that has them all.
    for _ in range(threads):
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        idle.put(interpreter)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    pool = ThreadPoolExecutor(threads)

    def score_one(window):
        interpreter = idle.get()
        try:
            interpreter.set_tensor(source["index"], _input_of(window, source, audio)[np.newaxis])
            interpreter.invoke()
            return dequantize(interpreter.get_tensor(target["index"])[0], target)
        finally:
            idle.put(interpreter)

    return lambda windows: np.stack(list(pool.map(score_one, np.asarray(windows, np.float32))))


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
