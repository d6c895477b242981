"""Files of every kind to waveforms: against libsndfile and soxr, with faults as values, in datasets too."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from urbansound.audio import decode, sndfile, wav_header
from urbansound.audio.decode import decode_bytes, decode_file, decode_in_graph
from urbansound.audio.limits import MAX_SAMPLES
from urbansound.audio.wav_header import FLOAT
from urbansound.errors import InputError
from wav_files import chunk, fmt, noise, riff, written

# Both sides average the same float32 samples, here in another order.
ROUNDING = 1e-6


def reference(source, sample_rate):
    """What libsndfile and soxr make of a file, float32 [samples]."""
    samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, sample_rate)


def wav(payload, **format):
    return riff(fmt(**format), chunk(b"data", payload))


# One decoded by the graph, the compressed kinds of WAV, other files; each mono or stereo as it is met.
KINDS = [
    ("WAV", "PCM_24", 2),
    ("WAV", "ULAW", 1),
    ("WAV", "MS_ADPCM", 2),
    ("WAV", "IMA_ADPCM", 1),
    ("FLAC", "PCM_16", 1),
    ("FLAC", "PCM_24", 2),
    ("OGG", "VORBIS", 2),
    ("MP3", None, 2),
    ("AIFF", "PCM_16", 1),
    ("RF64", "PCM_24", 2),
    ("W64", "FLOAT", 1),
]


@pytest.mark.parametrize(("format", "subtype", "channels"), KINDS)
def test_every_kind_as_libsndfile_reads_it(format, subtype, channels):
    data = written(noise(20000, channels), 48000, format=format, subtype=subtype)
    for rate in (16000, 48000):  # by soxr, and as it is
        waveform = decode_bytes(data, rate)
        assert waveform.dtype == np.float32
        np.testing.assert_allclose(waveform, reference(io.BytesIO(data), rate), atol=ROUNDING)


def test_compressed_files_in_several_blocks(monkeypatch):
    data = written(noise(50000, 2), 48000, format="OGG", subtype="VORBIS")
    whole = decode_bytes(data, 48000)
    monkeypatch.setattr(sndfile, "BLOCK_SAMPLES", 7000)
    np.testing.assert_array_equal(decode_bytes(data, 48000), whole)


def test_zeros_at_the_end_are_kept():
    # numpy's bytes type drops them.
    data = written(np.pad(noise(1000), [(0, 3000), (0, 0)]), 44100, format="AIFF", subtype="PCM_16")
    assert data.endswith(b"\0" * 6000)
    assert len(decode_bytes(data, 44100)) == 4000


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


REFUSED = {
    "empty": (b"", "no sound that libsndfile can decode (empty: Format not recognised)"),
    "text": (b"<html>" * 20, "no sound that libsndfile can decode (starts with '<htm': Format not recognised)"),
    "header": (wav(b"", bits=16), "holds no samples"),
    "NaN": (wav(np.array([0, np.nan], "<f4").tobytes(), code=FLOAT, bits=32), "holds samples that are NaN, infinite"),
    "infinite AIFF": (
        written(np.array([np.inf]), 44100, format="AIFF", subtype="FLOAT"),
        "holds samples that are NaN, infinite or beyond 2.14748e+09",
    ),
    "unknown encoding": (wav(b"\1" * 99, code=0x1234), "no sound that libsndfile can decode (WAV of encoding 0x1234: "),
    "too short": (wav(b"\1\0", rate=192000), "too short: 1 samples at 192000 Hz"),
    "cut FLAC": (
        written(noise(44100), 44100, format="FLAC")[:50000],
        "libsndfile can't decode it after 0.6 s (starts with 'fLaC': Error : flac decoder lost sync",
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


@pytest.fixture
def eager():
    """Graph functions run as written, with the limits of the moment, not those that were traced."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_length_is_bounded(format, monkeypatch, eager):
    for module in (decode, sndfile, wav_header):
        monkeypatch.setattr(module, "MAX_SAMPLES", 10000)
    data = written(noise(3000, 2), 8000, format=format, subtype="PCM_16")
    assert len(decode_bytes(data, 16000)) == 6000
    with pytest.raises(InputError, match="longer than 10000 samples; cut it into shorter files"):
        decode_bytes(data, 48000)
    with pytest.raises(InputError, match="longer than"):
        decode_bytes(written(noise(6000, 2), 8000, format=format, subtype="PCM_16"), 8000)


def memory(field):
    """Bytes of a field of this process's status: VmRSS now, VmHWM at most so far."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) * 1024


def test_refusal_of_a_long_file_is_cheap(tmp_path):
    # 16-bit samples, one too many, as a file with a hole: half a gigabyte if it were read.
    size = 2 * (MAX_SAMPLES + 1)
    header = wav(b"")[:-4] + struct.pack("<I", size)
    with open(tmp_path / "long.wav", "wb") as file:
        file.write(header)
        file.truncate(len(header) + size)
    decode_bytes(wav(b"\1\0" * 9), 44100)  # what is made once
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins again
    before = memory("VmRSS")
    with pytest.raises(InputError, match=f"longer than {MAX_SAMPLES} samples; cut it into shorter files"):
        decode_file(tmp_path / "long.wav", 22050)
    assert memory("VmHWM") - before < 50e6


def test_claimed_length_is_not_believed():
    # A FLAC header whose 36-bit number of samples claims 68 thousand million.
    data = bytearray(written(noise(3000), 44100, format="FLAC", subtype="PCM_16"))
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    assert len(decode_bytes(bytes(data), 44100)) == 3000


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
    kinds = ["PCM_16", "FLOAT", "ULAW", "IMA_ADPCM"]
    files = {f"{subtype}.wav": written(noise(4000, 2), 44100, format="WAV", subtype=subtype) for subtype in kinds}
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


def test_eagerly_as_in_a_graph(clips):
    for path in clips:
        waveform, fault = decode_in_graph(tf.constant(path), 16000)
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


@pytest.mark.parametrize("format", ["FLAC", "OGG", "MP3", "AIFF", "RF64", "W64", "IMA_ADPCM"])
def test_mutilated_files_give_finite_waveforms_or_input_errors(format):
    generator = np.random.default_rng(7)
    kind = {"format": "WAV", "subtype": format} if "ADPCM" in format else {"format": format}
    whole = np.frombuffer(written(noise(2000, 2), 44100, **kind), np.uint8)
    for _ in range(40):
        data = whole[: generator.integers(len(whole)) if generator.random() < 0.3 else None].copy()
        places = generator.integers(0, min(len(data), 120) + 1, generator.integers(0, 6)) - 1
        data[places[places >= 0]] = generator.choice([0, 1, 127, 128, 254, 255, 3, 16], (places >= 0).sum())
        waveform, fault = outcome(decode_bytes, data.tobytes(), 22050)
        assert (len(waveform) > 0) == (fault == "")
        assert len(fault.splitlines()) <= 1
        assert np.all(np.isfinite(waveform))
