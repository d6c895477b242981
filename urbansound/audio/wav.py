"""WAV files to waveforms inside a graph, by TensorFlow's own operations.

Takes and refuses what `urbansound.audio.decode` does, of these encodings: 8- to 32-bit integer, float,
double, mu-law and A-law, plain or EXTENSIBLE. A fault is a value here until the end, since a graph does
not stop where it is found: what is read behind it is empty, and no size exceeds that of the file.
"""

import typing

import numpy as np
import tensorflow as tf

from urbansound.audio.decode import MAX_PEAK, MAX_SAMPLES
from urbansound.audio.wav_header import (
    ENDLESS,
    EXTENSIBLE,
    FLOAT,
    GUID_TAIL,
    MAX_CHANNELS,
    MAX_CHUNKS,
    PCM,
    RATES,
)

A_LAW, MU_LAW = 0x0006, 0x0007


class _Format(typing.NamedTuple):
    """What a fmt chunk says, int64 scalars; those that others are divided by are at least 1."""

    encoding: tf.Tensor  # place in the list of _encodings
    channels: tf.Tensor
    rate: tf.Tensor  # Hz; 0 where there was no fmt chunk
    frame_bytes: tf.Tensor
    block_align: tf.Tensor  # frame_bytes but for companded samples, where nobody relies on it
    companded: tf.Tensor  # bool


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def decode_wav(contents):
    """The waveform in the bytes of a WAV file, its channels averaged, at the file's own rate.

    Args:
      contents: string scalar, a whole file.

    Returns:
      (waveform, sample_rate): float32 [samples], at least one, all finite, full scale of integer formats
      -1 to 1; int32 scalar in Hz.

    Raises:
      tf.errors.InvalidArgumentError: no WAV file, cut off, without samples, of another encoding, longer
      than MAX_SAMPLES, or its header contradicts itself.
    """
    form, offset, size, fault = _header(contents)
    channels = tf.where(fault == "", form.channels, 1)
    samples = _samples(tf.strings.substr(contents, offset, size), form.encoding)
    waveform = _average(tf.reshape(samples, [-1, channels]), channels)
    within = tf.reduce_all(tf.abs(waveform) <= MAX_PEAK)  # false for NaN
    fault = _first(
        (fault != "", fault),
        (~within, f"holds samples that are NaN, infinite or beyond {MAX_PEAK:g}"),
    )
    with tf.control_dependencies([tf.debugging.Assert(fault == "", [fault])]):
        return tf.identity(waveform), tf.cast(form.rate, tf.int32)


def _header(contents):
    """(_Format, offset int64 and bytes int64 of the whole frames, fault string, empty where all is well)."""
    length = _length(contents)
    form, offset, declared, fault = _walk(contents, length)
    there = length - offset
    riff_size = _number32(contents, 4)
    # Of companded files that declare no data, libsndfile takes only what the writer of this size left.
    unfinished = (declared == 0) & tf.where(form.companded, riff_size == 8, riff_size + 8 != length)
    size = tf.where(unfinished | ((declared >= ENDLESS) & (declared > there)), there, declared)
    frames = size // form.frame_bytes
    fault = _first(
        (tf.strings.substr(contents, 0, 4) != b"RIFF", "not a WAV file: must start with RIFF"),
        (length < 12, _text("truncated: ends within its header, after ", length, " bytes")),
        (_bytes(contents, 8, 4) != b"WAVE", "not a WAV file, but another kind of RIFF file"),
        (fault != "", fault),
        (offset == 0, _text("truncated: no data chunk in its ", length, " bytes")),
        (form.rate == 0, "its data chunk stands before its fmt chunk"),
        (size > there, _text("truncated: header promises ", size, " bytes of samples, ", there, " are there")),
        ((frames == 0) | (size < form.block_align), "holds no samples"),
        (frames * form.channels > MAX_SAMPLES, f"longer than {MAX_SAMPLES} samples; cut it into shorter files"),
    )
    return form, offset, tf.where(fault == "", frames * form.frame_bytes, 0), fault


def _walk(contents, length):
    """Chunk by chunk to the first data chunk: (_Format, offset and declared bytes of the data, fault).

    Offset 0: there is none.
    """
    zero, one = tf.constant(0, tf.int64), tf.constant(1, tf.int64)
    no_format = _Format(zero, one, zero, one, one, tf.constant(False))

    def more(step, place, _, offset, size, fault):
        return (offset == 0) & (fault == "") & (step < MAX_CHUNKS) & (place + 8 <= length)

    def next_chunk(step, place, form, offset, size, fault):
        name, declared = _bytes(contents, place, 4), _number32(contents, place + 4)
        form, fault = tf.cond(
            name == b"fmt ",
            lambda: _read_fmt(contents, place + 8, tf.minimum(declared, length - place - 8)),
            lambda: (form, fault),
        )
        offset, size = tf.where(name == b"data", place + 8, offset), tf.where(name == b"data", declared, size)
        return step + 1, place + 8 + declared + declared % 2, form, offset, size, fault

    start = (0, tf.constant(12, tf.int64), no_format, zero, zero, tf.constant(""))
    _, _, *found = tf.while_loop(more, next_chunk, start)
    return found


def _read_fmt(contents, offset, size):
    """(_Format, fault) of a fmt chunk, `size` bytes of which are there."""
    words = tf.unstack(_words(contents, offset, 13))
    code, channels, low, high, _, _, block_align, bits, *_, inner_code = words
    rate, extensible = low + high * 2**16, code == EXTENSIBLE
    code = tf.where(extensible & (_bytes(contents, offset + 26, 14) == GUID_TAIL), inner_code, code)
    plain, companded = (code == PCM) | (code == FLOAT), (code == A_LAW) | (code == MU_LAW)
    sample_bytes = tf.where(plain, block_align // tf.maximum(channels, 1), 1)
    known = tf.reduce_all(tf.stack([code, sample_bytes]) == list(_encodings()), axis=1)
    consistent = (block_align == sample_bytes * channels) & ((bits + 7) // 8 == sample_bytes)
    fault = _first(
        (size < 16, _text("its fmt chunk must hold at least 16 bytes. Received: ", size)),
        (
            extensible & (size < 40),
            _text("its extensible fmt chunk must hold at least 40 bytes. Received: ", size),
        ),
        (
            (channels < 1) | (channels > MAX_CHANNELS),
            _text(f"number of channels must be 1 to {MAX_CHANNELS}. Received: ", channels),
        ),
        (
            (rate < RATES[0]) | (rate > RATES[1]),
            _text(f"sample rate must be {RATES[0]} to {RATES[1]} Hz. Received: ", rate),
        ),
        (
            ~plain & ~companded,
            _text("encoding must be integer, float, mu-law or A-law. Received: WAVE_FORMAT number ", code),
        ),
        (
            plain & ~(consistent & tf.reduce_any(known)),
            _text("unknown sample format: ", bits, " bits, ", channels, " channels, ", block_align, " bytes per frame"),
        ),
        (block_align == 0, "bytes per block must be positive. Received: 0"),
    )
    channels, block_align = tf.maximum(channels, 1), tf.maximum(block_align, 1)
    frame_bytes = channels * tf.maximum(sample_bytes, 1)
    return _Format(tf.argmax(known), channels, rate, frame_bytes, block_align, companded), fault


def _samples(sound, encoding):
    """Bytes of whole samples, a string, to float32 [samples]."""
    branches = [lambda convert=convert: convert(sound) for convert in _encodings().values()]
    return tf.switch_case(tf.cast(encoding, tf.int32), branches)


def _encodings():
    """{(WAVE_FORMAT number, bytes of a sample): what makes float32 [samples] of their bytes}."""

    def raw(sound, dtype):
        return tf.cast(tf.io.decode_raw(sound, dtype), tf.float32)

    def int24(sound):
        lowest_zero = tf.pad(tf.reshape(tf.io.decode_raw(sound, tf.uint8), [-1, 3]), [[0, 0], [1, 0]])
        return tf.cast(tf.bitcast(lowest_zero, tf.int32), tf.float32) * 2.0**-31

    def companded(table):
        return lambda sound: tf.gather(table, tf.cast(tf.io.decode_raw(sound, tf.uint8), tf.int32))

    return {
        (PCM, 1): lambda sound: (raw(sound, tf.uint8) - 128) * 2.0**-7,
        (PCM, 2): lambda sound: raw(sound, tf.int16) * 2.0**-15,
        (PCM, 3): int24,
        (PCM, 4): lambda sound: raw(sound, tf.int32) * 2.0**-31,
        (FLOAT, 4): lambda sound: raw(sound, tf.float32),
        (FLOAT, 8): lambda sound: raw(sound, tf.float64),
        (A_LAW, 1): companded(_a_law()),
        (MU_LAW, 1): companded(_mu_law()),
    }


def _a_law():
    """What each byte of A-law stands for, float32 [256]; source: ITU-T G.711."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, (code & 15) * 16 + 8
    size = np.where(exponent == 0, mantissa, (mantissa + 256) << np.maximum(exponent - 1, 0))
    return np.float32(np.where(code & 128, size, -size) * 2.0**-15)


def _mu_law():
    """What each byte of mu-law stands for, float32 [256]; source: ITU-T G.711."""
    code = np.arange(256) ^ 0xFF
    size = (((code & 15) * 8 + 132) << (code >> 4 & 7)) - 132
    return np.float32(np.where(code & 128, -size, size) * 2.0**-15)


def _average(samples, channels):
    """The mean over channels float32 [frames] of float32 [frames, channels], summed in the order of the Python path."""
    _, total = tf.while_loop(
        lambda channel, _: channel < channels,
        lambda channel, total: (channel + 1, total + samples[:, channel]),
        (tf.constant(1, tf.int64), samples[:, 0]),
    )
    return total * tf.cast(1 / channels, tf.float32)


def _first(*faults):
    """The message of the first of (condition, message) that is true; empty where none is."""
    conditions, messages = zip(*faults, strict=True)
    return tf.stack([*messages, ""])[tf.argmax(tf.stack([*conditions, True]))]


def _text(*parts):
    """Strings and integer tensors in a row, as one string tensor."""
    return tf.strings.join([part if isinstance(part, str) else tf.strings.as_string(part) for part in parts])


def _length(contents):
    return tf.cast(tf.strings.length(contents), tf.int64)


def _bytes(contents, offset, count):
    """At most `count` bytes from `offset` on, which may lie beyond the end."""
    return tf.strings.substr(contents, tf.minimum(tf.cast(offset, tf.int64), _length(contents)), count)


def _words(contents, offset, count):
    """16-bit numbers int64 [count] from byte `offset` on; what lies beyond the end reads as 0."""
    filled = tf.strings.join([_bytes(contents, offset, 2 * count), b"\0" * 2 * count])
    words = tf.io.decode_raw(tf.strings.substr(filled, 0, 2 * count), tf.uint16)
    return tf.ensure_shape(tf.cast(words, tf.int64), [count])


def _number32(contents, offset):
    low, high = tf.unstack(_words(contents, offset, 2))
    return low + high * 2**16
