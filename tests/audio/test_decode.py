import io
import itertools

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from urbansound.audio import decode
from urbansound.audio.decode import decode_bytes, decode_file, decode_in_graph
from urbansound.audio.wav_header import EXTENSIBLE, FLOAT, PCM
from urbansound.errors import InputError
from wav_files import chunk, fmt, int24, noise, riff

A_LAW, MU_LAW = 6, 7
# Both sides average the same float32 samples, here in another order.
ROUNDING = 1e-6


def reference(source, sample_rate):
    """What libsndfile and soxr make of a file, float32 [samples]."""
    samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, sample_rate)


def written(samples, rate, **format):
    """The bytes of a file that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **format)
    return file.getvalue()


def wav(payload, **format):
    return riff(fmt(**format), chunk(b"data", payload))


SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "MS_ADPCM", "IMA_ADPCM"]
GRID = [
    (container, subtype, channels)
    for container, subtype, channels in itertools.product(["WAV", "WAVEX"], SUBTYPES, [1, 2, 6])
    if "ADPCM" not in subtype or (container == "WAV" and channels <= 2)  # others do not exist
]


@pytest.mark.parametrize(("container", "subtype", "channels"), GRID)
@pytest.mark.parametrize("rate", [8000, 22050, 48000, 192000])
def test_every_encoding_as_libsndfile_reads_it(container, subtype, channels, rate):
    data = written(noise(3000, channels), rate, format=container, subtype=subtype)
    waveform = decode_bytes(data, 22050)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, reference(io.BytesIO(data), 22050), atol=ROUNDING)


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("MP3", None), ("AIFF", "PCM_16"), ("RF64", "PCM_24")],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_other_kinds_of_files(format, subtype, channels):
    data = written(noise(20000, channels), 48000, format=format, subtype=subtype)
    np.testing.assert_allclose(decode_bytes(data, 16000), reference(io.BytesIO(data), 16000), atol=ROUNDING)


def test_compressed_files_in_several_blocks(monkeypatch):
    data = written(noise(50000, 2), 48000, format="OGG", subtype="VORBIS")
    whole = decode_bytes(data, 48000)
    monkeypatch.setattr(decode, "LIBSNDFILE_BLOCK", 7000)
    np.testing.assert_array_equal(decode_bytes(data, 48000), whole)


# Extreme values and what each must become; exact, since float32 holds 24-bit integers.
BY_HAND = {
    "8-bit": (wav(bytes([0, 128, 255]), bits=8), [-1, 0, 127 / 128]),
    "16-bit": (wav(np.array([-32768, 1, 32767], "<i2").tobytes()), [-1, 2**-15, 32767 / 32768]),
    "12-bit in 16": (wav(np.array([-32768, 16], "<i2").tobytes(), bits=12, block_align=2), [-1, 2**-11]),
    "24-bit": (wav(int24([-(2**23), 1, -1, 2**23 - 1]), bits=24), [-1, 2**-23, -(2**-23), 1 - 2**-23]),
    "20-bit in 24": (wav(int24([-(2**23), 16]), bits=24, inner_code=PCM, valid_bits=20), [-1, 2**-19]),
    "24-bit in 32": (
        wav(np.array([-(2**31), 256], "<i4").tobytes(), bits=32, inner_code=PCM, valid_bits=24),
        [-1, 2**-23],
    ),
    "32-bit": (wav(np.array([-(2**31), 2**30], "<i4").tobytes(), bits=32), [-1, 0.5]),
    "float": (wav(np.array([-1.5, 0.25], "<f4").tobytes(), code=FLOAT, bits=32), [-1.5, 0.25]),
    "double": (wav(np.array([-1.5, 0.25], "<f8").tobytes(), code=FLOAT, bits=64), [-1.5, 0.25]),
    "extensible float": (wav(np.array([-1.5], "<f4").tobytes(), inner_code=FLOAT, bits=32), [-1.5]),
    "extensible mu-law": (wav(bytes([0, 128, 255]), inner_code=MU_LAW, bits=8), [-32124 / 32768, 32124 / 32768, 0]),
    "extensible A-law": (wav(bytes([0x2A, 0xAA]), inner_code=A_LAW, bits=8), [-32256 / 32768, 32256 / 32768]),
    "stereo": (wav(np.array([100, 300, -32768, -32768], "<i2").tobytes(), channels=2), [200 / 32768, -1]),
    "24-bit stereo": (wav(int24([4, 8, -2, -4]), bits=24, channels=2), [6 * 2**-23, -3 * 2**-23]),
    "an odd chunk before": (
        riff(chunk(b"LIST", b"abc"), fmt(bits=24), chunk(b"data", int24([1, 2, 3]))),
        [2**-23, 2**-22, 3 * 2**-23],
    ),
}


@pytest.mark.parametrize(("data", "samples"), BY_HAND.values(), ids=BY_HAND)
def test_values_by_hand(data, samples):
    np.testing.assert_array_equal(decode_bytes(data, 44100), np.array(samples, np.float32))


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_many_blocks_of_many_channels(bits):
    channels, size = 64, bits // 8
    payload = np.random.default_rng(0).bytes(3000 * channels * size)
    data = wav(payload, channels=channels, bits=bits)
    np.testing.assert_allclose(decode_bytes(data, 44100), reference(io.BytesIO(data), 44100), atol=ROUNDING)


def test_name_does_not_decide(tmp_path):
    samples = noise(2000)
    for name, format in {"flac.wav": "FLAC", "wav.mp3": "WAV", "aiff.raw": "AIFF", "none": "WAV"}.items():
        (tmp_path / name).write_bytes(written(samples, 22050, format=format, subtype="PCM_16"))
        np.testing.assert_allclose(decode_file(tmp_path / name, 22050), samples[:, 0], atol=2**-15)


def test_original_files(shared_data):
    for path in sorted(shared_data.glob("originals/*.wav")):
        np.testing.assert_allclose(decode_file(path, 22050), reference(path, 22050), atol=ROUNDING)


def test_tensorflow_io_agrees():
    tfio = pytest.importorskip(
        "tensorflow_io", reason="needs tensorflow-io", exc_type=(ImportError, NotImplementedError)
    )
    for subtype, dtype, scale in [("PCM_16", tf.int16, 2**-15), ("PCM_24", tf.int32, 2**-31), ("FLOAT", tf.float32, 1)]:
        data = written(noise(3000, 2), 44100, format="WAV", subtype=subtype)
        samples = tfio.audio.decode_wav(data, dtype=dtype).numpy().astype(np.float32)
        np.testing.assert_allclose(decode_bytes(data, 44100), samples.mean(axis=1) * scale, atol=ROUNDING)


FLOATS = {"code": FLOAT, "bits": 32}
NO_NUMBERS = "holds samples that are NaN, infinite or beyond 2.14748e+09"
REFUSED = {
    "empty": (b"", "no sound that libsndfile can decode (empty: Format not recognised)"),
    "text": (b"<html>" * 20, "no sound that libsndfile can decode (starts with '<htm': Format not recognised)"),
    "header": (wav(b"", bits=16), "holds no samples"),
    "NaN": (
        wav(np.array([0, np.nan], "<f4").tobytes(), **FLOATS),
        NO_NUMBERS,
    ),
    "infinite": (wav(np.array([-np.inf], "<f4").tobytes(), **FLOATS), NO_NUMBERS),
    "huge": (wav(np.array([1e300], "<f8").tobytes(), code=FLOAT, bits=64), NO_NUMBERS),
    "huge sum": (wav(np.full(2, 3e38, "<f4").tobytes(), channels=2, **FLOATS), NO_NUMBERS),
    "infinities": (wav(np.array([np.inf, -np.inf], "<f4").tobytes(), channels=2, **FLOATS), NO_NUMBERS),
    "infinite AIFF": (written(np.array([np.inf]), 44100, format="AIFF", subtype="FLOAT"), NO_NUMBERS),
    "unknown encoding": (wav(b"\1" * 99, code=0x1234), "no sound that libsndfile can decode (WAV of encoding 0x1234: "),
    "too short": (wav(b"\1\0", rate=192000), "too short: 1 samples at 192000 Hz"),
    "cut FLAC": (
        written(noise(44100), 44100, format="FLAC")[:50000],
        "no sound that libsndfile can decode (starts with 'fLaC': Error : flac decoder lost sync",
    ),
    "channels": (
        written(np.zeros((10, 100)), 44100, format="AIFF", subtype="PCM_16"),
        "number of channels must be 1 to 64. Received: 100",
    ),
    "no frames": (written(np.zeros(0), 44100, format="AIFF", subtype="PCM_16"), "holds no samples"),
}


@pytest.mark.parametrize(("data", "fault"), REFUSED.values(), ids=REFUSED)
def test_fault(data, fault):
    with pytest.raises(InputError) as raised:
        decode_bytes(data, 22050)
    assert str(raised.value).startswith(fault)


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_length_is_bounded(format, monkeypatch):
    monkeypatch.setattr(decode, "MAX_SAMPLES", 10000)
    data = written(noise(3000, 2), 8000, format=format, subtype="PCM_16")
    assert len(decode_bytes(data, 16000)) == 6000
    with pytest.raises(InputError, match="longer than 10000 samples; cut it into shorter files"):
        decode_bytes(data, 48000)
    with pytest.raises(InputError, match="longer than 10000 samples; cut it into shorter files"):
        decode_bytes(written(noise(6000, 2), 8000, format=format, subtype="PCM_16"), 8000)


def test_claimed_length_allocates_nothing():
    # A FLAC header whose 36-bit number of samples claims 68 thousand million.
    data = bytearray(written(noise(3000), 44100, format="FLAC", subtype="PCM_16"))
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    with pytest.raises(InputError):
        decode_bytes(bytes(data), 22050)


def test_faults_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "x.wav"
    with pytest.raises(InputError) as raised:
        decode_file(path, 22050)
    assert str(raised.value) == "can't be read (No such file or directory)"
    with pytest.raises(InputError, match="can't be read"):
        decode_file(tmp_path, 22050)
    path.write_bytes(wav(b"\1\2" * 9)[:-4])
    with pytest.raises(InputError) as raised:
        decode_file(path, 22050)
    assert str(raised.value) == "truncated: header promises 18 bytes of samples, 14 are there"
    monkeypatch.setattr(decode, "MAX_FILE_BYTES", 10)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        decode_file(path, 22050)


@pytest.fixture
def clips(tmp_path):
    """Paths of good and bad files of every kind, names beyond ASCII among them."""
    files = {f"{subtype}.wav": written(noise(4000, 2), 44100, format="WAV", subtype=subtype) for subtype in SUBTYPES}
    files |= {
        "é.flac": written(noise(4000), 48000, format="FLAC"),
        "bad.wav": b"hello",
        "cut é.wav": wav(b"\1" * 9)[:-4],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return [str(tmp_path / name) for name in files] + [str(tmp_path / "absent")]


def outcome(decoder, *args):
    """(waveform, fault) of a call: what it returns, or no samples and what its InputError says."""
    try:
        return decoder(*args), ""
    except InputError as error:
        return np.zeros(0, np.float32), str(error)


def check_like_decode_file(path, waveform, fault):
    expected, expected_fault = outcome(decode_file, path, 16000)
    np.testing.assert_array_equal(waveform, expected, strict=True)
    assert fault.decode() == expected_fault


def test_in_graph_and_eagerly_as_in_python(clips):
    traced = tf.function(lambda path: decode_in_graph(path, 16000))
    for path in clips:
        for decoder in (traced, lambda path: decode_in_graph(path, 16000)):
            waveform, fault = decoder(tf.constant(path))
            check_like_decode_file(path, waveform.numpy(), fault.numpy())


def test_in_parallel_in_a_dataset(clips):
    dataset = tf.data.Dataset.from_tensor_slices(clips * 5)
    dataset = dataset.map(lambda path: (path, *decode_in_graph(path, 16000)), num_parallel_calls=4)
    assert [spec.shape.rank for spec in dataset.element_spec] == [0, 1, 0]
    decoded = list(dataset.as_numpy_iterator())
    assert [path.decode() for path, _, _ in decoded] == clips * 5
    for path, waveform, fault in decoded:
        check_like_decode_file(path.decode(), waveform, fault)


def test_path_beyond_utf8(tmp_path):
    path = bytes(tmp_path) + b"/\xff.wav"
    _, fault = decode_in_graph(tf.constant(path), 16000)
    assert fault.numpy().decode() == "can't be read (No such file or directory)"
    with open(path, "wb") as file:
        file.write(wav(b"\1\0" * 100))
    waveform, fault = decode_in_graph(tf.constant(path), 44100)
    assert (len(waveform), fault.numpy()) == (100, b"")


VICTIMS = [
    *[{"format": "WAV", "subtype": subtype} for subtype in SUBTYPES],
    *[{"format": "WAVEX", "subtype": subtype} for subtype in ("PCM_24", "FLOAT", "ULAW")],
    *[{"format": format} for format in ("FLAC", "OGG", "MP3", "AIFF", "RF64", "W64")],
]


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda victim: "-".join(victim.values()))
def test_mutilated_files_give_finite_waveforms_or_input_errors(victim):
    generator = np.random.default_rng(7)
    whole = np.frombuffer(written(noise(2000, 2), 44100, **victim), np.uint8)
    for _ in range(60):
        data = whole[: generator.integers(len(whole)) if generator.random() < 0.3 else None].copy()
        places = generator.integers(0, min(len(data), 120) + 1, generator.integers(0, 6)) - 1
        data[places[places >= 0]] = generator.choice([0, 1, 127, 128, 254, 255, 3, 16], (places >= 0).sum())
        waveform, fault = outcome(decode_bytes, data.tobytes(), 22050)
        assert (len(waveform) > 0) == (fault == "")
        assert len(fault.splitlines()) <= 1
        assert np.all(np.isfinite(waveform))


def test_extensible_of_unknown_guid_is_left_to_libsndfile():
    data = bytearray(wav(b"\1\0" * 50, inner_code=PCM))
    data[46] ^= 0xFF
    assert int.from_bytes(data[20:22], "little") == EXTENSIBLE
    with pytest.raises(InputError, match=r"^no sound that libsndfile can decode \(WAV of encoding 0xfffe: "):
        decode_bytes(bytes(data), 22050)
