"""The WAV decoder: values against libsndfile and by hand, headers right, wrong and broken, stock operations only."""

import itertools
import re

import numpy as np
import pytest
import soxr
import tensorflow as tf

from urbansound.audio import wav_header
from urbansound.audio.resample import resample_in_graph
from urbansound.audio.wav import decode_wav, read_wav
from urbansound.audio.wav_header import A_LAW, EXTENSIBLE, FLOAT, MAX_CHUNKS, MU_LAW, PCM
from wav_files import by_libsndfile, chunk, fmt, int24, noise, riff, written

READ = tf.function(read_wav, input_signature=[tf.TensorSpec([], tf.string)])
SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]


def plain(payload, **format):
    return riff(fmt(**format), chunk(b"data", payload))


def decoded(data):
    """(waveform, rate, fault) of decode_wav; the fault as its Assert words it."""
    try:
        waveform, rate = decode_wav(tf.constant(data))
    except tf.errors.InvalidArgumentError as error:
        (fault,) = re.findall(r"^.*assertion failed: \[(.*)\]$", error.message, re.MULTILINE)
        return None, None, fault
    assert (waveform.dtype, rate.dtype, rate.shape) == (tf.float32, tf.int32, [])
    return waveform.numpy(), rate.numpy(), ""


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_every_encoding_as_libsndfile_reads_it(subtype):
    for container, channels, rate in [("WAV", 1, 8000), ("WAV", 2, 44100), ("WAVEX", 2, 192000), ("WAVEX", 6, 48000)]:
        data = written(noise(3000, channels), rate, format=container, subtype=subtype)
        expected, _ = by_libsndfile(data)
        waveform, got_rate, _ = decoded(data)
        assert got_rate == rate
        np.testing.assert_array_equal(waveform, expected, strict=True)


@pytest.mark.parametrize(("code", "bits"), [(A_LAW, 8), (MU_LAW, 8), (PCM, 8)])
def test_every_byte(code, bits):
    data = plain(bytes(range(256)), code=code, bits=bits)
    np.testing.assert_array_equal(decoded(data)[0], by_libsndfile(data)[0])


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_many_channels(bits):
    data = plain(np.random.default_rng(0).bytes(300 * 64 * bits // 8), channels=64, bits=bits)
    np.testing.assert_array_equal(decoded(data)[0], by_libsndfile(data)[0])


def test_original_files(shared_data):
    paths = sorted(shared_data.glob("originals/*.wav"))
    assert paths
    for path in paths:
        expected, rate = by_libsndfile(path.read_bytes())
        waveform, got_rate, _ = decoded(path.read_bytes())
        assert got_rate == rate
        np.testing.assert_array_equal(waveform, expected)


FLOATS, LAW = {"code": FLOAT, "bits": 32}, {"code": MU_LAW, "bits": 8}
UNPADDED = chunk(b"JUNK", b"abc")[:-1]
SOUND, ENDLESS_RIFF = chunk(b"data", b"\1\2" * 10), {"size": 0xFFFFFFFF}
GOOD = {
    "extremes": (plain(np.array([-32768, 1, 32767], "<i2").tobytes()), [-1, 2**-15, 32767 / 32768]),
    "24-bit": (plain(int24([-(2**23), 1, -1, 2**23 - 1]), bits=24), [-1, 2**-23, -(2**-23), 1 - 2**-23]),
    "20-bit in 24": (plain(int24([-(2**23), 16]), bits=24, inner_code=PCM, valid_bits=20), [-1, 2**-19]),
    "12-bit in 16": (plain(np.array([-32768, 16], "<i2").tobytes(), bits=12, block_align=2), [-1, 2**-11]),
    "24-bit in 32": (
        plain(np.array([-(2**31), 256], "<i4").tobytes(), bits=32, inner_code=PCM, valid_bits=24),
        [-1, 2**-23],
    ),
    "32-bit": (plain(np.array([-(2**31), 2**30], "<i4").tobytes(), bits=32), [-1, 0.5]),
    "double": (plain(np.array([-1.5, 0.25], "<f8").tobytes(), code=FLOAT, bits=64), [-1.5, 0.25]),
    "extensible float": (plain(np.array([-1.5], "<f4").tobytes(), inner_code=FLOAT, bits=32), [-1.5]),
    "extensible A-law": (plain(bytes([0x2A, 0xAA]), inner_code=A_LAW, bits=8), [-32256 / 32768, 32256 / 32768]),
    "24-bit stereo": (plain(int24([4, 8, -2, -4]), bits=24, channels=2), [6 * 2**-23, -3 * 2**-23]),
    "8-bit stereo": (plain(bytes([0, 128, 255, 255]), bits=8, channels=2), [-0.5, 127 / 128]),
    "float beyond 1": (plain(np.array([-1.5, 2**31], "<f4").tobytes(), **FLOATS), [-1.5, 2**31]),
    "1 kHz": (plain(b"\0\x40", rate=1000), [0.5]),
    "768 kHz": (plain(b"\0\x40", rate=768000), [0.5]),
    "odd chunk before": (riff(chunk(b"LIST", b"abc"), fmt(), chunk(b"data", b"\0\x40")), [0.5]),
    "most chunks before": (riff(fmt(), *[chunk(b"JUNK", b"")] * (MAX_CHUNKS - 2), chunk(b"data", b"\0\x40")), [0.5]),
    "chunk after": (riff(fmt(), chunk(b"data", b"\0\x40"), chunk(b"LIST", b"abc"), SOUND), [0.5]),
    "second fmt": (riff(fmt(bits=8), fmt(), chunk(b"data", b"\0\x40")), [0.5]),
    "half a frame at the end": (plain(b"\0\x40\0\x40\0\x40", channels=2), [0.5]),
    "wrong RIFF size": (riff(fmt(), chunk(b"data", b"\0\x40"), size=7), [0.5]),
    "odd chunk without padding": (riff(UNPADDED, fmt(), UNPADDED, chunk(b"data", b"\0\x40")), [0.5]),
    "odd data without padding": (riff(fmt(bits=8), chunk(b"data", b"\xc0")[:-1], UNPADDED, chunk(b"LIST", b"")), [0.5]),
    "odd chunk padded with a byte that is no zero": (
        riff(UNPADDED + b"\xff", fmt(), chunk(b"data", b"\0\x40")),
        [0.5],
    ),
    "24-bit in 32 with a plain header": (
        plain(np.array([-(2**31), 256], "<i4").tobytes(), bits=24, block_align=4),
        [-1, 2**-23],
    ),
    "24-bit in 32 in the lower bytes, as of ALSA": (
        plain(np.array([-(2**23), 1, 2**23 - 1], "<i4").tobytes(), bits=24, block_align=4),
        [-1, 2**-23, 1 - 2**-23],
    ),
    "24-bit in 32, silent, stereo": (plain(bytes(16), bits=24, channels=2, block_align=8), [0, 0]),
    "data size stuck at 44": (riff(fmt(), chunk(b"data", b"\0\x40" * 1000, size=44)), [0.5] * 1000),
    "mu-law data size stuck at 2": (riff(fmt(**LAW), chunk(b"data", b"\xff" * 100, size=2)), [0] * 100),
    "data of no bytes": (riff(fmt(), chunk(b"data", b"\0\x40", size=0), **ENDLESS_RIFF), [0.5]),
    "data of ffmpeg": (riff(fmt(), chunk(b"data", b"\0\x40", size=0xFFFFFFFF), **ENDLESS_RIFF), [0.5]),
    "data of arecord": (riff(fmt(), chunk(b"data", b"\0\x40", size=0x80000000), **ENDLESS_RIFF), [0.5]),
    "data of SoX": (riff(fmt(), chunk(b"data", b"\0\x40", size=0x7FFFF000), **ENDLESS_RIFF), [0.5]),
    "mu-law of ffmpeg": (riff(fmt(**LAW), chunk(b"data", b"\xff\xff", size=0xFFFFFFFF), **ENDLESS_RIFF), [0, 0]),
    "mu-law of no bytes": (riff(fmt(**LAW), chunk(b"data", b"\xff\xff", size=0), size=8), [0, 0]),
    "mu-law of odd blocks": (plain(b"\xff" * 7, code=MU_LAW, bits=3, block_align=5, channels=2), [0, 0, 0]),
}


@pytest.mark.parametrize(("data", "samples"), GOOD.values(), ids=GOOD)
def test_good_by_hand(data, samples):
    np.testing.assert_array_equal(decoded(data)[0], np.array(samples, np.float32))


NO_NUMBERS = "holds samples that are NaN, infinite or beyond 2.14748e+09"
BAD = {
    "empty": (b"", "not a WAV file: must start with RIFF"),
    "text": (b"<html>" * 20, "not a WAV file: must start with RIFF"),
    "magic alone": (b"RIFF", "truncated: ends within its header, after 4 bytes"),
    "AVI": (riff(fmt(), kind=b"AVI "), "not a WAV file, but another kind of RIFF file"),
    "nothing but RIFF": (riff(), "truncated: no data chunk in its 12 bytes"),
    "no data": (riff(fmt()), "truncated: no data chunk in its 36 bytes"),
    "chunk past the end": (
        riff(fmt(), chunk(b"LIST", b"", size=0xFFFFFFFF), SOUND),
        "truncated: no data chunk in its 72 bytes",
    ),
    "endless chain": (
        riff(fmt(), *[chunk(b"JUNK", b"")] * (MAX_CHUNKS - 1), SOUND),
        "truncated: no data chunk in its 8056 bytes",
    ),
    "data before fmt": (riff(SOUND, fmt()), "its data chunk stands before its fmt chunk"),
    "short fmt": (riff(chunk(b"fmt ", b"\1\0" * 7), SOUND), "its fmt chunk must hold at least 16 bytes. Received: 14"),
    "cut within fmt": (riff(fmt(), SOUND)[:30], "its fmt chunk must hold at least 16 bytes. Received: 10"),
    "bad fmt, then a good one": (riff(fmt(channels=0), fmt(), SOUND), "number of channels must be 1 to 64"),
    "short extensible": (
        riff(fmt(code=EXTENSIBLE), SOUND),
        "its extensible fmt chunk must hold at least 40 bytes. Received: 16",
    ),
    "extensible cut by a byte": (
        riff(chunk(b"fmt ", fmt(inner_code=PCM)[8:-1]), SOUND),
        "its extensible fmt chunk must hold at least 40 bytes. Received: 39",
    ),
    "0 channels": (riff(fmt(channels=0), SOUND), "number of channels must be 1 to 64. Received: 0"),
    "channels": (
        riff(fmt(channels=65535, block_align=2), SOUND),
        "number of channels must be 1 to 64. Received: 65535",
    ),
    "0 Hz": (riff(fmt(rate=0), SOUND), "sample rate must be 1000 to 768000 Hz. Received: 0"),
    "4 GHz": (riff(fmt(rate=4 * 10**9), SOUND), "sample rate must be 1000 to 768000 Hz. Received: 4000000000"),
    "half a sample": (
        riff(fmt(channels=2, block_align=3), SOUND),
        "unknown sample format: 16 bits, 2 channels, 3 bytes per frame",
    ),
    "0 bits": (riff(fmt(bits=0), SOUND), "unknown sample format: 0 bits, 1 channels, 0 bytes per frame"),
    "half float": (riff(fmt(code=FLOAT, bits=16), SOUND), "unknown sample format: 16 bits, 1 channels, 2 bytes"),
    "64-bit": (riff(fmt(bits=64), SOUND), "unknown sample format: 64 bits, 1 channels, 8 bytes per frame"),
    "mu-law without blocks": (riff(fmt(block_align=0, **LAW), SOUND), "bytes per block must be positive. Received: 0"),
    "mu-law in a long block": (riff(fmt(block_align=21, **LAW), SOUND), "holds no samples"),
    "mu-law of no bytes": (riff(fmt(**LAW), chunk(b"data", b"\1", size=0), **ENDLESS_RIFF), "holds no samples"),
    "unknown encoding": (
        riff(fmt(code=0x1234), SOUND),
        "encoding must be integer, float, mu-law or A-law. Received: WAVE_FORMAT number 4660",
    ),
    "no samples": (plain(b""), "holds no samples"),
    "less than a frame": (plain(b"\1\2\3", channels=2), "holds no samples"),
    "truncated": (riff(fmt(), SOUND)[:-3], "truncated: header promises 20 bytes of samples, 17 are there"),
    "almost endless": (
        riff(fmt(), chunk(b"data", b"\1" * 20, size=0x7FFEFFFF)),
        "truncated: header promises 2147418111 bytes of samples, 20 are there",
    ),
    "data size of half": (
        riff(fmt(), chunk(b"data", b"\0\x40" * 1000, size=1000)),
        "header promises 1000 bytes of samples, but 1000 bytes that are no chunks follow; mend its length",
    ),
    "data, then a chunk that is cut": (
        riff(fmt(), SOUND, chunk(b"LIST", b"abcd", size=99)),
        "header promises 20 bytes of samples, but 12 bytes that are no chunks follow",
    ),
    "24-bit in 32 that are floats": (
        plain(np.array([0.5, 0.1], "<f4").tobytes(), bits=24, block_align=4),
        "header promises 24 bits in 4 bytes, but its samples have more; convert it to plain 24 or 32 bits",
    ),
    "NaN": (plain(np.array([0, np.nan], "<f4").tobytes(), **FLOATS), NO_NUMBERS),
    "infinite": (plain(np.array([-np.inf], "<f4").tobytes(), **FLOATS), NO_NUMBERS),
    "huge": (plain(np.array([1e300], "<f8").tobytes(), code=FLOAT, bits=64), NO_NUMBERS),
    "infinities": (plain(np.array([np.inf, -np.inf], "<f4").tobytes(), channels=2, **FLOATS), NO_NUMBERS),
    "sum beyond float32": (
        plain(np.array([3e38, 3e38, -3e38, -3e38], "<f4").tobytes(), channels=4, **FLOATS),
        NO_NUMBERS,
    ),
}


@pytest.mark.parametrize(("data", "fault"), BAD.values(), ids=BAD)
def test_fault(data, fault):
    assert decoded(data)[2].startswith(fault)
    waveform, _, text, _ = READ(data)
    assert text.numpy().decode().startswith(fault)
    assert len(waveform) == 0


def test_what_libsndfile_is_asked_for():
    def other(data):
        return READ(data)[3].numpy()

    assert other(written(noise(4000), 44100, format="WAV", subtype="IMA_ADPCM")) == 0x11
    assert other(riff(fmt(code=0x1234), SOUND)) == 0x1234
    for format in ("FLAC", "AIFF", "RF64"):
        assert other(written(noise(4000), 44100, format=format)) == 0
    for data, _ in [*GOOD.values(), BAD["truncated"], BAD["AVI"], BAD["NaN"]]:
        assert other(data) == -1
    # A compressed file that is cut off is refused here: the header says so whatever the encoding.
    assert READ(riff(fmt(code=0x11), SOUND)[:-3])[2] == b"truncated: header promises 20 bytes of samples, 17 are there"


def test_unknown_guid_is_another_encoding():
    data = bytearray(plain(b"\1\0" * 50, inner_code=PCM))
    data[46] ^= 0xFF
    assert READ(bytes(data))[3].numpy() == EXTENSIBLE


def test_length_is_bounded(monkeypatch):
    monkeypatch.setattr(wav_header, "MAX_SAMPLES", 1000)
    assert read_wav(tf.constant(plain(bytes(2000), channels=2)))[2] == b""
    assert read_wav(tf.constant(plain(bytes(2004), channels=2)))[2].numpy().startswith(b"longer than")


def operations(graph):
    """Names of the operations in a GraphDef and in its function library."""
    nodes = itertools.chain(graph.node, *[function.node_def for function in graph.library.function])
    return {node.op for node in nodes}


def test_saved_model_of_stock_operations(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "wav_bytes")])
    def waveforms(wav_bytes):
        def one(contents):
            waveform = resample_in_graph(*decode_wav(contents), 16000)
            return tf.pad(waveform, [[0, 20000 - tf.size(waveform)]])

        return {"waveforms": tf.map_fn(one, wav_bytes, fn_output_signature=tf.TensorSpec([20000], tf.float32))}

    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"serving_default": waveforms})
    files = [written(noise(9000, 2), rate, format="WAV", subtype=subtype) for rate, subtype in
             [(8000, "PCM_24"), (16000, "ULAW"), (44101, "DOUBLE")]]  # fmt: skip
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(tmp_path))
        names = operations(loaded.graph_def)
        assert {"DecodeRaw", "RFFT"} <= names
        # raw_ops lists what TensorFlow itself was built with, whatever libraries other tests have loaded.
        assert {name for name in names if not hasattr(tf.raw_ops, name) or "PyFunc" in name} == set()

        signature = loaded.signature_def["serving_default"]
        fetch, feed = signature.outputs["waveforms"].name, signature.inputs["wav_bytes"].name
        for _ in range(2):
            with pytest.raises(tf.errors.InvalidArgumentError, match="not a WAV file: must start with RIFF"):
                session.run(fetch, {feed: [files[0], b"no sound"]})
            rows = session.run(fetch, {feed: files})
            for row, data in zip(rows, files, strict=True):
                expected = soxr.resample(*by_libsndfile(data), 16000)
                # The filters' slopes differ, and white noise fills them; see test_resample.
                error = row[: len(expected)] - expected
                assert np.linalg.norm(error) < 2e-3 * np.linalg.norm(expected)
                assert not row[len(expected) :].any()
