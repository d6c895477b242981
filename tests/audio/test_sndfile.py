"""Files that libsndfile reads short without a word: the right length, or a refusal."""

import io

import numpy as np
import pytest
import soundfile

from urbansound.audio import mp3
from urbansound.audio.decode import decode_bytes
from urbansound.errors import InputError
from wav_files import chunk, fmt, noise, riff, written

RATE = 44100
SAMPLES = 88200
FADED = noise(SAMPLES)[:, 0] * np.hanning(SAMPLES)
FRAME = 1152  # samples of an MP3 frame
DELAY = 576  # samples before LAME's first one that only its tag takes off


def decoded(data):
    return decode_bytes(data, RATE)


def refusal(data):
    with pytest.raises(InputError) as raised:
        decoded(data)
    (line,) = str(raised.value).splitlines()
    return line


def mp3_of(samples, rate=RATE, **settings):
    return written(samples, rate, format="MP3", **settings)


def without_tag(data):
    """An MP3 without its first frame, which holds only the tag."""
    return data[mp3._header(data, 0)[1] :]


def variable_mp3():
    """Loud, then five times as long quiet: its first frames are the longest."""
    samples = np.concatenate([FADED, np.zeros(5 * SAMPLES)])
    return mp3_of(samples, bitrate_mode="VARIABLE", compression_level=0.1)


def test_an_mp3_of_variable_bitrate_without_a_length_is_read_to_its_end():
    tagged = variable_mp3()
    bare = without_tag(tagged)
    assert soundfile.info(io.BytesIO(bare)).frames < 3 * SAMPLES  # what it is taken for by its first frame
    waveform, whole = decoded(bare), decoded(tagged)
    assert len(whole) == 6 * SAMPLES
    assert 6 * SAMPLES <= len(waveform) <= 6 * SAMPLES + 3 * FRAME
    np.testing.assert_array_equal(waveform[DELAY : DELAY + SAMPLES], whole[:SAMPLES])


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 32000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_of_any_rate_without_a_length_is_read_to_its_end(rate, channels):
    bare = without_tag(mp3_of(noise(SAMPLES, channels), rate))
    assert SAMPLES - FRAME <= len(decode_bytes(bare, rate)) <= SAMPLES + 3 * FRAME


def test_an_mp3_with_a_picture_before_it_is_not_called_truncated():
    tag = b"ID3\x03\0\0\0\x04\0\0" + np.random.default_rng(0).bytes(2**16)
    data = mp3_of(FADED)
    np.testing.assert_array_equal(decoded(tag + data + b"TAG" + bytes(125)), decoded(data))
    np.testing.assert_array_equal(decoded(tag + without_tag(data)), decoded(without_tag(data)))


def test_joined_mp3s_are_read_to_the_end_of_the_last():
    first, second = mp3_of(FADED), mp3_of(FADED[::-1] / 2)
    whole = decoded(first + second)
    np.testing.assert_array_equal(whole, np.concatenate([decoded(first), decoded(second)]))
    tag = b"ID3\x03\0\0\0\0\x08\0" + b"\xff\xfb\x90\x44" * 256
    np.testing.assert_array_equal(decoded(tag + first + tag + second), whole)
    bare = without_tag(second)
    for joined in (bare + bare, first + bare):  # none has a tag, or only the first
        assert 2 * SAMPLES <= len(decoded(joined)) <= 2 * SAMPLES + 4 * FRAME


def test_joined_files_of_different_rates_are_refused():
    assert "different sample rates, 22050 and 44100 Hz; split it" in refusal(mp3_of(FADED, 22050) + mp3_of(FADED))
    ogg = written(FADED, RATE, format="OGG") + written(FADED, 48000, format="OGG")
    assert "different sample rates, 44100 and 48000 Hz; split it" in refusal(ogg)


def test_a_cut_mp3_is_refused():
    data = mp3_of(FADED)
    assert refusal(data[: len(data) // 2]).startswith("truncated: header promises 88200 samples, ")
    bare = without_tag(data)
    assert refusal(bare[: len(bare) // 2]).endswith(" bytes are there of its last MP3 frame")


def test_an_mp3_with_other_bytes_in_its_middle_is_refused():
    data = mp3_of(FADED)
    damaged = data[:3000] + b"garbage" * 500 + data[3000:]
    assert refusal(damaged) == f"damaged: 3500 of its {len(damaged)} bytes are no MP3 frames"
    silent = decoded(data + bytes(5000))  # what pads a file is none
    assert len(silent) == SAMPLES


def test_an_mp3_of_a_tag_alone_holds_no_samples():
    data = mp3_of(FADED)
    assert refusal(data[: -len(without_tag(data))]) == "holds no samples"


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", RATE), ("OPUS", 48000)])
def test_chained_ogg_is_read_to_the_end_of_the_last_stream(subtype, rate):
    first, second = (written(x, rate, format="OGG", subtype=subtype) for x in (FADED, FADED[::-2]))
    expected = np.concatenate([decode_bytes(first, rate), decode_bytes(second, rate)])
    assert len(expected) == 3 * SAMPLES // 2
    np.testing.assert_array_equal(decode_bytes(first + second, rate), expected)


def test_cut_ogg_is_refused_wherever_it_is_cut():
    data = written(FADED, RATE, format="OGG", subtype="VORBIS")
    last = data.rfind(b"OggS")
    assert refusal(data[:last]) == "truncated: its last Ogg page does not end the stream"
    for end in (100, len(data) // 2, last + 20, len(data) - 1):
        assert refusal(data[:end]).startswith("truncated: its Ogg page at byte ")
    for end in range(0, len(data), 97):
        refusal(data[:end])
    lost = data.rfind(b"OggS", 0, last)
    assert refusal(data[:lost] + b"lost" * 9 + data[last:]) == f"damaged: no Ogg page at byte {lost}"
    assert len(decoded(data + b"what follows")) == SAMPLES


KINDS = [
    ("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("AIFF", "IMA_ADPCM"), ("AU", "PCM_16"), ("AU", "ULAW"),
    ("W64", "PCM_16"), ("W64", "MS_ADPCM"), ("RF64", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
    ("VOC", "PCM_16"), ("NIST", "PCM_16"),
]  # fmt: skip


@pytest.mark.parametrize(("format", "subtype"), KINDS)
@pytest.mark.parametrize("samples", [SAMPLES, SAMPLES - 1])
def test_a_cut_file_of_any_kind_is_refused(format, subtype, samples):
    data = written(FADED[:samples], RATE, format=format, subtype=subtype)
    assert len(decoded(data)) >= samples
    for end in (len(data) // 2, len(data) - 2):
        assert refusal(data[:end]).startswith("truncated: header promises ")


@pytest.mark.parametrize("format", ["AIFF", "AU", "RF64"])
def test_a_header_that_promises_less_than_is_there_is_refused(format):
    data = written(FADED, RATE, format=format, subtype="PCM_16")
    place, size, order = {
        "AIFF": (data.find(b"SSND") + 4, 4, "big"),
        "AU": (8, 4, "big"),
        "RF64": (data.find(b"ds64") + 16, 8, "little"),
    }[format]
    shorter = data[:place] + (4000).to_bytes(size, order) + data[place + size :]
    assert refusal(shorter).startswith("header promises 4000 bytes of samples, but ")


def test_adpcm_whose_data_size_is_stuck_is_refused():
    data = written(FADED, RATE, format="WAV", subtype="IMA_ADPCM")
    place = data.find(b"data") + 4
    stuck = data[:place] + (1024).to_bytes(4, "little") + data[place + 4 :]
    rest = len(data) - place - 4 - 1024
    assert refusal(stuck).startswith(
        f"header promises 1024 bytes of samples, but {rest} bytes that are no chunks follow"
    )


def test_au_of_unknown_length_is_read_to_its_end():
    data = written(FADED, RATE, format="AU", subtype="PCM_16")
    assert len(decoded(data[:8] + b"\xff" * 4 + data[12:])) == SAMPLES


def test_rf64_whose_length_was_never_written_is_read_to_its_end():
    data = written(FADED, RATE, format="RF64", subtype="PCM_16")
    place = data.find(b"ds64") + 8
    for size in (0, 2**64 - 1):
        never = data[:place] + 2 * size.to_bytes(8, "little") + data[place + 16 :]
        np.testing.assert_array_equal(decoded(never), decoded(data))
        np.testing.assert_array_equal(decoded(never[:-40000]), decoded(data)[:-20000])
    np.testing.assert_array_equal(decoded(b"BW64" + data[4:]), decoded(data))
    assert refusal(b"BW64" + data[4:-2]).startswith("truncated: header promises ")


def test_kinds_whose_length_cannot_be_checked_are_refused():
    reason = "its length can't be checked; convert it to WAV or FLAC"
    assert refusal(written(FADED, RATE, format="PVF", subtype="PCM_16")) == f"PCM_16 in PVF: {reason}"
    mp3_in_wav = riff(fmt(code=0x55, extra=b"\x0c\0" + bytes(12)), chunk(b"data", mp3_of(FADED)))
    assert refusal(mp3_in_wav) == f"MPEG_LAYER_III in WAV: {reason}"


def flac_of(total, subtype="PCM_16", channels=1, md5=None):
    """A FLAC file that promises `total` samples, with another MD5 sum if given."""
    samples = np.stack([FADED / 2**channel for channel in range(channels)], axis=1)
    data = bytearray(written(samples, RATE, format="FLAC", subtype=subtype))
    data[21:26] = ((data[21] >> 4 << 36) + total).to_bytes(5, "big")
    data[26:42] = data[26:42] if md5 is None else md5
    return bytes(data)


@pytest.mark.parametrize("total", [0, SAMPLES // 2, SAMPLES, 2 * SAMPLES, 2**36 - 1])
@pytest.mark.parametrize(("subtype", "channels"), [("PCM_S8", 1), ("PCM_16", 2), ("PCM_24", 3)])
def test_flac_of_unknown_or_wrong_length_is_read_to_its_end(total, subtype, channels):
    expected, _ = soundfile.read(io.BytesIO(flac_of(SAMPLES, subtype, channels)), dtype="float32", always_2d=True)
    got = decoded(flac_of(total, subtype, channels))
    np.testing.assert_allclose(got, expected.mean(axis=1), atol=1e-6)
    assert len(decoded(flac_of(total, md5=bytes(16)))) == SAMPLES  # as a stream leaves it


def test_flac_that_lacks_its_last_frames_is_refused():
    data = flac_of(SAMPLES)
    # Cut between two frames of 4,096 samples: only its MD5 sum tells.
    cuts = [i for i in range(len(data) // 2, len(data)) if data[i : i + 3] == b"\xff\xf8\xc9"]
    assert refusal(data[: cuts[0]]).startswith("truncated: header promises 88200 samples, ")
    assert "lost sync" in refusal(data[: cuts[0] + 100])
    assert "lost sync" in refusal(flac_of(0)[: cuts[0] + 100])


def test_flac_with_a_tag_around_it_or_joined_is_read_whole():
    data, whole = flac_of(SAMPLES), decoded(flac_of(SAMPLES))
    for tagged in (data + b"TAG" + b"x" * 125, b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + flac_of(0)):
        np.testing.assert_array_equal(decoded(tagged), whole)
    np.testing.assert_array_equal(decoded(data + data), np.tile(whole, 2))
    assert refusal(data + data[:30]).startswith("truncated: the last of the FLAC files")
