"""What a WAV file says of itself, read inside a graph and checked before anything trusts it.

A fault is a value here, since a graph does not stop where it is found: its place in FAULTS. Numbers are
kept together in few tensors, and words are made only where there is a fault, since a graph's time goes
with the number of its operations, those of branches not taken included.
"""

import typing

import tensorflow as tf

from urbansound.audio.limits import MAX_CHANNELS, MAX_CHUNKS, MAX_PEAK, MAX_SAMPLES, RATES
from urbansound.audio.source import Source

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
# (WAVE_FORMAT number, bytes of a sample) of the encodings that the graph decodes. In PCM_PADDED, 24 bits lie in 4
# bytes, in the upper ones as Microsoft has it, or in the lower ones as ALSA's S24_LE has it.
PCM_PADDED = PCM + 2**16
ENCODINGS = (
    *((PCM, 1), (PCM, 2), (PCM, 3), (PCM, 4), (FLOAT, 4), (FLOAT, 8), (A_LAW, 1), (MU_LAW, 1)),
    (PCM_PADDED, 4),
)
# EXTENSIBLE names its encoding by a GUID; these are the 14 bytes after the code in Microsoft's own.
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
# A writer to a pipe can't know the length: ffmpeg declares 2**32 - 1 bytes, arecord 2**31, SoX 0x7FFFF000. What is
# declared within so many bytes of 2**31 and 2**32 is no length.
ENDLESS_WITHIN = 2**16


# What can be wrong; numbers of the file stand for the names in brackets.
FAULTS = {
    "none": "",
    "no_riff": "not a WAV file: must start with RIFF",
    "short": "truncated: ends within its header, after <length> bytes",
    "no_wave": "not a WAV file, but another kind of RIFF file",
    "short_fmt": "its fmt chunk must hold at least 16 bytes. Received: <fmt_bytes>",
    "short_extensible": "its extensible fmt chunk must hold at least 40 bytes. Received: <fmt_bytes>",
    "channels": f"number of channels must be 1 to {MAX_CHANNELS}. Received: <channels>",
    "rate": f"sample rate must be {RATES[0]} to {RATES[1]} Hz. Received: <rate>",
    "sample_format": "unknown sample format: <bits> bits, <channels> channels, <block_align> bytes per frame",
    "no_block": "bytes per block must be positive. Received: 0",
    "no_data": "truncated: no data chunk in its <length> bytes",
    "no_fmt": "its data chunk stands before its fmt chunk",
    "cut_off": "truncated: header promises <declared> bytes of samples, <there> are there",
    "unclaimed": "header promises <declared> bytes of samples, but <rest> bytes that are no chunks follow; "
    "mend its length",
    "no_samples": "holds no samples",
    "too_long": f"longer than {MAX_SAMPLES} samples; cut it into shorter files",
    "other_encoding": "encoding must be integer, float, mu-law or A-law. Received: WAVE_FORMAT number <code>",
    "no_24_bits": "header promises 24 bits in 4 bytes, but its samples have more; convert it to plain 24 or 32 bits",
    "no_numbers": f"holds samples that are NaN, infinite or beyond {MAX_PEAK:g}",
}
BEYOND = 2**62  # a place after the end of every file
BYTE_VALUES = (1, 2**8, 2**16, 2**24)


class WavHeader(typing.NamedTuple):
    """How the samples of a WAV file lie in it, int64 scalars; where there is a fault, trust nothing else."""

    code: tf.Tensor  # WAVE_FORMAT number; of EXTENSIBLE, the one that its GUID names
    encoding: tf.Tensor  # place in ENCODINGS
    channels: tf.Tensor
    rate: tf.Tensor  # Hz
    frame_bytes: tf.Tensor
    offset: tf.Tensor  # bytes before the first frame
    frames: tf.Tensor  # whole frames that are there
    fault: tf.Tensor  # place in FAULTS
    numbers: dict  # what the faults' texts speak of


class _Format(typing.NamedTuple):
    """What a fmt chunk says, int64 scalars."""

    code: tf.Tensor
    encoding: tf.Tensor  # place in ENCODINGS; their number where the code is another
    channels: tf.Tensor
    rate: tf.Tensor  # 0 where there was no fmt chunk
    frame_bytes: tf.Tensor  # of one frame; of one block in encodings beyond ENCODINGS
    block_align: tf.Tensor  # frame_bytes but for companded samples, where nobody relies on it
    bits: tf.Tensor
    fmt_bytes: tf.Tensor  # that are there of the chunk
    fault: tf.Tensor  # place in FAULTS


def read_header(contents, most=None):
    """What the chunks of a RIFF WAVE file say, if it can be true.

    Lenient where real writers err: any chunks may stand before the data and after it; a chunk of odd
    size may lack its padding; the RIFF size may be wrong; half a frame at the end is dropped. The data
    extends to the end of the file where a writer to a pipe declares none or endless bytes, and where
    what follows it is no chain of chunks and longer than it: its size was never mended, or is beyond 32 bits.

    Args:
      contents: string scalar, a whole file of any kind; or, eagerly, a `Source` of one.
      most: samples of all channels that are not too long; None: MAX_SAMPLES.

    Returns:
      A WavHeader. Its fault says where the file is no WAV file, is cut off, is followed by what is no
      chunk, has no samples or too many, is of an encoding beyond ENCODINGS, or where its
      header contradicts itself or is beyond RATES or MAX_CHANNELS.

    Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991);
      Multiple Channel Audio Data and WAVE Files (Microsoft 2001) for EXTENSIBLE.
    """
    length = _length(contents)
    riff, riff_size, kind = tf.unstack(_numbers(contents, 0, 3))
    is_riff, is_wave = riff == _number(b"RIFF"), kind == _number(b"WAVE")
    offset, declared, chained, form = _walk(contents, tf.where(is_riff & is_wave, length, 0))
    there = length - offset
    known = form.encoding < len(ENCODINGS)  # libsndfile, which decodes the others, believes what is declared
    # Of companded files that declare no data, libsndfile takes only what the writer of this size left.
    companded = (form.code == A_LAW) | (form.code == MU_LAW)
    unfinished = (declared == 0) & tf.where(companded, riff_size == 8, riff_size + 8 != length)
    stuck = ~chained & known & (there - declared > declared)
    endless = is_endless(declared) & ((declared > there) | ~chained)
    size = tf.where(unfinished | stuck | endless, there, declared)
    frames = size // tf.maximum(form.frame_bytes, 1)
    fault = _first(
        no_riff=~is_riff,
        short=length < 12,
        no_wave=~is_wave,
        no_data=offset == 0,
        no_fmt=form.rate == 0,
        cut_off=size > there,
        unclaimed=~chained & (size < there),
        no_samples=(frames == 0) | (size < form.block_align),
        too_long=frames * form.channels > (MAX_SAMPLES if most is None else most),
        other_encoding=~known,
    )
    fault = tf.where(form.fault > 0, form.fault, fault)
    numbers = {**form._asdict(), "length": length, "claimed": declared}
    numbers |= {"declared": size, "there": there, "rest": there - size}
    return WavHeader(*form[:5], offset, frames, fault, numbers)


def is_endless(declared):
    """Whether a number of bytes, int64, is what writers to a pipe declare."""
    return (declared > 2**30) & ((declared + ENDLESS_WITHIN) % 2**31 < 2 * ENDLESS_WITHIN)


def fault_text(fault, numbers):
    """The text string scalar of a place in FAULTS, with the numbers of a WavHeader."""

    def text():
        words = tf.gather(list(FAULTS.values()), fault)
        for name, number in numbers.items():
            words = tf.strings.regex_replace(words, f"<{name}>", tf.strings.as_string(number))
        return words

    return tf.cond(fault > 0, text, lambda: tf.constant(""))


def place_of(fault):
    """The place in FAULTS of a name."""
    return list(FAULTS).index(fault)


def _first(**faults):
    """The place in FAULTS, int64, of the first whose condition is true; 0 where none is."""
    places = tf.constant([0, *map(place_of, faults)], tf.int64)
    return places[tf.argmax(tf.stack([False, *faults.values()]))]


def _walk(contents, length):
    """Chunk by chunk: (offset and declared bytes of the first data chunk, whether what follows is chunks, _Format).

    Offset 0: there is no data chunk.
    """

    def more(place, _form):
        step, start, *_ = tf.unstack(place)
        return (step < MAX_CHUNKS) & (start + 8 <= length)

    def next_chunk(place, form):
        step, start, odd, offset, size, chained = tf.unstack(place)
        # The byte that pads a chunk of odd size is no letter, and some writers leave it out.
        head = _bytes(contents, start, 9)
        padding = odd * (1 - _letters(head[0]))
        start, head = start + padding, tf.slice(head, [padding], [8])
        name, declared = tf.unstack(tf.reduce_sum(tf.reshape(head, [2, 4]) * BYTE_VALUES, axis=1))
        end = start + 8 + declared
        before = offset == 0
        form = tf.cond(
            before & (name == _number(b"fmt ")),
            lambda: _read_fmt(contents, start + 8, tf.minimum(declared, length - start - 8)),
            lambda: form,
        )
        is_data = before & (name == _number(b"data"))
        chained = tf.where(~before, _letters(head[:4]) * tf.cast(end <= length, tf.int64), 1)
        offset, size = tf.where(is_data, start + 8, offset), tf.where(is_data, declared, size)
        end = tf.where((chained == 0) | (form[-1] > 0), BEYOND, end)
        return tf.stack([step + 1, end, declared % 2, offset, size, chained]), form

    start = tf.constant([0, 12, 0, 0, 0, 1], tf.int64), tf.zeros([len(_Format._fields)], tf.int64)
    place, form = tf.while_loop(more, next_chunk, start, parallel_iterations=1)
    *_, offset, size, chained = tf.unstack(place)
    return offset, size, chained == 1, _Format(*tf.unstack(form))


def _read_fmt(contents, offset, size):
    """The fields of the _Format in a fmt chunk, `size` bytes of which are there: int64 [9]."""
    words = _words(contents, offset, 20)
    code, channels, low, high, _, _, block_align, bits, *_ = tf.unstack(words)
    rate, extensible = low + high * 2**16, code == EXTENSIBLE
    padded = (code == PCM) & (bits == 24) & (block_align == 4 * channels)
    of_microsoft = tf.reduce_all(words[13:] == memoryview(GUID_TAIL).cast("H").tolist())
    code = tf.where(extensible & of_microsoft, words[12], code)
    code, bits = tf.where(~padded, code, PCM_PADDED), tf.where(~padded, bits, 32)
    plain = (code == PCM) | (code == FLOAT) | padded
    sample_bytes = tf.where(plain, block_align // tf.maximum(channels, 1), 1)
    known = [number * 2**8 + size for number, size in ENCODINGS]
    encoding = tf.argmax(tf.concat([code * 2**8 + sample_bytes == known, [True]], axis=0))
    consistent = (block_align == sample_bytes * channels) & ((bits + 7) // 8 == sample_bytes)
    fault = _first(
        short_fmt=size < 16,
        short_extensible=extensible & (size < 40),
        channels=(channels < 1) | (channels > MAX_CHANNELS),
        rate=(rate < RATES[0]) | (rate > RATES[1]),
        sample_format=plain & ~(consistent & (encoding < len(ENCODINGS))),
        no_block=block_align == 0,
    )
    frame_bytes = tf.where(encoding < len(ENCODINGS), channels * sample_bytes, block_align)
    return tf.stack([code, encoding, channels, rate, frame_bytes, block_align, bits, size, fault])


def _letters(codes):
    """1 where bytes, int64 [any], are all printable in ASCII, else 0."""
    return tf.cast(tf.reduce_all((codes >= 0x20) & (codes < 0x7F)), tf.int64)


def _length(contents):
    if isinstance(contents, Source):
        return tf.constant(len(contents), tf.int64)
    return tf.cast(tf.strings.length(contents), tf.int64)


def _number(name):
    """Four letters as `_numbers` reads them."""
    return int.from_bytes(name, "little")


def _numbers(contents, offset, count):
    """32-bit numbers int64 [count] from byte `offset` on; what lies beyond the end reads as 0."""
    return tf.bitwise.bitwise_and(tf.cast(_raw(contents, offset, 4 * count, tf.int32), tf.int64), 0xFFFF_FFFF)


def _bytes(contents, offset, count):
    """Bytes int64 [count] from byte `offset` on; what lies beyond the end reads as 0."""
    return tf.cast(_raw(contents, offset, count, tf.uint8), tf.int64)


def _words(contents, offset, count):
    """16-bit numbers int64 [count] from byte `offset` on; what lies beyond the end reads as 0."""
    return tf.cast(_raw(contents, offset, 2 * count, tf.uint16), tf.int64)


def _raw(contents, offset, size, dtype):
    offset = tf.minimum(tf.cast(offset, tf.int64), _length(contents))
    if isinstance(contents, Source):
        there = contents[int(offset) : int(offset) + size]
    else:
        there = tf.strings.substr(contents, offset, size)
    return tf.ensure_shape(tf.io.decode_raw(there, dtype, fixed_length=size), [size // dtype.size])
