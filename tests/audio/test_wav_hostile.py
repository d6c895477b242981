"""The WAV decoder and broken files: cut, of wrong sizes, with wrong bytes in their headers."""

import numpy as np
import pytest
import tensorflow as tf

from urbansound.audio.wav import read_wav
from wav_files import by_libsndfile, noise, written

READ = tf.function(read_wav, input_signature=[tf.TensorSpec([], tf.string)])


def mutilated(whole, generator):
    """A file cut or not, with a few wrong bytes in its header."""
    whole = np.frombuffer(whole, np.uint8)
    data = whole[: generator.integers(len(whole)) if generator.random() < 0.3 else None].copy()
    places = generator.integers(0, min(len(data), 120) + 1, generator.integers(0, 6)) - 1
    data[places[places >= 0]] = generator.choice([0, 1, 127, 128, 254, 255, 3, 16], (places >= 0).sum())
    return data.tobytes()


@pytest.mark.parametrize(
    ("container", "subtype"), [("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("WAV", "FLOAT"), ("WAVEX", "ULAW")]
)
def test_mutilated_files(container, subtype):
    generator = np.random.default_rng(7)
    whole = written(noise(500, 2), 44100, format=container, subtype=subtype)
    alike = 0
    for _ in range(150):
        data = mutilated(whole, generator)
        waveform, rate, fault = (tensor.numpy() for tensor in READ(data)[:3])
        assert (len(waveform) == 0) == (fault != b"")
        assert np.all(np.isfinite(waveform))
        expected = by_libsndfile(data)
        if len(waveform) and expected and (len(expected[0]), expected[1]) == (len(waveform), rate):
            np.testing.assert_array_equal(waveform, expected[0])
            alike += 1
    assert 10 < alike < 140


def test_every_cut():
    whole = written(noise(20, 2), 44100, format="WAV", subtype="PCM_16")
    for cut in range(len(whole)):
        fault = READ(whole[:cut])[2].numpy()
        if cut >= 44:
            assert fault == f"truncated: header promises 80 bytes of samples, {cut - 44} are there".encode()
        else:
            assert fault.startswith((b"not a WAV file", b"truncated: ", b"its fmt chunk must hold"))


# Bytes declared of 80 that are there, in frames of 4, and frames that result. Of less than half nobody mended the size.
MORE_THAN_PROMISED = dict.fromkeys((40, 60, 72), b"header promises")
TRUNCATED = dict.fromkeys((81, 2147418111), b"truncated")
DECLARED = {
    **dict.fromkeys([0, 3, 8, 15, 39, 80, 0x7FFF0000, 2**31, 2**32 - 1], 20),
    **MORE_THAN_PROMISED,
    76: 19,  # too little follows for a chunk
    **TRUNCATED,
}


def test_every_wrong_size():
    whole = written(noise(20, 2), 44100, format="WAV", subtype="PCM_16")
    for size, frames in DECLARED.items():
        waveform, _, fault, _ = READ(whole[:40] + size.to_bytes(4, "little") + whole[44:])
        expected = frames if isinstance(frames, bytes) else b""
        assert len(waveform) == (0 if expected else frames)
        assert fault.numpy()[: len(expected) or None] == expected
    for size in DECLARED:  # of the whole file: nobody relies on it
        assert len(READ(whole[:4] + size.to_bytes(4, "little") + whole[8:])[0]) == 20
