"""What a WAV file says of itself, read inside a graph and checked before anything trusts it.

A fault is a value here, since a graph does not stop where it is found.
"""

import typing

import tensorflow as tf

from urbansound.audio.limits import MAX_CHANNELS, MAX_SAMPLES, RATES

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
# (WAVE_FORMAT number, bytes of a sample) of the encodings that the graph decodes.
ENCODINGS = ((PCM, 1), (PCM, 2), (PCM, 3), (PCM, 4), (FLOAT, 4), (FLOAT, 8), (A_LAW, 1), (MU_LAW, 1))
# EXTENSIBLE names its encoding by a GUID; these are the 14 bytes after the code in Microsoft's own.
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
MAX_CHUNKS = 1_000  # before the data; a longer chain is no recorder's
# A writer to a pipe can't know the length: ffmpeg declares 2**32 - 1 bytes, arecord 2**31, SoX 0x7FFFF000.
ENDLESS = 0x7FFF_0000


class WavHeader(typing.NamedTuple):
    """How the samples of a WAV file lie in it; int64 scalars but for `fault`."""

    code: tf.Tensor  # WAVE_FORMAT number; of EXTENSIBLE, the one that its GUID names
    encoding: tf.Tensor  # place in ENCODINGS; their number where the code is another
    channels: tf.Tensor
    rate: tf.Tensor  # Hz
    frame_bytes: tf.Tensor  # of one frame; of one block in encodings beyond ENCODINGS
    offset: tf.Tensor  # bytes before the first frame
    frames: tf.Tensor  # whole frames that are there
    fault: tf.Tensor  # string, empty where all is well; otherwise nothing above is to be trusted


class _Format(typing.NamedTuple):
    """What a fmt chunk says, int64 scalars; those that others are divided by are at least 1."""

    code: tf.Tensor
    encoding: tf.Tensor
    channels: tf.Tensor
    rate: tf.Tensor  # 0 where there was no fmt chunk
    frame_bytes: tf.Tensor
    block_align: tf.Tensor  # frame_bytes but for companded samples, where nobody relies on it


def read_header(contents):
    """What the chunks of a RIFF WAVE file say, if it can be true.

    Lenient where real writers err: any chunks may stand before the data and anything after it; the
    RIFF size may be wrong; the data of a writer to a pipe, who declares none or ENDLESS bytes,
    extends to the end of the file; half a frame at the end is dropped.

    Args:
      contents: string scalar, a whole file of any kind.

    Returns:
      A WavHeader. Its fault says where the file is no WAV file, is cut off, has no samples or more
      than MAX_SAMPLES, or where its header contradicts itself or is beyond RATES or MAX_CHANNELS.

    Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991);
      Multiple Channel Audio Data and WAVE Files (Microsoft 2001) for EXTENSIBLE.
    """
    length = _length(contents)
    riff, riff_size, kind = tf.unstack(_numbers(contents, 0, 3))
    is_riff, is_wave = riff == _number(b"RIFF"), kind == _number(b"WAVE")
    form, offset, declared, fault = _walk(contents, tf.where(is_riff & is_wave, length, 0))
    there = length - offset
    # Of companded files that declare no data, libsndfile takes only what the writer of this size left.
    companded = (form.code == A_LAW) | (form.code == MU_LAW)
    unfinished = (declared == 0) & tf.where(companded, riff_size == 8, riff_size + 8 != length)
    size = tf.where(unfinished | ((declared >= ENDLESS) & (declared > there)), there, declared)
    frames = size // form.frame_bytes
    fault = first_fault(
        (~is_riff, lambda: "not a WAV file: must start with RIFF"),
        (length < 12, lambda: text("truncated: ends within its header, after ", length, " bytes")),
        (~is_wave, lambda: "not a WAV file, but another kind of RIFF file"),
        (fault != "", lambda: fault),
        (offset == 0, lambda: text("truncated: no data chunk in its ", length, " bytes")),
        (form.rate == 0, lambda: "its data chunk stands before its fmt chunk"),
        (size > there, lambda: text("truncated: header promises ", size, " bytes of samples, ", there, " are there")),
        ((frames == 0) | (size < form.block_align), lambda: "holds no samples"),
        (
            frames * form.channels > MAX_SAMPLES,
            lambda: f"longer than {MAX_SAMPLES} samples; cut it into shorter files",
        ),
    )
    return WavHeader(*form[:5], offset, frames, fault)


def _walk(contents, length):
    """Chunk by chunk to the first data chunk: (_Format, offset and declared bytes of the data, fault).

    Offset 0: there is none.
    """
    zero = tf.constant(0, tf.int64)

    def more(step, place, offset, _declared, _form, fault):
        return (offset == 0) & (fault == "") & (step < MAX_CHUNKS) & (place + 8 <= length)

    def next_chunk(step, place, _offset, _declared, form, fault):
        name, declared = tf.unstack(_numbers(contents, place, 2))
        form, fault = tf.cond(
            name == _number(b"fmt "),
            lambda: _read_fmt(contents, place + 8, tf.minimum(declared, length - place - 8)),
            lambda: (form, fault),
        )
        offset = tf.where(name == _number(b"data"), place + 8, 0)
        return step + 1, place + 8 + declared + declared % 2, offset, declared, form, fault

    no_format = tf.constant([0, 0, 1, 0, 1, 1], tf.int64)  # a _Format as one tensor: a loop pays for each
    _, _, offset, declared, form, fault = tf.while_loop(
        more, next_chunk, (0, tf.constant(12, tf.int64), zero, zero, no_format, tf.constant(""))
    )
    return _Format(*tf.unstack(form)), offset, declared, fault


def _read_fmt(contents, offset, size):
    """(_Format int64 [6], fault) of a fmt chunk, `size` bytes of which are there."""
    words = _words(contents, offset, 20)
    code, channels, low, high, _, _, block_align, bits = tf.unstack(words[:8])
    rate, extensible = low + high * 2**16, code == EXTENSIBLE
    of_microsoft = tf.reduce_all(words[13:] == memoryview(GUID_TAIL).cast("H").tolist())
    code = tf.where(extensible & of_microsoft, words[12], code)
    plain = (code == PCM) | (code == FLOAT)
    sample_bytes = tf.where(plain, block_align // tf.maximum(channels, 1), 1)
    known = tf.reduce_all(tf.stack([code, sample_bytes]) == ENCODINGS, axis=1)
    encoding = tf.argmax(tf.concat([known, [True]], axis=0))
    consistent = (block_align == sample_bytes * channels) & ((bits + 7) // 8 == sample_bytes)
    fault = first_fault(
        (size < 16, lambda: text("its fmt chunk must hold at least 16 bytes. Received: ", size)),
        (
            extensible & (size < 40),
            lambda: text("its extensible fmt chunk must hold at least 40 bytes. Received: ", size),
        ),
        (
            (channels < 1) | (channels > MAX_CHANNELS),
            lambda: text(f"number of channels must be 1 to {MAX_CHANNELS}. Received: ", channels),
        ),
        (
            (rate < RATES[0]) | (rate > RATES[1]),
            lambda: text(f"sample rate must be {RATES[0]} to {RATES[1]} Hz. Received: ", rate),
        ),
        (
            plain & ~(consistent & (encoding < len(ENCODINGS))),
            lambda: text(
                "unknown sample format: ", bits, " bits, ", channels, " channels, ", block_align, " bytes per frame"
            ),
        ),
        (block_align == 0, lambda: "bytes per block must be positive. Received: 0"),
    )
    frame_bytes = tf.where(encoding < len(ENCODINGS), channels * sample_bytes, block_align)
    at_least_one = [tf.maximum(number, 1) for number in (channels, frame_bytes, block_align)]
    return tf.stack([code, encoding, at_least_one[0], rate, *at_least_one[1:]]), fault


def first_fault(*faults):
    """The text of the first of (condition, function that makes the text) that is true; empty where none is.

    Texts are made only where there is a fault: they would cost more than all the rest of a header.
    """
    conditions = tf.stack([condition for condition, _ in faults])
    return tf.cond(
        tf.reduce_any(conditions),
        lambda: tf.stack([make() for _, make in faults])[tf.argmax(conditions)],
        lambda: tf.constant(""),
    )


def text(*parts):
    """Strings and integer tensors in a row, as one string tensor."""
    return tf.strings.join([part if isinstance(part, str) else tf.strings.as_string(part) for part in parts])


def _length(contents):
    return tf.cast(tf.strings.length(contents), tf.int64)


def _number(name):
    """Four letters as `_numbers` reads them."""
    return int.from_bytes(name, "little")


def _numbers(contents, offset, count):
    """32-bit numbers int64 [count] from byte `offset` on; what lies beyond the end reads as 0."""
    return tf.bitwise.bitwise_and(tf.cast(_raw(contents, offset, 4 * count, tf.int32), tf.int64), 0xFFFF_FFFF)


def _words(contents, offset, count):
    """16-bit numbers int64 [count] from byte `offset` on; what lies beyond the end reads as 0."""
    return tf.cast(_raw(contents, offset, 2 * count, tf.uint16), tf.int64)


def _raw(contents, offset, size, dtype):
    there = tf.strings.substr(contents, tf.minimum(tf.cast(offset, tf.int64), _length(contents)), size)
    return tf.ensure_shape(tf.io.decode_raw(there, dtype, fixed_length=size), [size // dtype.size])
