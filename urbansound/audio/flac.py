"""FLAC files, whose length streams and some recorders leave unknown or wrong.

Source: RFC 9639.
"""

import hashlib

import numpy as np

LENGTH = slice(21, 26)  # the bytes of STREAMINFO, the first block, that end with the 36-bit number of samples
MD5 = slice(26, 42)  # of the samples; zeros: unknown
START = b"fLaC\0\0\0\x22"  # of a file whose first block is STREAMINFO, as it must be


def is_flac(data):
    """Whether bytes are a FLAC file, its STREAMINFO whole."""
    return data.startswith(START) and len(data) >= MD5.stop


def parts(data):
    """The FLAC files that a file was joined of, one as a rule."""
    return [START + part for part in data.split(START)[1:]]


def length(data):
    """Samples per channel that a FLAC file promises; 0: unknown."""
    return int.from_bytes(data[LENGTH], "big") & 2**36 - 1


def without_length(data):
    """The file with an unknown length, which is decoded to its end."""
    kept = data[LENGTH.start] & 0xF0
    return b"".join([data[: LENGTH.start], bytes([kept, 0, 0, 0, 0]), data[LENGTH.stop :]])


def has_sum(data):
    """Whether a FLAC file holds the MD5 sum of its samples."""
    return any(data[MD5])


def has_samples(data, blocks):
    """Whether the MD5 sum in a FLAC file is that of samples.

    Args:
      data: the file.
      blocks: iterable of int32 [frames, channels], its samples in the upper bits.
    """
    bits = (data[20] << 4 & 0x10 | data[21] >> 4) + 1
    size, digest = (bits + 7) // 8, hashlib.md5(usedforsecurity=False)
    for block in blocks:
        samples = np.ascontiguousarray(block >> (32 - bits), "<i4")
        digest.update(samples.view(np.uint8).reshape(-1, 4)[:, :size].tobytes())
    return digest.digest() == data[MD5]
