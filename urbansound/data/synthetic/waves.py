"""What synthetic sounds are made of: tones, noise, pulses, resonances and the shapes of loudness.

A wave is float64 [samples] at RATE; times are in seconds and frequencies in Hz.
"""

import numpy as np
from scipy import fft, signal

RATE = 22050  # Hz


def unit(wave):
    """`wave` scaled to a mean power of 1; silence stays silence."""
    return wave / (np.sqrt(np.mean(wave**2)) + 1e-12)


def log_uniform(generator, low, high, size=None):
    """Draws between `low` and `high`, every octave as likely as another."""
    return np.exp(generator.uniform(np.log(low), np.log(high), size))


def steady(hz, samples):
    """A constant frequency as float64 [samples]."""
    return np.full(samples, float(hz))


def tone(frequency, gains):
    """A harmonic tone, its harmonics cut where the highest pitch would bring them above RATE / 2.

    Args:
      frequency: float64 [samples], Hz at each moment, positive.
      gains: amplitude of harmonics 1, 2, …

    Returns:
      float64 [samples]: the nearest of 16384 points of one period, so its own noise lies below -70 dB.
    """
    if not len(frequency):
        return np.zeros(0)
    harmonics = np.asarray(gains, float)[: max(int(RATE / 2 / np.max(frequency)), 1)]
    spectrum = np.zeros(8193, complex)
    spectrum[1 : 1 + len(harmonics)] = -8192j * harmonics
    period = fft.irfft(spectrum)
    return period[(np.cumsum(frequency) * (16384 / RATE)).astype(int) % 16384]


def tilted_noise(generator, samples, slope):
    """Noise that falls by `slope` dB per octave above 60 Hz and is cut below; float64 [samples]."""
    frequency = fft.rfftfreq(samples, 1 / RATE)
    gains = (np.maximum(frequency, 60) / 60) ** (-slope / 6.02) * np.minimum(frequency / 60, 1)
    return fft.irfft(fft.rfft(generator.standard_normal(samples)) * gains, samples)


def resonate(wave, centres, widths, floor=0.0):
    """`wave` with gain 1 at each of `centres`, 1 / 2 at `widths` from it (Hz), at least `floor`."""
    frequency = fft.rfftfreq(len(wave), 1 / RATE)
    gains = [1 / (1 + ((frequency - hz) / width) ** 2) for hz, width in zip(centres, widths, strict=True)]
    return fft.irfft(fft.rfft(wave) * np.maximum(np.max(gains, axis=0), floor), len(wave))


def wander(generator, samples, seconds):
    """A random curve of mean 0 and spread 1 that turns about every `seconds`; float64 [samples]."""
    knots = generator.standard_normal(int(samples / RATE / seconds) + 2)
    return np.interp(np.arange(samples) / RATE / seconds, np.arange(len(knots)), knots)


def spells(generator, samples, sound_seconds, pause_seconds, first=None):
    """Alternating sound and pause of about these lengths until `samples` are filled.

    Returns:
      (starts, ends) in seconds, at least one of each; the first start is `first`, or random.
    """
    start = generator.uniform(-sound_seconds, pause_seconds) if first is None else first
    starts, ends = [], []
    while start < samples / RATE or not starts:
        starts.append(start)
        ends.append(start + sound_seconds * generator.uniform(0.7, 1.3))
        start = ends[-1] + pause_seconds * generator.uniform(0.5, 1.5)
    return starts, ends


def envelope(samples, starts, ends, rise, fall):
    """Loudness 0 to 1: up in `rise` seconds from each start, down by e every `fall` seconds from each end."""
    time = np.arange(samples) / RATE
    loudness = np.zeros(samples)
    for start, end in zip(starts, ends, strict=True):
        up = np.clip((time - start) / rise, 0, 1)
        np.maximum(loudness, up * np.exp(-np.maximum(time - end, 0) / fall), out=loudness)
    return loudness


def beats(generator, samples, rate_hz, unsteady, strengths=(1.0,)):
    """Impulses `rate_hz` a second, each interval off by a share `unsteady`, `strengths` in turn."""
    count = int(samples / RATE * rate_hz * 1.5) + 2
    intervals = np.maximum(1 + unsteady * generator.standard_normal(count), 0.7) / rate_hz
    times = np.cumsum(intervals) - generator.random() / rate_hz
    return pulses(samples, times, np.resize(strengths, count))


def pulses(samples, times, strengths):
    """Silence with an impulse of each strength at each time (s); those outside are left out."""
    wave = np.zeros(samples)
    places = np.round(np.asarray(times) * RATE).astype(int)
    inside = (places >= 0) & (places < samples)
    np.add.at(wave, places[inside], np.asarray(strengths)[inside])
    return wave


def knock(generator, centres, seconds):
    """The sound of one blow: noise through resonances at `centres` (Hz), down by e every `seconds`."""
    time = np.arange(round(8 * seconds * RATE)) / RATE
    noise = generator.standard_normal(len(time)) * np.exp(-time / seconds)
    return unit(resonate(noise, centres, np.asarray(centres) * 0.15, floor=0.03))


def ring(impulses, response):
    """Each impulse of float64 [samples] replaced by `response`; what lasts past the end is cut."""
    return signal.fftconvolve(impulses, response)[: len(impulses)]
