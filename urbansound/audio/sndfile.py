"""What libsndfile decodes, read to its true end.

libsndfile believes the length that a header promises, or makes one up, and silently gives what it finds. So a
file's own structure is read first (`mp3`, `ogg`, `flac`, `chunks`): the length is right, or the file is refused.
"""

import io
import os

import numpy as np
import soundfile

from urbansound.audio import chunks, flac, mp3, ogg
from urbansound.audio.limits import MAX_CHANNELS, MAX_PEAK, MAX_SAMPLES, RATES
from urbansound.errors import InputError

BLOCK = 2**20  # samples of all channels that are converted at a time: bounded, whatever length a header claims
CHECKED = ("WAV", "WAVEX", "AIFF", "AU", "CAF", "NIST", "RF64", "VOC", "W64", "FLAC", "OGG")  # and MP3, if counted


def read(data, code):
    """The waveform in the bytes of an audio file, its channels averaged, at the file's own rate.

    Args:
      data: bytes of a file of CHECKED; joined MP3 and Ogg files are read one after the other.
      code: WAVE_FORMAT number of a WAV file, whose header was checked already; 0 of any other kind.

    Returns:
      (waveform, rate): float32 [samples], at least one, all finite; Hz.

    Raises:
      InputError: it can't be decoded, its length is not the one that it promises, it is longer than
        MAX_SAMPLES, or it holds samples that are no numbers.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            waveform, rate = _read(mp3.without_id3(data))
    except soundfile.LibsndfileError as error:
        what = f"WAV of encoding {code:#06x}" if code else _starts_with(data)
        reason = error.error_string.strip().rstrip(".")
        raise InputError(f"no sound that libsndfile can decode ({what}: {reason})") from None
    if not -MAX_PEAK <= waveform.min() <= waveform.max() <= MAX_PEAK:  # false for NaN
        raise InputError(f"holds samples that are NaN, infinite or beyond {MAX_PEAK:g}")
    return waveform, rate


def check_length(samples):
    """Raise InputError for more samples of all channels than are decoded."""
    if samples > MAX_SAMPLES:
        raise InputError(f"longer than {MAX_SAMPLES} samples; cut it into shorter files")


def promised_samples(file):
    """Samples of all channels that an open file promises, as far as libsndfile can tell; 0: unknown."""
    try:
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            return 0 if sound.frames >= 2**36 else sound.frames * sound.channels
    except soundfile.LibsndfileError:
        return 0  # Whatever it is, the decoder will say.


def _read(data):
    if flac.is_flac(data):
        return _joined([_read_flac(part) for part in flac.parts(data)])
    if mp3.starts_with_frame(data):
        parts = mp3.tracks(data)
    elif data.startswith(b"OggS"):
        parts = [(link, None) for link in ogg.links(data)]
    else:
        chunks.check_length(data)
        parts = [(data, None)]
    return _joined([_decode(part, at_least) for part, at_least in parts])


def _joined(parts):
    """(waveform, rate) of several after each other."""
    if not parts:
        raise InputError("holds no samples")
    waveforms, rates = zip(*parts, strict=True)
    if len(set(rates)) > 1:
        raise InputError(f"joined of parts of different sample rates, {min(rates)} and {max(rates)} Hz; split it")
    check_length(sum(map(len, waveforms)))
    return np.concatenate(waveforms), rates[0]


def _read_flac(data):
    """A FLAC file decoded to its end, whatever length it promises.

    Where no frame follows its last, or less samples are there than promised, the MD5 sum tells whether it is whole.
    """
    promised, open_ended = flac.length(data), flac.without_length(data)
    try:
        waveform, rate = _decode(open_ended)
    except soundfile.LibsndfileError:
        if flac.has_sum(data) and flac.has_samples(data, _blocks(data, "int32")):  # a tag follows
            return _decode(data)
        raise
    if len(waveform) < promised and flac.has_sum(data) and not flac.has_samples(data, _blocks(open_ended, "int32")):
        raise InputError(_truncated(promised, len(waveform)))
    return waveform, rate


def _decode(data, at_least=None):
    """(mono waveform float32 [samples], rate) of one stream; of an MP3 whose frames are counted, the least samples."""
    with _Sound(_Bytes(data)) as sound:
        if not (sound.format in CHECKED and sound.subtype != "MPEG_LAYER_III") and at_least is None:
            raise InputError(
                f"{sound.subtype} in {sound.format}: its length can't be checked; convert it to WAV or FLAC"
            )
        channels, rate = sound.channels, sound.samplerate
        promised = max(sound.promised, at_least or 0)
        _check_limits(channels, rate)
        check_length(promised * channels)
        waveforms, samples = [], 0
        for block in sound.blocks_of("float32"):
            samples += len(block)
            check_length(samples * channels)
            waveforms.append(_average(block))
    if samples == 0:
        raise InputError("holds no samples")
    if samples < 0.99 * promised:  # a whole MP3 may fall short by its last frames
        raise InputError(_truncated(promised, samples))
    return np.concatenate(waveforms), rate


def _truncated(promised, samples):
    return f"truncated: header promises {promised} samples, {samples} are there"


def _blocks(data, dtype):
    with _Sound(_Bytes(data)) as sound:
        yield from sound.blocks_of(dtype)


class _Sound(soundfile.SoundFile):
    """A file that is read once, from its beginning to its end."""

    def seekable(self):
        """False: soundfile would otherwise seek after each block, which fails in files of unknown length."""
        return False

    @property
    def promised(self):
        """Frames; 0: unknown."""
        return 0 if self.frames >= 2**62 else self.frames

    def blocks_of(self, dtype):
        """Yield arrays [frames, channels] as far as the file's own length and its data go."""
        rest = self.promised or 2**62
        while rest and len(block := self.read(min(BLOCK // self.channels, rest), dtype=dtype, always_2d=True)):
            yield block
            rest -= len(block)


class _Bytes(io.BytesIO):
    """Bytes for libsndfile, whose calls must not raise: a seek to nowhere stays in place, as C's does."""

    def seek(self, offset, whence=os.SEEK_SET):
        """The place after the seek."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def _average(samples):
    """The mean over channels, float32 [frames], of float32 [frames, channels].

    Channel by channel, since numpy's mean over a short last axis takes 20 times as long.
    """
    total = samples[:, 0]
    for channel in range(1, samples.shape[1]):
        total = total + samples[:, channel]
    return total * np.float32(1 / samples.shape[1])


def _starts_with(data):
    """How a file begins, for a message: "starts with 'OggS'" or "empty"."""
    return f"starts with {repr(data[:4])[1:]}" if data else "empty"


def _check_limits(channels, rate):
    """Raise InputError for a number of channels or a sample rate (Hz) that no recorder has."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"number of channels must be 1 to {MAX_CHANNELS}. Received: {channels}")
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(f"sample rate must be {RATES[0]} to {RATES[1]} Hz. Received: {rate}")
