import io
import itertools
import re

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from audio.wav_files import chunk, fmt, int24, noise, riff

from urbansound.audio import wav
from urbansound.audio.decode import decode_bytes
from urbansound.audio.graph_resample import resample
from urbansound.audio.wav import A_LAW, MU_LAW, decode_wav
from urbansound.audio.wav_header import EXTENSIBLE, FLOAT, MAX_CHUNKS, PCM, check_header
from urbansound.errors import InputError

SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
KINDS = list(itertools.product(["WAV", "WAVEX"], SUBTYPES))
TAKEN = {PCM, FLOAT, A_LAW, MU_LAW}
BY_LIBSNDFILE = "no sound that libsndfile can decode"


def in_a_function(contents):
    return TRACED(contents)


# What a SavedModel's signature does: a row for each file.
TRACED = tf.function(lambda contents: decode_wav(contents), input_signature=[tf.TensorSpec([], tf.string)])
DECODERS = pytest.mark.parametrize("decoder", [decode_wav, in_a_function])


def written(samples, rate, **format):
    """The bytes of a file that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **format)
    return file.getvalue()


def plain(payload, **format):
    return riff(fmt(**format), chunk(b"data", payload))


def in_python(data):
    """(waveform, rate, fault) of the Python path at the file's own rate."""
    try:
        header = check_header(data)
        return decode_bytes(data, header.rate), header.rate, ""
    except InputError as error:
        return None, None, str(error)


def in_graph(data, decoder=decode_wav):
    """(waveform, rate, fault) of the graph; the fault as its Assert words it."""
    try:
        waveform, rate = decoder(tf.constant(data))
    except tf.errors.InvalidArgumentError as error:
        (fault,) = re.findall(r"^.*assertion failed: \[(.*)\]$", error.message, re.MULTILINE)
        return None, None, fault
    assert (waveform.dtype, rate.dtype, rate.shape) == (tf.float32, tf.int32, [])
    return waveform.numpy(), rate.numpy(), ""


def check_same(data, decoder=decode_wav):
    waveform, rate, fault = in_python(data)
    got, got_rate, got_fault = in_graph(data, decoder)
    assert bool(fault) == bool(got_fault), (fault, got_fault)
    if not fault:
        assert rate == got_rate
        # Equal bit by bit: the same float32 products and sums in the same order.
        np.testing.assert_array_equal(got, waveform, strict=True)


@DECODERS
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_every_encoding_as_in_python(container, subtype, channels, decoder):
    for rate in (8000, 44100, 192000):
        data = written(noise(3000, channels), rate, format=container, subtype=subtype)
        assert in_python(data)[2] == ""
        check_same(data, decoder)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_every_encoding_as_libsndfile_reads_it(subtype):
    data = written(noise(3000, 2), 44100, format="WAV", subtype=subtype)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_allclose(in_graph(data)[0], expected.mean(axis=1), atol=1e-6)  # float32 mean in another order


@pytest.mark.parametrize(("code", "subtype"), [(A_LAW, "ALAW"), (MU_LAW, "ULAW")])
def test_every_companded_byte(code, subtype):
    data = plain(bytes(range(256)), code=code, bits=8)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_array_equal(in_graph(data)[0], expected)
    check_same(data)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_many_channels(bits):
    payload = np.random.default_rng(0).bytes(300 * 64 * bits // 8)
    check_same(plain(payload, channels=64, bits=bits))


def test_original_files(shared_data):
    paths = sorted(shared_data.glob("originals/*.wav"))
    assert paths
    for path in paths:
        check_same(path.read_bytes())


FLOATS, LAW = {"code": FLOAT, "bits": 32}, {"code": MU_LAW, "bits": 8}
SOUND, ENDLESS_RIFF = chunk(b"data", b"\1\2" * 10), {"size": 0xFFFFFFFF}
GOOD = {
    "extremes": (plain(np.array([-32768, 1, 32767], "<i2").tobytes()), [-1, 2**-15, 32767 / 32768]),
    "24-bit": (plain(int24([-(2**23), 1, -1, 2**23 - 1]), bits=24), [-1, 2**-23, -(2**-23), 1 - 2**-23]),
    "20-bit in 24": (plain(int24([-(2**23), 16]), bits=24, inner_code=PCM, valid_bits=20), [-1, 2**-19]),
    "12-bit in 16": (plain(np.array([-32768, 16], "<i2").tobytes(), bits=12, block_align=2), [-1, 2**-11]),
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
    "data of no bytes": (riff(fmt(), chunk(b"data", b"\0\x40", size=0), **ENDLESS_RIFF), [0.5]),
    "data of ffmpeg": (riff(fmt(), chunk(b"data", b"\0\x40", size=0xFFFFFFFF), **ENDLESS_RIFF), [0.5]),
    "data of arecord": (riff(fmt(), chunk(b"data", b"\0\x40", size=0x80000000), **ENDLESS_RIFF), [0.5]),
    "data of SoX": (riff(fmt(), chunk(b"data", b"\0\x40", size=0x7FFFF000), **ENDLESS_RIFF), [0.5]),
    "mu-law of ffmpeg": (riff(fmt(**LAW), chunk(b"data", b"\xff\xff", size=0xFFFFFFFF), **ENDLESS_RIFF), [0, 0]),
    "mu-law of no bytes": (riff(fmt(**LAW), chunk(b"data", b"\xff\xff", size=0), size=8), [0, 0]),
    "mu-law of odd blocks": (plain(b"\xff" * 7, code=MU_LAW, bits=3, block_align=5, channels=2), [0, 0, 0]),
}


@DECODERS
@pytest.mark.parametrize(("data", "samples"), GOOD.values(), ids=GOOD)
def test_good_by_hand(data, samples, decoder):
    np.testing.assert_array_equal(in_graph(data, decoder)[0], np.array(samples, np.float32))
    check_same(data)


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
    "NaN": (plain(np.array([0, np.nan], "<f4").tobytes(), **FLOATS), NO_NUMBERS),
    "infinite": (plain(np.array([-np.inf], "<f4").tobytes(), **FLOATS), NO_NUMBERS),
    "huge": (plain(np.array([1e300], "<f8").tobytes(), code=FLOAT, bits=64), NO_NUMBERS),
    "infinities": (plain(np.array([np.inf, -np.inf], "<f4").tobytes(), channels=2, **FLOATS), NO_NUMBERS),
    "sum beyond float32": (
        plain(np.array([3e38, 3e38, -3e38, -3e38], "<f4").tobytes(), channels=4, **FLOATS),
        NO_NUMBERS,
    ),
}


@DECODERS
@pytest.mark.parametrize(("data", "fault"), BAD.values(), ids=BAD)
def test_fault(data, fault, decoder):
    assert in_graph(data, decoder)[2].startswith(fault)
    check_same(data)


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "IMA_ADPCM", "GSM610"])
def test_compressed_samples_are_refused(subtype):
    data = written(noise(4000), 44100, format="WAV", subtype=subtype)
    assert in_graph(data)[2].startswith("encoding must be integer, float, mu-law or A-law. Received: WAVE_FORMAT")


@pytest.mark.parametrize("format", ["FLAC", "OGG", "AIFF", "RF64", "W64"])
def test_other_kinds_of_files_are_refused(format):
    assert in_graph(written(noise(4000), 44100, format=format))[2] == "not a WAV file: must start with RIFF"


def test_length_is_bounded(monkeypatch):
    monkeypatch.setattr(wav, "MAX_SAMPLES", 1000)
    decoder = tf.function(lambda contents: decode_wav.python_function(contents))  # traced anew, with this limit
    assert in_graph(plain(bytes(2000), channels=2), decoder)[2] == ""
    fault = in_graph(plain(bytes(2004), channels=2), decoder)[2]
    assert fault == "longer than 1000 samples; cut it into shorter files"


def mutilated(whole, generator):
    """A file cut or not, with a few wrong bytes in its header; as in the Python path's own test."""
    whole = np.frombuffer(whole, np.uint8)
    data = whole[: generator.integers(len(whole)) if generator.random() < 0.3 else None].copy()
    places = generator.integers(0, min(len(data), 120) + 1, generator.integers(0, 6)) - 1
    data[places[places >= 0]] = generator.choice([0, 1, 127, 128, 254, 255, 3, 16], (places >= 0).sum())
    return data.tobytes()


@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_mutilated_files_as_in_python(container, subtype):
    generator = np.random.default_rng(7)
    whole = written(noise(500, 2), 44100, format=container, subtype=subtype)
    accepted = 0
    for _ in range(100):
        data = mutilated(whole, generator)
        waveform, _, fault = in_python(data)
        if fault.startswith(BY_LIBSNDFILE):
            # Another encoding by now, or companded among broken chunks, which libsndfile is stricter about.
            got, _, got_fault = in_graph(data)
            assert got_fault or (check_header(data).code in {A_LAW, MU_LAW} and np.isfinite(got).all())
        elif waveform is None or check_header(data).code in TAKEN:
            check_same(data)
            accepted += waveform is not None
    assert 10 < accepted < 90


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "ULAW"])
def test_every_wrong_size_and_every_cut(subtype):
    whole = written(noise(20, 2), 44100, format="WAV", subtype=subtype)
    for cut in range(len(whole)):
        check_same(whole[:cut])
    places = [4, 16, whole.index(b"data") + 4]
    for place, size in itertools.product(places, [0, 1, 8, 15, 2**31 - 1, 2**31, 0x7FFF0000, 0x7FFEFFFF, 2**32 - 1]):
        check_same(whole[:place] + size.to_bytes(4, "little") + whole[place + 4 :])


def operations(graph):
    """Names of the operations in a GraphDef and in its function library."""
    nodes = itertools.chain(graph.node, *[function.node_def for function in graph.library.function])
    return {node.op for node in nodes}


def test_saved_model_of_stock_operations(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "wav_bytes")])
    def waveforms(wav_bytes):
        def one(contents):
            waveform = resample(*decode_wav(contents), 16000)
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
                expected = decode_bytes(data, 16000)
                # The filters' slopes differ, and white noise fills them; see test_graph_resample.
                error = row[: len(expected)] - expected
                assert np.linalg.norm(error) < 2e-3 * np.linalg.norm(expected)
                assert not row[len(expected) :].any()
