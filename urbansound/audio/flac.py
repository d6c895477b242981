"""FLAC files, whose length streams and some recorders leave unknown or wrong.

Source: RFC 9639.
"""

import hashlib

import numpy as np

from urbansound.audio.source import Spliced

LENGTH = slice(21, 26)  # the bytes of STREAMINFO, the first block, that end with the 36-bit number of samples
MD5 = slice(26, 42)  # of the samples; zeros: unknown
START = b"fLaC\0\0\0\x22"  # of a file whose first block is STREAMINFO, as it must be


def is_flac(data):
    """Whether a `Source` is a FLAC file, its STREAMINFO whole."""
    return data.startswith(START) and len(data) >= MD5.stop


def length(data):
    """Samples per channel that a FLAC file promises; 0: unknown."""
    return int.from_bytes(data[LENGTH], "big") & 2**36 - 1


def without_length(data):
    """The first file that a `Source` was joined of, with an unknown length, as `Spliced`: it is decoded to its end."""
    head = b"".join([data[: LENGTH.start], bytes([data[LENGTH.start] & 0xF0, 0, 0, 0, 0])])
    return Spliced(data, [head, range(LENGTH.stop, len(data))], until=START)


def has_sum(data):
    """Whether a FLAC file holds the MD5 sum of its samples."""
    return any(data[MD5])


def has_samples(data, blocks):
    """Whether the MD5 sum in a FLAC file is that of samples.

    Args:
      data: the file.
      blocks: iterable of float32 [frames, channels], of at most 24 bits, which float32 holds exactly.
    """
    bits = (data[20] << 4 & 0x10 | data[21] >> 4) + 1
    size, digest = (bits + 7) // 8, hashlib.md5(usedforsecurity=False)
    for block in blocks:
        samples = np.ascontiguousarray(block * np.float32(2 ** (bits - 1)), "<i4")
        digest.update(samples.view(np.uint8).reshape(-1, 4)[:, :size].tobytes())
    return digest.digest() == data[MD5]
