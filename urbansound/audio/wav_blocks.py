"""WAV files block by block, by the operations that decode whole ones, from a file or from a pipe."""

import time

import tensorflow as tf

from urbansound.audio import sndfile
from urbansound.audio.limits import BLOCK_SAMPLES, BLOCK_SECONDS
from urbansound.audio.source import BUFFER, Source
from urbansound.audio.wav import decode_frames
from urbansound.audio.wav_header import (
    ENCODINGS,
    FAULTS,
    PCM,
    PCM_PADDED,
    fault_text,
    is_endless,
    place_of,
    read_header,
)
from urbansound.errors import InputError

UNLIMITED = 2**62
PIPE_SECONDS = 1.0  # after which what came from a pipe is decoded, a full block or not
HEAD_BYTES = 2**24  # of a pipe, within which the samples must begin


def open_wav(data):
    """The sound of a RIFF file: a `sndfile.Sound` where libsndfile is to decode it, or a `WavSound`.

    Args:
      data: a `Source`.

    Raises:
      InputError: it is no WAV file, or nothing of it can be decoded.
    """
    header = read_header(data, most=UNLIMITED)
    fault = _fault(header)
    if fault not in ("none", "cut_off", "unclaimed", "other_encoding"):
        raise InputError(_text(header))
    text = "" if fault == "other_encoding" else _text(header)
    if header.encoding == len(ENCODINGS):
        return sndfile.Sound(data, int(header.code), text)
    start, frame_bytes = int(header.offset), int(header.frame_bytes)
    there = min(int(header.numbers["declared"]), len(data) - start)
    size = _block_bytes(header)
    stop = start + there // frame_bytes * frame_bytes
    pieces = (data[place : min(place + size, stop)] for place in range(start, stop, size))
    return WavSound(header, pieces, there // frame_bytes, text)


def open_pipe(file):
    """The WavSound of a pipe, which is read once, without seeking, as far as the samples' declared length or its end.

    Args:
      file: binary, with `read1`, which is asked as rarely as the sound permits.

    Raises:
      InputError: it is no WAV file of plain or companded samples.
    """
    head, header, data = b"", None, True
    while data and not (head and _begins(header, head)):
        head += (data := file.read1(BUFFER))
        header = read_header(Source.of_bytes(head), most=UNLIMITED)
    if not head.startswith(b"RIFF"):
        what = f"starts with {repr(head[:4])[1:]}" if head else "empty"
        raise InputError(f"not a WAV file ({what}); from a pipe, only WAV can be read")
    if _fault(header) not in ("none", "cut_off", "unclaimed", "no_samples", "other_encoding"):
        raise InputError(_text(header))
    if header.encoding == len(ENCODINGS):
        raise InputError(_text(header, "other_encoding"))
    claimed = int(header.numbers["claimed"])
    claimed = 0 if is_endless(claimed) else claimed
    pieces = _pieces(file, head[int(header.offset) :], header, claimed)
    return WavSound(header, pieces, claimed // int(header.frame_bytes))


def _begins(header, head):
    """Whether the samples begin in the first bytes of a pipe, or never will."""
    begun = 0 < header.offset < len(head)
    return begun or len(head) > HEAD_BYTES or (len(head) >= 12 and _fault(header) in ("no_riff", "no_wave"))


def _pieces(file, first, header, claimed):
    """Yield the bytes of whole frames, as many as make a block or come within PIPE_SECONDS; see `WavSound`."""
    size, frame_bytes = _block_bytes(header), int(header.frame_bytes)
    rest, pending, data = claimed or UNLIMITED, first, True
    while rest and data:
        wanted, begin = min(size, rest), time.monotonic()
        while len(pending) < wanted and (data := file.read1(wanted - len(pending))):
            pending += data
            if time.monotonic() - begin > PIPE_SECONDS and len(pending) >= frame_bytes:
                break
        whole = min(len(pending), wanted) // frame_bytes * frame_bytes
        if whole == 0 < rest < frame_bytes:
            whole = min(len(pending), rest)  # half a frame at the end
        yield pending[:whole]
        pending, rest = pending[whole:], rest - whole
    if claimed and not _are_chunks(file, pending, claimed % 2):
        raise InputError(
            f"header promises {claimed} bytes of samples, but bytes that are no chunks follow; mend its length"
        )


def _are_chunks(file, pending, odd):
    """Whether a pipe's `pending` bytes and all that follow are chunks, as `read_header` demands of a file."""
    while True:
        pending += file.read(max(8 + odd - len(pending), 0))
        if odd and not _are_letters(pending[:1]):  # it pads the chunk before
            pending = pending[1:]
        head, pending = pending[:8], pending[8:]
        if len(head) < 8:  # too little for a chunk
            return True
        size = int.from_bytes(head[4:], "little")
        skipped, pending = len(pending[:size]), pending[size:]
        while skipped < size and (data := file.read(min(size - skipped, BUFFER))):
            skipped += len(data)
        if not _are_letters(head[:4]) or skipped < size:
            return False
        odd = size % 2


def _are_letters(name):
    return all(0x20 <= code < 0x7F for code in name)


class WavSound:
    """The sound of a WAV file of one of ENCODINGS, decoded as far as it is read.

    Attributes:
      rate: sample rate in Hz.
      promised: samples per channel that must come; 0: unknown.
      no_numbers: what samples that are no numbers mean, a line.
      channels: their number.
      bits: as those of `sndfile.Sound`.
    """

    def __init__(self, header, pieces, promised, fault=""):
        """A sound.

        Args:
          header: WavHeader.
          pieces: iterable of bytes, whole frames but for the last one; may raise InputError after it.
          promised: see the attribute.
          fault: why the file is not whole.
        """
        self.rate, self.promised = int(header.rate), promised
        self.no_numbers = FAULTS["no_24_bits" if header.code == PCM_PADDED else "no_numbers"]
        self._header, self._pieces, self._fault = header, pieces, fault
        self.channels = int(header.channels)
        code, size = int(header.code), int(header.frame_bytes) // self.channels
        is_24_bit = code == PCM_PADDED or (code == PCM and size == 3)
        self.bits = 24 if is_24_bit else 16 if size <= 2 else None

    def blocks(self):
        """Decode the file, once; yields and raises as `sndfile.Sound.blocks`."""
        return self._decoded(self._header)

    def frames(self):
        """Decode the file, once; yields and raises as `sndfile.Sound.frames`."""
        header, channels = self._header, self.channels
        mono = header._replace(channels=tf.ones_like(header.channels), frame_bytes=header.frame_bytes // channels)
        return (samples.reshape(-1, channels) for samples in self._decoded(mono, channels))

    def _decoded(self, header, frames_of_each=1):
        """Blocks as a header says, which counts one of the file's frames as several where their number is given."""
        samples, frame_bytes = 0, int(self._header.frame_bytes)
        for piece in self._pieces:
            frames = len(piece) // frame_bytes
            if frames:
                counted = header._replace(offset=0, frames=frames * frames_of_each)
                yield decode_frames(tf.constant(piece), counted).numpy()
            samples += frames
        if self._fault:
            raise InputError(self._fault)
        if samples < self.promised:
            raise InputError(f"truncated: header promises {self.promised} samples, {samples} are there")


def _block_bytes(header):
    """Bytes of the frames that are decoded at a time."""
    frames = min(BLOCK_SAMPLES // int(header.channels), BLOCK_SECONDS * int(header.rate))
    return frames * int(header.frame_bytes)


def _fault(header):
    return list(FAULTS)[int(header.fault)]


def _text(header, fault=None):
    place = header.fault if fault is None else place_of(fault)
    return fault_text(place, header.numbers).numpy().decode()
