"""Background noise as one long waveform that random stretches are cut from."""

import sys

import numpy as np

from urbansound.data import audio_files, cache
from urbansound.errors import InputError
from urbansound.text import shown

SECONDS = 60  # of each recording and of each kind of generated noise


def load(noise_dir, sample_rate, least_samples, cache_dir, seed):
    """Every recording under `noise_dir`, or white, pink and brown noise where it is None, joined.

    Args:
      noise_dir: a folder of audio files, searched through its sub-folders; other files are passed over; or None.
      sample_rate: Hz of the result.
      least_samples: the result is at least this long.
      cache_dir: where decoded waveforms are kept.
      seed: of the generated noise.

    Returns:
      float32 [samples]; each part, at most SECONDS from the first sound on, has a mean power of 1.

    Raises:
      InputError: the folder holds no file, or one that can't be decoded or is silent.
    """
    longest = SECONDS * sample_rate
    if noise_dir is None:
        generator = np.random.default_rng(seed)
        parts = [coloured_noise(longest, exponent, generator) for exponent in (0.0, 1.0, 2.0)]
    else:
        parts = [part[:longest] for part in _recordings(_find(noise_dir).files, sample_rate, cache_dir)]
    noise = np.concatenate([part / np.sqrt(np.mean(part**2, dtype=np.float64)) for part in parts])
    return np.tile(noise, -(-least_samples // len(noise))).astype(np.float32)


def coloured_noise(samples, exponent, generator):
    """Noise whose power falls as 1 / frequency**exponent: 0 white, 1 pink, 2 brown.

    Returns:
      float64 [samples] with a mean power of 1. Frequencies below 20 periods in `samples` are not
      raised further, so that the result has no drift.
    """
    spectrum = np.fft.rfft(generator.standard_normal(samples))
    frequency = np.maximum(np.arange(len(spectrum)), 20)
    noise = np.fft.irfft(spectrum / frequency ** (exponent / 2), samples)
    return noise / np.sqrt(np.mean(noise**2))


def check(noise_dir, sample_rate, cache_dir):
    """Decode the recordings under `noise_dir` into the cache; what else is there is counted on stderr.

    Raises:
      InputError: as `load`.
    """
    found = _find(noise_dir)
    for _ in _recordings(found.files, sample_rate, cache_dir):
        pass
    if found.summary:
        print(shown(f"{noise_dir}: {found.summary}"), file=sys.stderr)


def _recordings(paths, sample_rate, cache_dir):
    """The waveforms of files, each from its first sample that is not 0 on: a silent stretch has no power to scale."""
    entries, faults = cache.fill(paths, sample_rate, cache_dir)
    for place, fault in faults.items():
        raise InputError(f"{paths[place]}: {fault}; take it out of --noise_dir")
    for path, entry in zip(paths, entries, strict=True):
        waveform = cache.read(entry).numpy()
        if not np.any(waveform):
            raise InputError(f"{path}: a silent recording is no noise; take it out of --noise_dir")
        yield waveform[np.argmax(waveform != 0) :]


def _find(noise_dir):
    try:
        return audio_files.find([noise_dir])
    except InputError as error:
        raise InputError(f"{error}; point --noise_dir at a folder of recordings of noise") from None
