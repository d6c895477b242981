"""WAV files written block by block: the same bytes for the same samples.

libsndfile multiplies floats by 2 ** 15 - 1 on their way to 16 bits, so that samples change, and writes the time of day
into files of floats.

Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991); EBU Tech 3306 (RF64).
"""

import struct

import numpy as np

MOST_BYTES = 2**32 - 2**20  # of samples in RIFF; RF64 takes more
UNKNOWN = 2**32 - 1
PCM, FLOAT = 1, 3


class WavWriter:
    """A WAV file that is being written.

    Args:
      file: binary, open for writing, can seek.
      rate: sample rate in Hz.
      channels: their number.
      bits: of a sample: 16, 24, or None for float32.
      frames: samples per channel that will come at most.
      comment: for the file's ICMT.
    """

    def __init__(self, file, rate, channels, bits, frames, comment):
        self._file, self._rate, self._channels, self._bits = file, rate, channels, bits
        self._frame_bytes = channels * (bits or 32) // 8
        self._long = frames * self._frame_bytes > MOST_BYTES
        self._comment, self._frames = comment.encode("utf-8", "backslashreplace"), 0
        file.write(self._head())

    def write(self, samples):
        """Append float32 [frames, channels]; of integers, what is beyond full scale becomes full scale."""
        samples = np.asarray(samples, "<f4")
        self._frames += len(samples)
        if self._bits:
            scale = 2.0 ** (self._bits - 1)
            samples = np.rint(samples * scale).clip(-scale, scale - 1).astype("<i2" if self._bits == 16 else "<i4")
        if self._bits == 24:
            samples = samples.reshape(-1, 1).view(np.uint8)[:, :3]
        self._file.write(samples.tobytes())

    def finish(self):
        """Write the length into the header."""
        self._file.write(b"\0" * (self._frames * self._frame_bytes % 2))
        self._file.seek(0)
        self._file.write(self._head())

    def _head(self):
        """All that comes before the samples; its length does not depend on their number."""
        size, rate = self._frames * self._frame_bytes, self._rate
        code, bits = (PCM, self._bits) if self._bits else (FLOAT, 32)
        form = (code, self._channels, rate, rate * self._frame_bytes, self._frame_bytes, bits)
        chunks = _chunk(b"fmt ", struct.pack("<HHIIHH", *form))
        if code != PCM:
            chunks += _chunk(b"fact", struct.pack("<I", min(self._frames, UNKNOWN)))
        chunks += _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", self._comment + b"\0"))
        if self._long:
            total = 4 + 36 + len(chunks) + 8 + size + size % 2
            sizes = _chunk(b"ds64", struct.pack("<QQQI", total, size, self._frames, 0))
            return b"RF64" + _size(UNKNOWN) + b"WAVE" + sizes + chunks + b"data" + _size(UNKNOWN)
        total = 4 + len(chunks) + 8 + size + size % 2
        return b"RIFF" + _size(total) + b"WAVE" + chunks + b"data" + _size(size)


def _chunk(name, content):
    return name + _size(len(content)) + content + b"\0" * (len(content) % 2)


def _size(count):
    return struct.pack("<I", count)
