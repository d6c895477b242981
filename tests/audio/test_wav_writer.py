"""WAV files that are written block by block are those that libsndfile and the graph's decoder read back."""

import io

import numpy as np
import pytest
import soundfile

from urbansound.audio import wav_writer
from urbansound.audio.decode import decode_bytes
from urbansound.audio.wav_writer import WavWriter
from wav_files import noise

RATE = 8000


def written(samples, bits, comment="a", blocks=3):
    file = io.BytesIO()
    writer = WavWriter(file, RATE, samples.shape[1], bits, len(samples), comment)
    for block in np.array_split(np.float32(samples), blocks):
        writer.write(block)
    writer.finish()
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("bits", "subtype"), [(16, "PCM_16"), (24, "PCM_24"), (None, "FLOAT")])
def test_samples_are_read_back(bits, subtype, channels):
    samples = np.float32(noise(1001, channels, peak=1.0))
    if bits:  # what such a file can hold
        samples = np.float32(np.rint(samples * 2.0 ** (bits - 1)).clip(max=2.0 ** (bits - 1) - 1) / 2.0 ** (bits - 1))
    data = written(samples, bits, "night: 犬")
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.subtype, file.channels, file.samplerate, file.comment) == (subtype, channels, RATE, "night: 犬")
        np.testing.assert_array_equal(file.read(dtype="float32", always_2d=True), samples)
    np.testing.assert_allclose(decode_bytes(data, RATE), samples.mean(axis=1), atol=1e-6)
    assert written(samples, bits, "night: 犬", blocks=1) == data
    assert len(data) % 2 == 0


def test_what_is_beyond_full_scale_becomes_full_scale():
    samples = np.array([[1.5], [-1.5], [1.0], [-1.0]])
    read, _ = soundfile.read(io.BytesIO(written(samples, 16, blocks=1)), dtype="int16")
    assert read.tolist() == [32767, -32768, 32767, -32768]


@pytest.mark.parametrize("bits", [16, 24, None])
def test_longer_files_are_rf64(bits, monkeypatch):
    monkeypatch.setattr(wav_writer, "MOST_BYTES", 1000)
    samples = np.float32(np.rint(noise(1001) * 2**15) / 2**15)
    data = written(samples, bits)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.format, file.frames) == ("RF64", 1001)
        np.testing.assert_array_equal(file.read(dtype="float32", always_2d=True), samples)
    np.testing.assert_array_equal(decode_bytes(data, RATE), samples[:, 0])


def test_fewer_frames_than_were_announced_are_no_fault():
    file = io.BytesIO()
    writer = WavWriter(file, RATE, 1, 16, 100, "a")
    writer.write(np.zeros((60, 1), np.float32))
    writer.finish()
    assert len(decode_bytes(file.getvalue(), RATE)) == 60
