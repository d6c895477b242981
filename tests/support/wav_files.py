"""WAV files byte by byte, right and wrong, for the tests of what reads them."""

import io
import struct

import numpy as np
import soundfile

from urbansound.audio.wav_header import GUID_TAIL, PCM


def chunk(name, content, size=None):
    """A RIFF chunk: name, size (the true one unless given), content, padded to an even length."""
    return struct.pack("<4sI", name, len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def fmt(code=PCM, channels=1, rate=44100, bits=16, block_align=None, inner_code=None, valid_bits=None, extra=b""):
    """A fmt chunk; with `inner_code` it is EXTENSIBLE and `code` is ignored."""
    if block_align is None:
        block_align = channels * -(-bits // 8)
    if inner_code is not None:
        code = 0xFFFE
        guid = struct.pack("<H", inner_code) + GUID_TAIL
        extra = struct.pack("<HHI", 22, bits if valid_bits is None else valid_bits, 0) + guid
    fields = struct.pack("<HHIIHH", code, channels, rate, rate * block_align & 0xFFFFFFFF, block_align, bits)
    return chunk(b"fmt ", fields + extra)


def riff(*chunks, size=None, kind=b"WAVE"):
    """A RIFF file of these chunks."""
    body = kind + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body) if size is None else size) + body


def int24(samples):
    """Integers [count] as 24-bit little-endian bytes."""
    return np.asarray(samples, "<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def noise(frames, channels=1, peak=0.5, seed=0):
    """Uniform noise float64 [frames, channels] within +-peak."""
    return np.random.default_rng(seed).uniform(-peak, peak, (frames, channels))


def written(samples, rate, **format):
    """The bytes of a file that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **format)
    return file.getvalue()


def by_libsndfile(data):
    """(mono waveform float32, rate), channels averaged one after the other; None where it refuses."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return None
    total = samples[:, 0]
    for channel in range(1, samples.shape[1]):
        total = total + samples[:, channel]
    return total * np.float32(1 / samples.shape[1]), rate
