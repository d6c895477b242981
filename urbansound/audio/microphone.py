"""Sound from an input device, block by block as it comes, and when each of its samples was recorded."""

import bisect
import contextlib
import queue
import threading
import time
from datetime import UTC, datetime

import numpy as np

from urbansound.audio.sndfile import NO_NUMBERS, average
from urbansound.errors import InputError

CALLBACK_SECONDS = 0.1
MOST_SECONDS = 60  # of sound that waits to be read; more is lost
SILENT_SECONDS = 5  # without a block, after which a device is taken for gone
MOST_CHANNELS = 2
CLOCK_SECONDS = 0.1  # by which times may be off before they are set anew


@contextlib.contextmanager
def open_microphone(device=None, stopped=None):
    """Yield a Microphone that listens.

    Args:
      device: its number or its name, or words of that, as `sounddevice` takes them; None: the system's default.
      stopped: see `Microphone`.

    Raises:
      InputError: there is no such device, it can't be opened, or what it takes is not installed.
    """
    sounddevice = _sounddevice()
    try:
        about = sounddevice.query_devices(device, "input")
        rate, channels = round(about["default_samplerate"]), min(about["max_input_channels"], MOST_CHANNELS)
        microphone = Microphone(about["name"], rate, stopped)
        stream = sounddevice.InputStream(
            device=device,
            samplerate=rate,
            channels=channels,
            dtype="float32",
            blocksize=round(CALLBACK_SECONDS * rate),
            callback=microphone.take,
        )
        stream.start()
    except (ValueError, sounddevice.PortAudioError) as error:
        raise InputError(_no_device(sounddevice, device, error)) from None
    microphone.is_active = lambda: stream.active
    try:
        yield microphone
    finally:
        with contextlib.suppress(sounddevice.PortAudioError):  # of a device that is gone
            stream.close()


class Microphone:
    """The sound of an input device, for a `Stream`.

    Args:
      name: see the attribute.
      rate: see the attribute.
      stopped: a threading.Event that ends the sound; what came before is still given.

    Attributes:
      name: of the device.
      rate: sample rate in Hz.
      promised: 0, its length is not known.
      no_numbers: what samples that are no numbers mean, a line.
      lost: how many times sound was lost, because the system or this program did not take it in time.
    """

    promised, no_numbers = 0, NO_NUMBERS

    def __init__(self, name, rate, stopped=None):
        self.name, self.rate, self.lost = name, rate, 0
        self.is_active = lambda: True
        self._queue = queue.SimpleQueue()  # whose `put` may be called by a signal's handler and by a foreign thread
        self._stopped = stopped or threading.Event()
        self._marks = []  # (sample, seconds since 1970 when it was recorded), where the last one does not tell it

    def take(self, block, frames, times, status):
        """The callback of `sounddevice.InputStream`."""
        if self._stopped.is_set():
            return
        full = self._queue.qsize() * frames > MOST_SECONDS * self.rate
        self.lost += bool(status.input_overflow or full)
        age = times.currentTime - times.inputBufferAdcTime
        if not 0 < age < MOST_SECONDS:  # some hosts have no such times, and give 0
            age = frames / self.rate
        if not full:
            self._queue.put((block.copy(), time.time() - age))

    def blocks(self):
        """The sound until it is stopped.

        Yields:
          float32 [samples], the mean of the channels.

        Raises:
          InputError: the device gives no more.
        """
        samples, since = 0, time.monotonic()
        while True:
            block = self._next()
            if block is not None:
                self._mark(samples, block[1])
                samples, since = samples + len(block[0]), time.monotonic()
                yield average(block[0])
            elif self._stopped.is_set():
                return
            elif not self.is_active() or time.monotonic() - since > SILENT_SECONDS:
                raise InputError(f"the device gave no more sound after {samples / self.rate:.1f} s")

    def clock(self, seconds, zone=None):
        """When a sample was recorded.

        Args:
          seconds: of the sound that was given before it.
          zone: datetime.tzinfo; None: the system's.

        Returns:
          An aware datetime, right within CLOCK_SECONDS also after sound was lost.
        """
        place = max(bisect.bisect_right(self._marks, (seconds * self.rate, np.inf)) - 1, 0)
        sample, moment = self._marks[place]
        return datetime.fromtimestamp(moment + seconds - sample / self.rate, UTC).astimezone(zone)

    def _next(self):
        try:
            return self._queue.get(timeout=CALLBACK_SECONDS)
        except queue.Empty:
            return None

    def _mark(self, sample, moment):
        if self._marks:
            before, then = self._marks[-1]
            if abs(then + (sample - before) / self.rate - moment) <= CLOCK_SECONDS:
                return
        self._marks.append((sample, moment))


def _sounddevice():
    try:
        import sounddevice
    except ImportError:
        raise InputError("a microphone needs sounddevice; install it by: pip install sounddevice") from None
    except OSError:  # what it says where it does not find the library
        raise InputError("a microphone needs PortAudio; install it, on Debian by: apt install libportaudio2") from None
    return sounddevice


def _no_device(sounddevice, device, error):
    """A line on a device that can't be used, and which ones there are."""
    found = [
        f"{place} {about['name']}" for place, about in enumerate(_devices(sounddevice)) if about["max_input_channels"]
    ]
    which = "no input device by default" if device is None else f"no input device {device}"
    return f"{which} ({' '.join(str(error).split(chr(10))[0].split())}); there are: {', '.join(found) or 'none'}"


def _devices(sounddevice):
    try:
        return list(sounddevice.query_devices())
    except sounddevice.PortAudioError:
        return []
