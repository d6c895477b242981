"""What happens to sound on its way, as pure functions: float waveform [samples] and rate to float32 [samples]."""

import numpy as np
from scipy import signal

TELEPHONE_HZ = (300, 3400)
LEAST_POWER = 1e-12


def add_noise(waveform, noise, snr_db):
    """The waveform with `noise`, float [samples], at a ratio of mean powers; where one is silent nothing changes."""
    power, of_noise = (np.mean(np.square(samples, dtype=np.float64)) for samples in (waveform, noise))
    ratio = power / max(of_noise, LEAST_POWER)
    return (waveform + noise * np.sqrt(ratio) * 10 ** (-snr_db / 20)).astype(np.float32)


def telephone(waveform, sample_rate):
    """What a phone line lets through, 300 to 3,400 Hz (ITU-T G.712): Butterworth of order 4, no delay."""
    high = min(TELEPHONE_HZ[1], 0.45 * sample_rate)
    sections = signal.butter(4, (TELEPHONE_HZ[0], high), "bandpass", fs=sample_rate, output="sos")
    padded = min(len(waveform) - 1, sample_rate // 10)  # what the filter's own default would be too long for
    return signal.sosfiltfilt(sections, waveform, padlen=padded).astype(np.float32)


def low_pass(waveform, sample_rate, hertz=4000):
    """What lies above `hertz` taken away: Butterworth of order 8, no delay."""
    sections = signal.butter(4, min(hertz, 0.45 * sample_rate), fs=sample_rate, output="sos")
    padded = min(len(waveform) - 1, sample_rate // 10)
    return signal.sosfiltfilt(sections, waveform, padlen=padded).astype(np.float32)


def clip(waveform, below_peak_db=12):
    """An overdriven recorder: cut off `below_peak_db` under the waveform's own peak."""
    limit = np.max(np.abs(waveform), initial=0) * 10 ** (-below_peak_db / 20)
    return np.clip(waveform, -limit, limit).astype(np.float32)


def gain(waveform, decibel):
    """Louder or quieter, without clipping."""
    return (waveform * 10 ** (decibel / 20)).astype(np.float32)


def linear_8_bit(waveform):
    """256 even steps over [-1, 1], rounded, as 8-bit WAV has them."""
    return (np.clip(np.round(waveform * 128), -128, 127) / 128).astype(np.float32)


def mu_law(waveform):
    """256 steps that widen with the level (ITU-T G.711's curve, mu 255, continuous)."""
    bounded = np.clip(waveform, -1, 1)
    companded = np.sign(bounded) * np.log1p(255 * np.abs(bounded)) / np.log(256)
    steps = np.clip(np.round(companded * 128), -128, 127) / 128
    return (np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255).astype(np.float32)


CORRUPTIONS = {
    "phone line": telephone,
    "low-pass 4 kHz": low_pass,
    "clipped 12 dB": lambda waveform, sample_rate: clip(waveform),
    "gain +20 dB": lambda waveform, sample_rate: gain(waveform, 20),
    "gain -20 dB": lambda waveform, sample_rate: gain(waveform, -20),
    "8 bit": lambda waveform, sample_rate: linear_8_bit(waveform),
    "8-bit mu-law": lambda waveform, sample_rate: mu_law(waveform),
}
