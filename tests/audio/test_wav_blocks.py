"""WAV from a pipe: any encoding, any declared length, slowly, broken off, and what can't come that way."""

import os
import sys
import threading
import time

import numpy as np
import pytest

from urbansound.audio import wav_blocks
from urbansound.audio.decode import decode_bytes
from urbansound.audio.stream import open_stream
from urbansound.errors import InputError
from wav_files import chunk, fmt, riff, written

RATE = 8000
LONG = 25 * RATE + 17  # samples of three blocks
HUM = np.sin(np.arange(LONG) * 0.1)[:, None] * [0.5, 0.25]


def read(source, sample_rate):
    """(waveform, fault) of a whole stream."""
    with open_stream(source, sample_rate) as stream:
        return np.concatenate(list(stream.blocks())), stream.fault


class Piped:
    """Standard input that a thread fills with bytes, in parts."""

    def __init__(self, *parts, pause=0.0):
        reading, self._writing = os.pipe()
        self.buffer = os.fdopen(reading, "rb")
        self._thread = threading.Thread(target=self._write, args=(parts, pause))
        self._thread.start()

    def _write(self, parts, pause):
        with open(self._writing, "wb", buffering=0) as file:
            for part in parts:
                try:
                    file.write(part)
                except BrokenPipeError:
                    return
                time.sleep(pause)

    def close(self):
        self.buffer.close()
        self._thread.join()


@pytest.fixture
def piped(monkeypatch):
    """A function that makes parts of bytes standard input."""
    pipes = []

    def open_pipe(*parts, **settings):
        pipes.append(Piped(*parts, **settings))
        monkeypatch.setattr(sys, "stdin", pipes[-1])

    yield open_pipe
    for pipe in pipes:
        pipe.close()


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("size", [None, 0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_wav_from_a_pipe(piped, subtype, size):
    whole = written(HUM, RATE, format="WAV", subtype=subtype)
    place = whole.index(b"data") + 4
    sent = whole if size is None else whole[:place] + size.to_bytes(4, "little") + whole[place + 4 :]
    piped(sent[:20], sent[20:41], sent[41 : place + 9], sent[place + 9 :], pause=0.01)
    waveform, fault = read("-", 16000)
    np.testing.assert_allclose(waveform, decode_bytes(whole, 16000), atol=1e-6)
    assert fault is None


def test_chunks_around_the_samples_of_a_pipe(piped):
    sound = np.int16(HUM[:, 0] * 2**15).tobytes()
    for name, parts in {
        "before": [chunk(b"LIST", bytes(3 * 2**20)), chunk(b"data", sound)],
        "after": [chunk(b"data", sound), chunk(b"LIST", b"INFO" * 99)],
        "odd": [chunk(b"data", sound + b"\1"), chunk(b"guan", b"x")],
    }.items():
        piped(riff(fmt(rate=RATE), *parts))
        waveform, fault = read("-", RATE)
        assert (name, len(waveform), fault) == (name, LONG, None)


def test_a_pipe_that_breaks_off_or_holds_more_than_it_promises(piped):
    sound = bytes(4 * LONG)
    piped(riff(fmt(rate=RATE), chunk(b"data", sound, size=6 * LONG)))
    waveform, fault = read("-", RATE)
    assert len(waveform) == 2 * LONG
    assert fault == f"truncated: header promises {3 * LONG} samples, {2 * LONG} are there"
    piped(riff(fmt(rate=RATE), chunk(b"data", sound, size=LONG * 2)))
    waveform, fault = read("-", RATE)
    assert len(waveform) == LONG
    assert fault.endswith("bytes of samples, but bytes that are no chunks follow; mend its length")


def test_what_a_pipe_cannot_bring_is_refused(piped):
    for data, fault in {
        b"": "not a WAV file (empty); from a pipe, only WAV can be read",
        written(HUM, RATE, format="FLAC"): "not a WAV file (starts with 'fLaC'); from a pipe, only WAV can be read",
        written(HUM, RATE, format="WAV", subtype="IMA_ADPCM"): "encoding must be integer, float, mu-law or A-law. Re",
        riff(fmt(channels=0), chunk(b"data", b"12345678")): "number of channels must be 1 to 64. Received: 0",
        riff(fmt(), kind=b"AVI "): "not a WAV file, but another kind of RIFF file",
        riff(fmt()): "truncated: no data chunk in its 36 bytes",
        riff(fmt(), chunk(b"data", b"")): "holds no sample",
    }.items():
        piped(data)
        with pytest.raises(InputError) as raised:
            open_stream("-", 16000)
        assert str(raised.value).startswith(fault)


def test_sound_that_comes_slowly_is_not_held_back(piped, monkeypatch):
    monkeypatch.setattr(wav_blocks, "PIPE_SECONDS", 0.1)
    second = np.int16(HUM[:RATE, 0] * 2**15).tobytes()
    piped(riff(fmt(rate=RATE), chunk(b"data", b"", size=0xFFFFFFFF)), *[second] * 6, pause=0.15)
    with open_stream("-", RATE) as stream:
        assert stream.seconds is None
        lengths = [len(block) for block in stream.blocks()]
    assert len(lengths) >= 3
    assert sum(lengths) == 6 * RATE


def test_a_path_that_is_a_pipe_is_read_once(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    data = written(HUM, RATE, format="WAV", subtype="PCM_16")
    thread = threading.Thread(target=fifo.write_bytes, args=(data,))
    thread.start()
    waveform, _ = read(fifo, RATE)
    thread.join()
    assert len(waveform) == LONG
