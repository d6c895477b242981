"""Recordings block by block: the samples of whole files, faults after what came before them, memory."""

import concurrent.futures
import os
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
import soxr

from running import ROOT
from urbansound.audio.decode import decode_bytes, decode_file
from urbansound.audio.limits import BLOCK_SECONDS
from urbansound.audio.stream import Stream, open_stream
from urbansound.audio.wav_header import FLOAT, PCM
from urbansound.errors import InputError
from wav_files import chunk, fmt, noise, riff, written

RATE = 8000
LONG = 25 * RATE + 17  # samples of three blocks
HUM = np.sin(np.arange(LONG) * 0.1)[:, None] * [0.5, 0.25]
KINDS = [
    *[("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")],
    *[("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "PCM_24")],
    *[("AIFF", "PCM_16"), ("AU", "ULAW"), ("CAF", "ALAC_16"), ("VOC", "PCM_16"), ("NIST", "PCM_16")],
    *[("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")],
]


def read(source, sample_rate):
    """(waveform, fault) of a whole stream, whose blocks are checked."""
    with open_stream(source, sample_rate) as stream:
        blocks = list(stream.blocks())
        assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
        assert all(0 < len(block) <= BLOCK_SECONDS * sample_rate for block in blocks)
        waveform = np.concatenate(blocks)
        assert np.isfinite(waveform).all()
        return waveform, stream.fault


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recording"


@pytest.mark.parametrize(("format", "subtype"), KINDS)
def test_blocks_are_what_libsndfile_and_soxr_make_of_the_whole_file(path, format, subtype):
    path.write_bytes(written(HUM, RATE, format=format, subtype=subtype))
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    whole = samples.mean(axis=1)
    for sample_rate in (RATE, 5512):
        waveform, fault = read(path, sample_rate)
        expected = soxr.resample(whole, RATE, sample_rate, quality="HQ") if sample_rate != RATE else whole
        np.testing.assert_allclose(waveform, expected, atol=1e-6)
        assert fault is None


class Counted:
    """A sound of two blocks and a fault that counts the blocks."""

    rate, promised, no_numbers, made = RATE, 2 * RATE, "", 0

    def blocks(self):
        for self.made in (1, 2):
            yield np.full(RATE, self.made, np.float32)
        raise InputError("broken off")


def test_a_block_is_decoded_ahead_where_there_is_a_thread_for_it():
    with concurrent.futures.ThreadPoolExecutor(1) as ahead:
        for sound, executor, made in ((Counted(), ahead, 2), (Counted(), None, 1)):
            stream = Stream(sound, RATE, executor)
            ahead.submit(int).result()  # comes after what the stream has submitted
            assert sound.made == made
            assert [block[0] for block in stream.blocks()] == [1, 2]
            assert stream.fault == "broken off"


def test_a_file_that_is_not_read_to_its_end_is_closed_with_its_thread(path):
    path.write_bytes(written(HUM, RATE, format="FLAC"))
    before = threading.active_count()
    with open_stream(path, RATE) as stream:
        next(stream.blocks())
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.mark.parametrize(("rate", "sample_rate"), [(44100, 16000), (16000, 44100), (192000, 16000), (11025, 48000)])
def test_any_rates_give_the_length_and_samples_of_one_call(path, rate, sample_rate):
    samples = np.float32(noise(45 * rate + 1)[:, 0])
    path.write_bytes(written(samples, rate, format="WAV", subtype="FLOAT"))
    with open_stream(path, sample_rate) as stream:
        assert (stream.rate, stream.seconds) == (rate, pytest.approx(45 + 1 / rate))
    expected = soxr.resample(samples, rate, sample_rate, quality="HQ")
    np.testing.assert_allclose(read(path, sample_rate)[0], expected, atol=1e-6)


def test_originals_and_the_corpus_as_decode_file(shared_data, path):
    files = [*shared_data.glob("originals/*.wav"), *(ROOT / "tests/fuzz/corpus").glob("[ws]*/*-*")]
    assert len(files) > 30
    for file in files:
        np.testing.assert_array_equal(read(file, 22050)[0], decode_file(file, 22050))


def test_joined_files_are_read_to_the_end_of_the_last(path):
    for format, subtype in [("MP3", None), ("OGG", "VORBIS"), ("FLAC", "PCM_16")]:
        parts = [written(x, RATE, format=format, subtype=subtype) for x in (HUM, HUM[::-2])]
        path.write_bytes(b"".join(parts))
        waveform, fault = read(path, RATE)
        np.testing.assert_array_equal(waveform, np.concatenate([decode_bytes(part, RATE) for part in parts]))
        assert fault is None
        path.write_bytes(parts[0] + written(HUM, 16000, format=format, subtype=subtype))
        waveform, fault = read(path, RATE)
        np.testing.assert_array_equal(waveform, decode_bytes(parts[0], RATE))
        assert fault == "joined of parts of different sample rates, 8000 and 16000 Hz; split it"


def test_flac_of_unknown_length_is_read_to_its_end(path):
    data = bytearray(written(HUM, RATE, format="FLAC", subtype="PCM_16"))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    path.write_bytes(data)
    with open_stream(path, RATE) as stream:
        assert stream.seconds is None
        assert sum(map(len, stream.blocks())) == LONG
        assert stream.fault is None


# The table of ALAC's packets stands at the end: without it, nothing can be decoded.
@pytest.mark.parametrize(("format", "subtype"), [kind for kind in KINDS if kind != ("CAF", "ALAC_16")])
def test_a_file_that_breaks_off_gives_what_came_before_and_says_so(path, format, subtype):
    whole = written(HUM, RATE, format=format, subtype=subtype)
    expected = decode_bytes(whole, RATE)
    path.write_bytes(whole[: len(whole) * 2 // 3])
    waveform, fault = read(path, RATE)
    assert 0.6 * LONG < len(waveform) < 0.7 * LONG
    last = len(waveform) - RATE // 10  # decoders fade or guess what lacks its end
    np.testing.assert_allclose(waveform[:last], expected[:last], atol=1e-6)
    assert fault.startswith(("truncated: ", "libsndfile can't decode it after 1"))
    with pytest.raises(InputError) as raised:
        decode_file(path, RATE)
    assert str(raised.value) == fault


def test_a_broken_file_is_resampled_to_its_end(path):
    path.write_bytes(written(HUM, RATE, format="WAV", subtype="PCM_16")[: 44 + 4 * 15 * RATE])
    waveform, fault = read(path, 16000)
    assert len(waveform) == 15 * 16000
    assert fault == f"truncated: header promises {4 * LONG} bytes of samples, {4 * 15 * RATE} are there"


@pytest.mark.parametrize(("format", "wrong"), [("WAV", np.nan), ("WAV", -np.inf), ("AIFF", 1e30), ("AIFF", np.nan)])
def test_samples_that_are_no_numbers_end_it(path, format, wrong):
    samples = HUM[:, 0].astype(np.float32)
    samples[15 * RATE] = wrong
    path.write_bytes(written(samples, RATE, format=format, subtype="FLOAT"))
    waveform, fault = read(path, RATE)
    np.testing.assert_array_equal(waveform, samples[: 15 * RATE])
    assert fault == "holds samples that are NaN, infinite or beyond 2.14748e+09 from 15.0 s on"


def test_what_cannot_be_read_at_all_is_refused(path):
    refused = {
        b"": "no sound that libsndfile can decode (empty: ",
        b"<html>" * 20: "no sound that libsndfile can decode (starts with '<htm': ",
        riff(fmt(), kind=b"AVI "): "not a WAV file, but another kind of RIFF file",
        riff(fmt(), chunk(b"data", b"")): "holds no samples",
        riff(fmt(), chunk(b"data", b"", size=40)): "truncated: header promises 40 bytes of samples, 0 are there",
        riff(fmt(code=0x1234), chunk(b"data", bytes(99))): "no sound that libsndfile can decode (WAV of encoding 0x1",
        riff(fmt(code=FLOAT, bits=32), chunk(b"data", b"\xff" * 40)): "holds samples that are NaN, infinite or beyond",
        riff(fmt(rate=192000), chunk(b"data", b"\1\0")): "holds no sample at 16000 Hz",
        written(HUM, RATE, format="OGG")[:300]: "truncated: its Ogg page",
    }
    for data, fault in refused.items():
        path.write_bytes(data)
        with pytest.raises(InputError) as raised:
            open_stream(path, 16000)
        assert str(raised.value).startswith(fault)
        assert "\n" not in str(raised.value)
    for source, fault in [(path / "x", "Not a directory"), (path.parent, "Is a directory")]:
        with pytest.raises(InputError) as raised:
            open_stream(source, 16000)
        assert str(raised.value) == f"can't be read ({fault})"


def test_a_disk_that_fails_ends_it(path, monkeypatch):
    pread = os.pread

    def failing(number, size, place):
        if place > 2 * 17 * RATE:
            raise OSError(5, "Input/output error")
        return pread(number, size, place)

    for format in ("WAV", "AIFF"):
        path.write_bytes(written(HUM[:, 0], RATE, format=format, subtype="PCM_16"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", failing)
            waveform, fault = read(path, RATE)
        assert 19 * RATE < len(waveform) <= 20 * RATE
        assert fault == f"can't be read after {len(waveform) / RATE:.1f} s (Input/output error)"


def test_an_interrupt_while_libsndfile_reads_is_not_lost(path, monkeypatch):
    path.write_bytes(written(HUM, RATE, format="FLAC"))

    def interrupted(*_):
        raise KeyboardInterrupt

    with open_stream(path, RATE) as stream:
        monkeypatch.setattr(os, "pread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(stream.blocks())


def sparse(path, header, size):
    """A file that is a header and a hole."""
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + size)


def rf64(size, **format):
    """The header of an RF64 file of so many bytes of samples."""
    ds64 = chunk(b"ds64", struct.pack("<QQQI", size + 72, size, size // 2, 0))
    return b"RF64\xff\xff\xff\xffWAVE" + ds64 + fmt(**format) + b"data\xff\xff\xff\xff"


@pytest.mark.parametrize("seconds", [4 * 3600, 24 * 3600])
def test_files_beyond_4_gb_whatever_their_32_bits_say(path, seconds):
    size = seconds * 2 * 192000
    headers = {
        "RF64": rf64(size, rate=192000),
        "ffmpeg to a pipe": riff(fmt(rate=192000), chunk(b"data", b"", size=0xFFFFFFFF)),
        "arecord to a pipe": riff(fmt(rate=192000), chunk(b"data", b"", size=0x80000000)),
        "never mended": riff(fmt(rate=192000), chunk(b"data", b"", size=0), size=0),
        "modulo": riff(fmt(rate=192000), chunk(b"data", b"", size=size % 2**32)),
    }
    for header in headers.values():
        sparse(path, header, size)
        with open_stream(path, 16000) as stream:
            assert stream.seconds == seconds
            assert len(next(stream.blocks())) > 5 * 16000


def test_a_long_wav_that_lacks_its_end_is_not_taken_for_endless(path):
    sparse(path, riff(fmt(rate=192000), chunk(b"data", b"", size=3 * 10**9)), 5 * 10**5)
    assert read(path, 16000)[1] == "truncated: header promises 3000000000 bytes of samples, 500000 are there"


PEAKS = """
import sys
from pathlib import Path
from urbansound.audio.stream import open_stream

def peak(path):
    Path("/proc/self/clear_refs").write_text("5")
    with open_stream(path, 16000) as stream:
        for _, _ in zip(range(100), stream.blocks()):
            pass
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024

for path in sys.argv[1:]:
    print(peak(path))
"""


def test_memory_does_not_grow_with_length(tmp_path):
    size = 24 * 3600 * 2 * 192000
    frames = written(noise(8 * 3600), RATE, format="MP3")
    (tmp_path / "minute").write_bytes(written(np.zeros(60 * 192000), 192000, format="WAV"))
    sparse(tmp_path / "wav", riff(fmt(rate=192000), chunk(b"data", b"", size=size % 2**32)), size)
    sparse(tmp_path / "rf64", rf64(size, rate=192000), size)
    w64 = written(np.zeros(4), 192000, format="W64", subtype="PCM_16")
    place = w64.index(b"data") + 16
    w64 = w64[:16] + (size + 200).to_bytes(8, "little") + w64[24:place] + (size + 24).to_bytes(8, "little")
    sparse(tmp_path / "w64", w64, size)
    (tmp_path / "mp3").write_bytes(frames * (25 * 2**20 // len(frames)))
    (tmp_path / "ogg").write_bytes(written(noise(8000 * 60), RATE, format="OGG") * 100)
    names = ["minute", "wav", "rf64", "w64", "mp3", "ogg"]
    code = [sys.executable, "-c", PEAKS, *[tmp_path / name for name in names]]
    process = subprocess.run(code, cwd=ROOT, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    minute, *peaks = map(float, process.stdout.split())
    assert max(peaks) < minute + 15  # MB


def test_an_hour_takes_seconds(path):
    size = 3600 * 4 * 44100
    sparse(path, riff(fmt(code=PCM, channels=2), chunk(b"data", b"", size=size)), size)
    with open_stream(path, 16000) as stream:
        begin = time.process_time()
        assert sum(map(len, stream.blocks())) == 3600 * 16000
    assert time.process_time() - begin < 5
