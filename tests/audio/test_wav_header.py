import struct

import pytest

from urbansound.audio.wav_header import FLOAT, MAX_CHUNKS, PCM, check_header
from urbansound.errors import InputError
from wav_files import chunk, fmt, riff

DATA = chunk(b"data", b"\1\2" * 10)


def test_plain_header():
    header = check_header(riff(fmt(channels=2, rate=48000), DATA))
    assert (header.code, header.channels, header.rate, header.bits) == (PCM, 2, 48000, 16)
    assert (header.block_align, header.data_offset, header.data_bytes, header.frames) == (4, 44, 20, 5)
    assert header.is_plain


def test_extensible_is_resolved():
    assert check_header(riff(fmt(inner_code=FLOAT, bits=32), DATA)).code == FLOAT
    mu_law = check_header(riff(fmt(inner_code=7, bits=8), DATA))
    assert mu_law.code == 7
    assert not mu_law.is_plain


def test_unknown_guid_stays_extensible():
    # B-format of ambisonics: the code within is PCM, the rest of the GUID differs.
    tail = bytes.fromhex("2107d3118644c8c1ca000000")
    extra = struct.pack("<HHIHH", 22, 16, 0, PCM, 0) + tail
    assert check_header(riff(fmt(code=0xFFFE, extra=extra), DATA)).code == 0xFFFE


@pytest.mark.parametrize("name", [b"JUNK", b"LIST", b"bext", b"\0\0\0\0"])
@pytest.mark.parametrize("size", [0, 5, 602])
def test_chunks_before_the_data(name, size):
    other = chunk(name, b"\7" * size)
    header = check_header(riff(other, fmt(), other, DATA, other))
    assert header.data_bytes == 20
    assert header.data_offset == 44 + 2 * len(other)


@pytest.mark.parametrize("declared", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_data_of_a_stream_reaches_to_the_end(declared):
    header = check_header(riff(fmt(), chunk(b"data", b"\1" * 20, size=declared), size=0xFFFFFFFF))
    assert header.data_bytes == 20


def test_wrong_riff_size_and_half_a_frame_are_forgiven():
    header = check_header(riff(fmt(channels=2), chunk(b"data", b"\1" * 22), size=7))
    assert header.frames == 5


@pytest.mark.parametrize("bits", [9, 12, 16])
def test_samples_narrower_than_their_bytes(bits):
    assert check_header(riff(fmt(bits=bits, block_align=2), DATA)).frames == 10


WRONG = {
    "empty": (b"", "not a WAV file (empty)"),
    "magic": (b"ID3\3 and so on", r"not a WAV file (starts with 'ID3\x03')"),
    "magic alone": (b"RIFF", "truncated: ends within its header, after 4 bytes"),
    "AVI": (riff(fmt(), kind=b"AVI "), "not a WAV file (RIFF file of the kind 'AVI ')"),
    "nothing but RIFF": (riff(), "truncated: no fmt chunk in its 12 bytes"),
    "no data": (riff(fmt()), "truncated: no data chunk in its 36 bytes"),
    "chunk past the end": (
        riff(fmt(), chunk(b"LIST", b"", size=0xFFFFFFFF), DATA),
        "truncated: no data chunk in its 72 bytes",
    ),
    "endless chain": (riff(chunk(b"JUNK", b"") * (MAX_CHUNKS + 1), DATA), "truncated: no fmt chunk in its 8048 bytes"),
    "data before fmt": (riff(DATA, fmt()), "its data chunk stands before its fmt chunk"),
    "short fmt": (riff(chunk(b"fmt ", b"\1\0" * 7), DATA), "its fmt chunk must hold at least 16 bytes. Received: 14"),
    "short extensible": (
        riff(fmt(code=0xFFFE), DATA),
        "its extensible fmt chunk must hold at least 40 bytes. Received: 16",
    ),
    "0 channels": (riff(fmt(channels=0), DATA), "number of channels must be 1 to 64. Received: 0"),
    "many channels": (
        riff(fmt(channels=65535, block_align=2), DATA),
        "number of channels must be 1 to 64. Received: 65535",
    ),
    "0 Hz": (riff(fmt(rate=0), DATA), "sample rate must be 1000 to 768000 Hz. Received: 0"),
    "4 GHz": (riff(fmt(rate=4 * 10**9), DATA), "sample rate must be 1000 to 768000 Hz. Received: 4000000000"),
    "block_align": (
        riff(fmt(channels=2, block_align=3), DATA),
        "unknown sample format: 16-bit integer, 2 channels, 3 bytes per frame",
    ),
    "block_align 0": (
        riff(fmt(block_align=0), DATA),
        "unknown sample format: 16-bit integer, 1 channels, 0 bytes per frame",
    ),
    "0 bits": (riff(fmt(bits=0), DATA), "unknown sample format: 0-bit integer, 1 channels, 0 bytes per frame"),
    "half float": (
        riff(fmt(code=FLOAT, bits=16), DATA),
        "unknown sample format: 16-bit float, 1 channels, 2 bytes per frame",
    ),
    "64-bit": (riff(fmt(bits=64), DATA), "unknown sample format: 64-bit integer, 1 channels, 8 bytes per frame"),
    "ADPCM without blocks": (riff(fmt(code=2, block_align=0), DATA), "bytes per block must be positive. Received: 0"),
    "no samples": (riff(fmt(), chunk(b"data", b"")), "holds no samples"),
    "less than a frame": (riff(fmt(channels=2), chunk(b"data", b"\1\2\3")), "holds no samples"),
    "truncated": (
        riff(fmt(), DATA)[:-3],
        "truncated: header promises 20 bytes of samples, 17 are there",
    ),
    "truncated in fmt": (riff(fmt(), DATA)[:30], "its fmt chunk must hold at least 16 bytes. Received: 10"),
}


@pytest.mark.parametrize(("data", "fault"), WRONG.values(), ids=WRONG)
def test_fault(data, fault):
    with pytest.raises(InputError) as raised:
        check_header(data)
    assert str(raised.value) == fault
