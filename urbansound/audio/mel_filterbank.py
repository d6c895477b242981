"""Triangular mel filters: the bins of a spectrum, weighed into bands of equal width on the mel scale."""

import functools

import numpy as np

from urbansound.config import AudioConfig
from urbansound.config.sections import MAX_N_FFT
from urbansound.errors import InputError

# Slaney's scale: linear up to 1000 Hz (15 mel), then 27 mel for every factor of 6.4 in frequency.
_LINEAR_HZ_PER_MEL = 200 / 3
_LOG_START_HZ = 1000.0
_LOG_START_MEL = _LOG_START_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(hz, mel_scale):
    """Frequencies in Hz to mel, float64, any shape; `mel_scale` is "htk" or "slaney".

    Source: Stevens, Volkmann, Newman 1937 as written in the HTK Book; Slaney 1998, Auditory Toolbox.
    """
    hz = np.asarray(hz, np.float64)
    if mel_scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    logarithmic = _LOG_START_MEL + np.log(np.maximum(hz, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP
    return np.where(hz < _LOG_START_HZ, hz / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mel, mel_scale):
    """The inverse of `hz_to_mel`: float64 Hz."""
    mel = np.asarray(mel, np.float64)
    if mel_scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    logarithmic = _LOG_START_HZ * np.exp((mel - _LOG_START_MEL) * _LOG_STEP)
    return np.where(mel < _LOG_START_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def band_centres(config: AudioConfig) -> np.ndarray:
    """Centre of each mel band in Hz, float64 [n_mels], rising."""
    return _edges(config)[1:-1]


@functools.cache
def mel_filterbank(config: AudioConfig) -> np.ndarray:
    """Triangular mel filters, as torchaudio's `melscale_fbanks` and librosa's `filters.mel` define them.

    Each triangle is 1 at its centre and 0 at its neighbours' centres, its sides straight in Hz or,
    with mel_triangles="mel", in mel, as `tf.signal.linear_to_mel_weight_matrix` has it;
    mel_norm="slaney" divides it by half its width in Hz.

    Returns:
      float32 [n_fft // 2 + 1, n_mels], read-only, computed in float64; column m weighs the bins
      (sample_rate / n_fft Hz apart) into band m.

    Raises:
      InputError: a band is so narrow that no bin falls into it, so it would always be silent.

    Source: Davis, Mermelstein 1980; the scales as in `hz_to_mel`.
    """
    edges = _edges(config)
    if (silent := _silent_bands(edges, config.n_fft / config.sample_rate)).size:
        raise InputError(_silent_band_message(config, edges, silent[0]))
    weights = _triangles(edges, config)
    if config.mel_norm == "slaney":
        weights *= 2 / (edges[2:] - edges[:-2])
    filterbank = weights.astype(np.float32)
    filterbank.flags.writeable = False
    return filterbank


def _edges(config):
    """Where bands begin, peak and end, in Hz, float64 [n_mels + 2]: even steps on the mel scale."""
    lowest, highest = hz_to_mel([config.f_min, config.f_max_hz], config.mel_scale)
    return mel_to_hz(np.linspace(lowest, highest, config.n_mels + 2), config.mel_scale)


def _triangles(edges, config):
    """float64 [n_fft // 2 + 1, n_mels]: band m rises from edges[m] to edges[m + 1], falls to edges[m + 2]."""
    bins = np.arange(config.n_fft // 2 + 1)[:, np.newaxis] * (config.sample_rate / config.n_fft)  # [bins, 1], Hz
    if config.mel_triangles == "mel":
        bins, edges = hz_to_mel(bins, config.mel_scale), hz_to_mel(edges, config.mel_scale)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]  # [n_mels] each
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    return np.maximum(0, np.minimum(rising, falling))


def _silent_bands(edges, bins_per_hz):
    """Indices of bands without a bin; a bin on a band's edge is outside, whatever the rounding."""
    places = edges * bins_per_hz
    return np.flatnonzero(np.ceil(places[2:] - 1e-9) - np.floor(places[:-2] + 1e-9) < 2)


def _silent_band_message(config, edges, band):
    n_fft = config.n_fft
    while n_fft <= MAX_N_FFT and _silent_bands(edges, n_fft / config.sample_rate).size:
        n_fft *= 2
    remedy = f"raise n_fft to {n_fft} (win_length may stay), or " if n_fft <= MAX_N_FFT else ""
    return (
        f"mel band {band} of {config.n_mels} ({edges[band]:.0f} to {edges[band + 2]:.0f} Hz) has no bin of "
        f"n_fft={config.n_fft} at sample_rate={config.sample_rate}: {remedy}lower n_mels, or widen f_min to f_max"
    )
