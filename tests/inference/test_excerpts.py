"""Parts of a recording are, sample for sample, those that libsndfile reads of the whole file."""

import os
import tracemalloc

import numpy as np
import pytest
import soundfile

from urbansound.errors import InputError
from urbansound.inference import excerpts
from urbansound.inference.excerpts import Excerpt, write_excerpts
from wav_files import noise

RATE = 8000
SECONDS = 25
TIMES = [(0, 0.5), (9.9, 20.2), (10.1, 10.2), (10.1, 10.3), (24.99, 25.0001), (24.9999, 99)]


def cuts(folder, times=TIMES):
    return [Excerpt(start, end, str(folder / f"{place}.wav"), "a") for place, (start, end) in enumerate(times)]


@pytest.mark.parametrize(
    ("name", "channels", "subtype", "written"),
    [
        ("a.wav", 2, "PCM_16", "PCM_16"),
        ("a.wav", 3, "PCM_24", "PCM_24"),
        ("a.wav", 1, "PCM_U8", "PCM_16"),
        ("a.wav", 2, "ULAW", "PCM_16"),
        ("a.wav", 1, "PCM_32", "FLOAT"),
        ("a.wav", 2, "FLOAT", "FLOAT"),
        ("a.wav", 1, "IMA_ADPCM", "FLOAT"),
        ("a.flac", 5, "PCM_24", "PCM_24"),
        ("a.flac", 2, "PCM_16", "PCM_16"),
        ("a.ogg", 2, "VORBIS", "FLOAT"),
        ("a.mp3", 2, "MPEG_LAYER_III", "FLOAT"),
    ],
)
def test_parts_of_every_kind_of_file(name, channels, subtype, written, tmp_path):
    soundfile.write(tmp_path / name, noise(SECONDS * RATE, channels), RATE, subtype=subtype)
    whole, _ = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)
    parts = cuts(tmp_path / "parts")
    assert write_excerpts(tmp_path / name, parts) == len(parts)
    for part in parts:
        samples, rate = soundfile.read(part.path, dtype="float32", always_2d=True)
        expected = whole[round(part.start * RATE) : round(part.end * RATE)]
        # By how many frames an MP3 is decoded at a time, its sums are rounded in other places.
        np.testing.assert_allclose(samples, expected, rtol=0, atol=2e-7 if name == "a.mp3" else 0)
        assert (rate, soundfile.info(part.path).subtype) == (RATE, written)
    assert sorted(os.listdir(tmp_path / "parts")) == [f"{place}.wav" for place in range(len(TIMES))]


def test_parts_that_begin_after_the_end_are_not_written(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(SECONDS * RATE), RATE)
    assert write_excerpts(tmp_path / "a.wav", cuts(tmp_path / "parts", [(1, 2), (26, 27)])) == 1
    assert os.listdir(tmp_path / "parts") == ["0.wav"]
    with pytest.raises(InputError, match="can't be read"):
        write_excerpts(tmp_path / "b.wav", cuts(tmp_path / "parts"))


def test_an_error_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", noise(SECONDS * RATE), RATE)
    write = excerpts.WavWriter.write

    def refused(writer, samples):
        write(writer, samples)
        if samples.size > RATE:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(excerpts.WavWriter, "write", refused)
    with pytest.raises(OSError, match="No space left"):
        write_excerpts(tmp_path / "a.wav", cuts(tmp_path / "parts", [(0.5, 0.6), (0.7, 20), (0.8, 20)]))
    assert not [name for name in os.listdir(tmp_path / "parts") if name not in ("0.wav",)]


def test_memory_does_not_grow_with_the_length(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 2, "PCM_16") as file:
        for _ in range(60):
            file.write(np.zeros((10 * RATE, 2)))
    tracemalloc.start()
    write_excerpts(tmp_path / "a.wav", cuts(tmp_path / "parts", [(0, 600), (1, 599)]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert soundfile.info(tmp_path / "parts/0.wav").frames == 600 * RATE
    assert peak < 600 * RATE * 2 * 4 / 2  # half of the samples as float32
