"""A microphone gives the sound of its device, counts what was lost, and knows when each sample was recorded."""

import builtins
import datetime
import sys
import threading
import time
import types

import numpy as np
import pytest

import sound_device
from urbansound.audio import microphone
from urbansound.audio.microphone import Microphone, open_microphone
from urbansound.errors import InputError
from wav_files import noise

RATE = 8000


def block(value, frames=800):
    return np.full((frames, 1), value, np.float32)


def test_the_sound_is_the_device_s_mean_over_its_channels(monkeypatch):
    sound = noise(RATE * 3 + 17, 2)
    sound_device.install(monkeypatch, sound, RATE, ends_with=None)
    stopped = threading.Event()
    with open_microphone(None, stopped) as opened:
        assert (opened.name, opened.rate) == ("Microphone ä", RATE)
        time.sleep(0.2)
        stopped.set()
        got = np.concatenate(list(opened.blocks()))
    np.testing.assert_array_equal(got, np.float32(sound).sum(axis=1) * np.float32(0.5))
    assert opened.lost == 0


@pytest.mark.parametrize("device", [1, "microphone", None])
def test_devices_have_numbers_and_names(device, monkeypatch):
    sound_device.install(monkeypatch, noise(800), RATE, ends_with=None)
    with open_microphone(device) as opened:
        assert opened.name == "Microphone ä"


@pytest.mark.parametrize("device", [0, 7, "loud"])
def test_a_device_that_is_none_is_said_with_those_there_are(device, monkeypatch):
    sound_device.install(monkeypatch, noise(800), RATE)
    with pytest.raises(InputError) as error, open_microphone(device):
        pass
    assert str(error.value) == (
        f"no input device {device} (No input device matching {device!r}); there are: 1 Microphone ä"
    )


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with (
        pytest.raises(InputError, match="needs sounddevice; install it by: pip install sounddevice"),
        open_microphone(),
    ):
        pass
    load = builtins.__import__

    def without_library(name, *others):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return load(name, *others)

    monkeypatch.setattr(builtins, "__import__", without_library)
    with pytest.raises(InputError, match="needs PortAudio; install it, on Debian by: apt"), open_microphone():
        pass


def test_lost_sound_is_counted_and_the_clock_goes_on(monkeypatch):
    monkeypatch.setattr(microphone, "MOST_SECONDS", 1)
    stopped, now = threading.Event(), [1000.0]
    taken = Microphone("x", RATE, stopped)
    monkeypatch.setattr(microphone.time, "time", lambda: now[0])

    def take(value, overflow=False):
        times = types.SimpleNamespace(inputBufferAdcTime=now[0] - 0.5, currentTime=now[0])
        taken.take(block(value), 800, times, sound_device.Status(overflow))
        now[0] += 0.1

    take(0)
    take(1)
    now[0] += 5  # of sound that the system did not give
    take(2, overflow=True)
    for value in range(3, 16):  # more than waits
        take(value)
    stopped.set()
    take(99)
    got = np.concatenate(list(taken.blocks()))
    assert got[::800].tolist() == list(range(11))
    assert taken.lost == 1 + 5
    moments = [taken.clock(seconds, datetime.UTC).timestamp() for seconds in (0.0, 0.15, 0.2, 0.25, 1.0)]
    np.testing.assert_allclose(moments, [999.5, 999.65, 1004.7, 1004.75, 1005.5], atol=1e-3)


def test_a_host_without_times_and_a_clock_that_drifts(monkeypatch):
    stopped, now = threading.Event(), [1000.0]
    taken = Microphone("x", RATE, stopped)
    monkeypatch.setattr(microphone.time, "time", lambda: now[0])
    for _ in range(2000):
        now[0] += 0.1001
        times = types.SimpleNamespace(inputBufferAdcTime=0.0, currentTime=0.0)
        taken.take(block(0, 80), 80, times, sound_device.Status(False))
    stopped.set()
    monkeypatch.setattr(taken, "rate", 800)  # of blocks of 0.1 s
    assert sum(map(len, taken.blocks())) == 160000
    for seconds in (0.0, 55.5, 199.0):
        assert abs(taken.clock(seconds, datetime.UTC).timestamp() - (1000 + seconds * 1.001)) < 0.2
    assert len(taken._marks) <= 4


@pytest.mark.parametrize("dies", [True, False])
def test_a_device_that_is_gone_ends_the_sound_with_a_fault(dies, monkeypatch):
    monkeypatch.setattr(microphone, "SILENT_SECONDS", 60 if dies else 0.3)
    sound_device.install(monkeypatch, noise(2 * RATE), RATE, dies=dies, ends_with=None)
    with open_microphone() as opened:
        got = []
        with pytest.raises(InputError, match=r"the device gave no more sound after 2\.0 s"):
            got.extend(opened.blocks())
    assert sum(map(len, got)) == 2 * RATE
