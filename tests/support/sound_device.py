"""A stand-in for the module sounddevice: an input device whose sound is a waveform, given by a thread of its own."""

import dataclasses
import functools
import os
import signal
import sys
import threading
import time
import types

import numpy as np

from urbansound.audio import microphone


class PortAudioError(Exception):
    pass


class Status:
    def __init__(self, input_overflow):
        self.input_overflow = input_overflow


class Clock:
    """The time of the day as it is when the device gives a block: 0.2 s after that was recorded."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self):
        self.now = 0.0

    def time(self):
        return self.now


@dataclasses.dataclass(frozen=True)
class Device:
    """An input device, number 1 and the default, that gives a sound once and is then silent.

    Attributes:
      waveform: float [samples, channels].
      rate: Hz.
      clock: a Clock, which is set as the sound goes on.
      start: when the sound begins, in seconds since 1970.
      overflows: numbers of blocks before which sound was lost.
      dies: whether the device is gone after its sound.
      ends_with: signal that this process gets after the sound; None: none.
    """

    waveform: np.ndarray
    rate: int
    clock: Clock
    start: float = 0.0
    overflows: tuple = ()
    dies: bool = False
    ends_with: int | None = signal.SIGINT

    def query(self, device=None, kind=None):
        channels = np.shape(self.waveform)[1]
        devices = [
            {"name": "Loudspeaker", "max_input_channels": 0, "default_samplerate": 44100.0},
            {"name": "Microphone ä", "max_input_channels": channels, "default_samplerate": float(self.rate)},
        ]
        if kind is None:
            return devices
        if device in (None, 1) or (isinstance(device, str) and device.lower() in "microphone ä"):
            return devices[1]
        raise ValueError(f"No input device matching {device!r}")


class InputStream:
    def __init__(self, about, *, device, samplerate, channels, dtype, blocksize, callback):
        if samplerate != about.rate or dtype != "float32":
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
        self.active = True
        self._about, self._size, self._callback = about, blocksize, callback
        self._sound = np.ascontiguousarray(np.float32(about.waveform)[:, :channels])
        self._thread = threading.Thread(target=self._play)

    def start(self):
        self._thread.start()

    def close(self):
        self._thread.join()

    def _play(self):
        about = self._about
        buffer = np.empty((self._size, self._sound.shape[1]), np.float32)  # one for all blocks, as PortAudio's
        for number, begin in enumerate(range(0, len(self._sound), self._size)):
            block = self._sound[begin : begin + self._size]
            buffer[: len(block)] = block
            about.clock.now = about.start + begin / about.rate + 0.2
            recorded = 100 + begin / about.rate
            times = types.SimpleNamespace(inputBufferAdcTime=recorded, currentTime=recorded + 0.2)
            self._callback(buffer[: len(block)], len(block), times, Status(number in about.overflows))
        buffer[:] = np.nan
        self.active = not about.dies
        if about.ends_with:
            os.kill(os.getpid(), about.ends_with)


def install(monkeypatch, waveform, rate, **options):
    """Put a module with a Device in the place of sounddevice, and the Device's Clock in that of the microphone's."""
    about = Device(waveform, rate, Clock(), **options)
    module = types.ModuleType("sounddevice")
    module.query_devices, module.PortAudioError = about.query, PortAudioError
    module.InputStream = functools.partial(InputStream, about)
    monkeypatch.setattr(microphone, "time", about.clock)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
