"""Audio files of any encoding to mono waveforms of one sample rate.

The content decides how a file is read, not its name. WAV files of plain or companded samples are
decoded by the graph (see `wav`); compressed ones and other kinds of files by libsndfile, in a Python
function of the same graph, as soxr is, which changes the rate. Both let go of Python's lock while
they compute, so that calls on several threads run side by side.
"""

import os

import numpy as np
import tensorflow as tf

from urbansound.audio import sndfile
from urbansound.audio.limits import MAX_FILE_BYTES, MAX_SAMPLES
from urbansound.audio.resample import resample
from urbansound.audio.wav import read_wav
from urbansound.errors import InputError


def decode_in_graph(path, sample_rate):
    """`decode_file` for the graph of a tf.data pipeline; several calls may run at once.

    Args:
      path: string scalar tensor.
      sample_rate: Hz wanted, an int or an int32 scalar tensor.

    Returns:
      (waveform, fault): float32 [samples] and a string scalar, empty where all is well. Where
      `decode_file` would raise, the waveform has no samples and `fault` is the InputError's text.
    """
    fault = tf.ensure_shape(tf.numpy_function(_refusal, [path], tf.string), [])
    return tf.cond(
        fault == "",
        lambda: _decode(tf.io.read_file(path), sample_rate),
        lambda: (tf.zeros([0], tf.float32), fault),
    )


def decode_file(path, sample_rate):
    """The waveform of an audio file, its channels averaged.

    Args:
      path: a file of any format that `decode_bytes` reads.
      sample_rate: Hz wanted.

    Returns:
      float32 [samples], at least one, all finite; full scale of integer formats is -1 to 1.

    Raises:
      InputError: it can't be read or decoded; one line, only the fault: the caller knows the path.
    """
    return _checked(*_PATH_DECODER(tf.constant(os.fsencode(path)), sample_rate))


def decode_bytes(data, sample_rate):
    """The waveform in the bytes of an audio file, its channels averaged.

    Args:
      data: bytes of a WAV file (8- to 32-bit integer, float, double, ADPCM, mu-law, A-law, plain or
        EXTENSIBLE; see `read_header` for what is forgiven), or of another kind in `sndfile.CHECKED`:
        FLAC, Ogg, MP3, AIFF, AU, CAF, NIST, RF64, VOC, W64.
      sample_rate: Hz wanted.

    Returns:
      float32 [samples], at least one, all finite; full scale of integer formats is -1 to 1.

    Raises:
      InputError: it can't be decoded, is cut off, is longer than MAX_SAMPLES, or holds samples that
      are no numbers; one line, only the fault.
    """
    return _checked(*_BYTES_DECODER(tf.constant(data), sample_rate))


def _decode(contents, sample_rate):
    """(waveform, fault), as `decode_in_graph` returns them, of the bytes of a file."""
    waveform, rate, fault, other = read_wav(contents)
    waveform, rate, fault = tf.cond(
        other >= 0,
        lambda: _in_python(sndfile.read, contents, other),
        lambda: (waveform, rate, fault),
    )
    waveform, _, fault = tf.cond(
        (fault == "") & (rate != sample_rate),
        lambda: _in_python(_resample, waveform, rate, sample_rate),
        lambda: (waveform, rate, fault),
    )
    return waveform, fault


_SIGNATURE = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)]
_PATH_DECODER = tf.function(decode_in_graph, input_signature=_SIGNATURE, autograph=False)
_BYTES_DECODER = tf.function(_decode, input_signature=_SIGNATURE, autograph=False)


def _checked(waveform, fault):
    if fault := fault.numpy().decode("utf-8", "replace"):
        raise InputError(fault)
    return waveform.numpy()


def _in_python(function, *inputs):
    """(waveform, rate, fault) tensors of a function of numpy arrays that returns the first two or raises InputError."""

    def call(*arrays):
        try:
            waveform, rate = function(*map(_python_value, arrays))
            return waveform, np.int32(rate), b""
        except InputError as error:
            return np.zeros(0, np.float32), np.int32(0), str(error).encode("utf-8", "replace")

    waveform, rate, fault = tf.numpy_function(call, inputs, [tf.float32, tf.int32, tf.string])
    return tf.ensure_shape(waveform, [None]), tf.ensure_shape(rate, []), tf.ensure_shape(fault, [])


def _python_value(value):
    """A scalar or string that a numpy_function gets, as Python's own: bytes in a graph, an array of them eagerly."""
    return value.item() if isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0 else value


def _refusal(path):
    """Why a file won't be read, as bytes, empty where it will; a long one is refused before it is read."""
    try:
        with open(_python_value(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                return f"larger than {MAX_FILE_BYTES} bytes".encode()
            if size > MAX_SAMPLES:  # fewer bytes hold fewer samples, unless compressed: those are counted as they come
                sndfile.check_length(sndfile.promised_samples(file))
    except OSError as error:
        return f"can't be read ({error.strerror})".encode()
    except InputError as error:
        return str(error).encode()
    return b""


def _resample(waveform, rate, sample_rate):
    """(waveform at another rate, float32 [at least 1], that rate)."""
    sndfile.check_length(len(waveform) * sample_rate / rate)
    resampled = resample(waveform, rate, sample_rate)
    if len(resampled) == 0:
        raise InputError(f"too short: {len(waveform)} samples at {rate} Hz")
    return resampled, sample_rate
