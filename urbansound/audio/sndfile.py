"""What libsndfile decodes, read to its true end, block by block.

libsndfile believes the length that a header promises, or makes one up, and silently gives what it finds. So a
file's own structure is read first (`mp3`, `ogg`, `flac`, `chunks`): the length is right, or the file is refused.
"""

import itertools

import numpy as np
import soundfile

from urbansound.audio import chunks, flac, mp3, ogg
from urbansound.audio.limits import BLOCK_SAMPLES, BLOCK_SECONDS, MAX_CHANNELS, MAX_PEAK, MAX_SAMPLES, RATES
from urbansound.audio.source import Part, Source, Spliced
from urbansound.errors import InputError

CHECKED = ("WAV", "WAVEX", "AIFF", "AU", "CAF", "NIST", "RF64", "SVX", "VOC", "W64", "FLAC", "OGG")  # MP3 is counted
BITS = {"PCM_S8": 16, "PCM_U8": 16, "PCM_16": 16, "ULAW": 16, "ALAW": 16, "PCM_24": 24}  # that hold all of a sample
NO_NUMBERS = f"holds samples that are NaN, infinite or beyond {MAX_PEAK:g}"


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
    sound = Sound(Source.of_bytes(data), code)
    check_length(sound.counted * sound.channels)
    waveforms, samples = [], 0
    for block in sound.blocks():
        samples += len(block) * sound.channels
        check_length(samples)
        waveforms.append(block)
    if samples == 0:
        raise InputError("holds no samples")
    waveform = np.concatenate(waveforms)
    if not are_numbers(waveform):
        raise InputError(NO_NUMBERS)
    return waveform, sound.rate


def check_length(samples):
    """Raise InputError for more samples of all channels than are decoded."""
    if samples > MAX_SAMPLES:
        raise InputError(f"longer than {MAX_SAMPLES} samples; cut it into shorter files")


def are_numbers(waveform):
    """Whether the samples, float32 [at least 1], are finite and within MAX_PEAK."""
    return -MAX_PEAK <= waveform.min() <= waveform.max() <= MAX_PEAK  # false for NaN


def promised_samples(file):
    """Samples of all channels that an open file promises, as far as libsndfile can tell; 0: unknown."""
    try:
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            return 0 if sound.frames >= 2**36 else sound.frames * sound.channels
    except soundfile.LibsndfileError:
        return 0  # Whatever it is, the decoder will say.


class Sound:
    """The sound of a file, decoded by libsndfile as far as it is read.

    Attributes:
      rate: sample rate in Hz.
      channels: their number.
      promised: samples per channel without which the file, of a joined one its first part, is truncated; 0: unknown.
      counted: the same that libsndfile or the file's own frames tell before they are decoded; 0: unknown.
      bits: of a sample, 16 at least; None: its samples are no integers.
      no_numbers: what samples that are no numbers mean, a line.
    """

    no_numbers = NO_NUMBERS

    def __init__(self, data, code=0, fault=""):
        """Open a file.

        Args:
          data: a `Source`, see `read`.
          code: WAVE_FORMAT number of a WAV file; 0 of any other kind.
          fault: why a WAV file is not whole, as its header tells.

        Raises:
          InputError: nothing of it can be decoded.
        """
        data = mp3.without_id3(data)
        self._parts = _parts(data, f"WAV of encoding {code:#06x}" if code else _starts_with(data), fault)
        self._first = next(self._parts, None)
        if self._first is None:
            raise InputError("holds no samples")
        self.rate, self.channels = self._first.samplerate, self._first.channels
        self.promised, self.counted = self._first.promised, self._first.counted
        self.bits = BITS.get(self._first.subtype)

    def blocks(self):
        """`frames`, as float32 [samples], the mean of the channels."""
        return map(average, self.frames())

    def frames(self):
        """Decode the file, once.

        Yields:
          float32 [samples, channels], at most BLOCK_SECONDS.

        Raises:
          InputError: after all that could be decoded, where the file is not whole.
        """
        for part in itertools.chain([self._first], self._parts):
            with part:
                if part.samplerate != self.rate:
                    low, high = sorted([self.rate, part.samplerate])
                    raise InputError(f"joined of parts of different sample rates, {low} and {high} Hz; split it")
                samples = 0
                for block in part.blocks():
                    samples += len(block)
                    yield block
                if fault := part.fault_after(samples):
                    raise InputError(fault)


def _parts(data, what, fault):
    """Yield each _Opened that a file was joined of when the one before it has been read; see `Sound`."""
    if flac.is_flac(data):
        while len(data):
            if not flac.is_flac(data):
                raise InputError("truncated: the last of the FLAC files that it was joined of ends within its header")
            file = flac.without_length(data)
            yield _OpenedFlac(file, what, data)
            data = data.after(file.stop)
        return
    if mp3.starts_with_frame(data):
        parts = mp3.tracks(data)
    elif data.startswith(b"OggS"):
        parts = ogg.links(data)
    else:
        parts = [Part(chunks.pieces(data), fault=fault or chunks.fault(data))]
    for part in parts:
        yield _Opened(Spliced(data, part.pieces), what, part)


class _Opened(soundfile.SoundFile):
    """A part of a file that is read once, from its beginning to its end."""

    def __init__(self, file, what, part):
        self._io, self._what, self._part, self._error = file, what, part, None
        try:
            super().__init__(file)
        except soundfile.LibsndfileError as error:
            text = f"no sound that libsndfile can decode ({what}: {_reason(error)})"
            raise file.error or InputError(part.fault or text) from None
        if not (self.format in CHECKED and self.subtype != "MPEG_LAYER_III") and part.at_least is None:
            raise InputError(f"{self.subtype} in {self.format}: its length can't be checked; convert it to WAV or FLAC")
        _check_limits(self.channels, self.samplerate)

    def seekable(self):
        """False: soundfile would otherwise seek after each block, which fails in files of unknown length."""
        return False

    @property
    def counted(self):
        """As `Sound.counted`."""
        return max(0 if self.frames >= 2**62 else self.frames, self._part.at_least or 0)

    @property
    def promised(self):
        """As `Sound.promised`."""
        return self.counted

    def blocks(self):
        """Yield float32 [frames, channels] as far as the file's own length and its data go, or an error comes."""
        size = max(min(BLOCK_SAMPLES // self.channels, BLOCK_SECONDS * self.samplerate), 1)
        rest = self.frames or 2**62
        while rest and self._error is None:
            block = np.full((min(size, rest), self.channels), np.nan, np.float32)
            try:
                block = self.read(out=block)
            except soundfile.LibsndfileError as error:  # what came before it is there
                self._error = error
                block = block[: np.append(np.isnan(block[:, -1]), True).argmax()]
            if len(block):
                yield block
            if self._io.error:
                raise self._io.error
            rest = rest - len(block) if len(block) else 0

    def fault_after(self, samples):
        """Why the file is not whole, a line, after so many frames; None where it is."""
        if self._part.fault:
            return self._part.fault
        if self._error:
            at = f"{samples / self.samplerate:.1f} s"
            return f"libsndfile can't decode it after {at} ({self._what}: {_reason(self._error)})"
        if samples < 0.99 * self.promised:  # a whole MP3 may fall short by its last frames
            return _truncated(self.promised, samples)
        return None


class _OpenedFlac(_Opened):
    """A FLAC file decoded to its end, whatever length it promises.

    Where no frame follows its last, or less samples are there than promised, the MD5 sum tells whether it is whole.
    """

    def __init__(self, file, what, data):
        self._data = data
        super().__init__(file, what, Part([]))

    @property
    def promised(self):
        """Frames; 0: unknown."""
        length = flac.length(self._data)
        return 0 if length == 2**36 - 1 else length

    def fault_after(self, samples):
        """As the method of `_Opened`."""
        has_sum = flac.has_sum(self._data)
        whole = samples == self.promised if self._error else samples >= self.promised or not has_sum
        if whole or (has_sum and flac.has_samples(self._data, self._again())):
            return None
        return super().fault_after(samples) or _truncated(self.promised, samples)

    def _again(self):
        with _OpenedFlac(flac.without_length(self._data), self._what, self._data) as other:
            yield from other.blocks()


def _reason(error):
    return error.error_string.strip().rstrip(".")


def _truncated(promised, samples):
    return f"truncated: header promises {promised} samples, {samples} are there"


def average(samples):
    """The mean over channels, float32 [frames], of float32 [frames, channels].

    Channel by channel, since numpy's mean over a short last axis takes 20 times as long.
    """
    total = samples[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):  # of what is no number: whoever reads it checks that
        for channel in range(1, samples.shape[1]):
            total = total + samples[:, channel]
        return total * np.float32(1 / samples.shape[1])


def _starts_with(data):
    """How a file begins, for a message: "starts with 'OggS'" or "empty"."""
    return f"starts with {repr(data[:4])[1:]}" if len(data) else "empty"


def _check_limits(channels, rate):
    """Raise InputError for a number of channels or a sample rate (Hz) that no recorder has."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"number of channels must be 1 to {MAX_CHANNELS}. Received: {channels}")
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(f"sample rate must be {RATES[0]} to {RATES[1]} Hz. Received: {rate}")
