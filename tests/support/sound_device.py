"""A stand-in for the module sounddevice: an input device whose sound is a waveform, given by a thread of its own."""

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


def module(waveform, rate, clock, *, start=0.0, overflows=(), missing=(), dies=False, ends_with=signal.SIGINT):
    """A module with two devices, of which number 1, the default, gives a sound once and is then silent.

    Args:
      waveform: float [samples, channels].
      rate: of the device, Hz.
      clock: a Clock, which is set as the sound goes on.
      start: when the sound begins, in seconds since 1970.
      overflows: numbers of blocks before which sound was lost.
      missing: numbers of blocks that are lost.
      dies: whether the device is gone after its sound.
      ends_with: signal that this process gets after the sound; None: none.
    """
    devices = [
        {"name": "Loudspeaker", "max_input_channels": 0, "default_samplerate": 44100.0},
        {"name": "Microphone ä", "max_input_channels": np.shape(waveform)[1], "default_samplerate": float(rate)},
    ]

    def query_devices(device=None, kind=None):
        if kind is None:
            return devices
        found = [
            place
            for place, about in enumerate(devices)
            if device in (None, place) or (isinstance(device, str) and device.lower() in about["name"].lower())
        ]
        found = [place for place in found if devices[place]["max_input_channels"]]
        if not found:
            raise ValueError(f"No input device matching {device!r}")
        return devices[found[0]]

    class InputStream:
        active = True

        def __init__(self, *, device, samplerate, channels, dtype, blocksize, callback):
            if samplerate != rate or dtype != "float32":
                raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
            self._sound = np.ascontiguousarray(np.float32(waveform)[:, :channels])
            self._size, self._callback = blocksize, callback
            self._thread = threading.Thread(target=self._play)

        def start(self):
            self._thread.start()

        def close(self):
            self._thread.join()

        def _play(self):
            buffer = np.empty((self._size, self._sound.shape[1]), np.float32)  # one for all blocks, as PortAudio's
            for number, begin in enumerate(range(0, len(self._sound), self._size)):
                block = self._sound[begin : begin + self._size]
                buffer[: len(block)] = block
                clock.now = start + begin / rate + 0.2
                times = types.SimpleNamespace(inputBufferAdcTime=100 + begin / rate, currentTime=100.2 + begin / rate)
                if number not in missing:
                    self._callback(buffer[: len(block)], len(block), times, Status(number in overflows))
            buffer[:] = np.nan
            self.active = not dies
            if ends_with:
                os.kill(os.getpid(), ends_with)

    made = types.ModuleType("sounddevice")
    made.query_devices, made.InputStream, made.PortAudioError = query_devices, InputStream, PortAudioError
    return made


def install(monkeypatch, waveform, rate, **options):
    """Put the stand-in, see `module`, in the place of sounddevice, and its Clock in that of the microphone's."""
    clock = Clock()
    monkeypatch.setattr(microphone, "time", clock)
    monkeypatch.setitem(sys.modules, "sounddevice", module(waveform, rate, clock, **options))
