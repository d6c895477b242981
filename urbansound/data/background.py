"""Generated sounds that belong to no class: noise of any colour, mains hum, silence."""

import numpy as np

from urbansound.data.noise import coloured_noise

NOISES, HUMS, SILENCES = 64, 32, 16
EXPONENTS = (0.0, 2.5)  # of noise: from white beyond brown
PEAK_DB = (-46.0, -1.0)  # of noise and hum, of full scale
HARMONICS = 19
STEP = 1 / 32768  # of 16-bit samples


def sounds(sample_rate, samples, seed=0):
    """Waveforms of NOISES noises, HUMS hums of 50 or 60 Hz and SILENCES silences, the first of these digital.

    Args:
      sample_rate: Hz.
      samples: of each waveform.
      seed: of what is drawn.

    Yields:
      float32 [samples] within [-1, 1].
    """
    generator = np.random.default_rng(seed)
    for _ in range(NOISES):
        yield _at_peak(coloured_noise(samples, generator.uniform(*EXPONENTS), generator), generator)
    time = np.arange(samples) / sample_rate
    for _ in range(HUMS):
        yield _at_peak(_hum(generator.choice([50.0, 60.0]), time, sample_rate, generator), generator)
    for number in range(SILENCES):
        steps = generator.normal(0, generator.uniform(0.2, 3), samples) if number else np.zeros(samples)
        yield (np.round(steps) * STEP).astype(np.float32)


def _hum(hertz, time, sample_rate, generator):
    """Harmonics of a mains frequency below half the rate, the higher the weaker, over faint noise: [samples]."""
    result = generator.normal(0, 1e-3, len(time))
    for harmonic in range(1, HARMONICS + 1):
        size, phase = generator.uniform(0, 1 / harmonic), generator.uniform(0, 2 * np.pi)
        if harmonic * hertz < sample_rate / 2:
            result += size * np.sin(2 * np.pi * harmonic * hertz * time + phase)
    return result


def _at_peak(waveform, generator):
    peak = 10 ** (generator.uniform(*PEAK_DB) / 20)
    return (waveform / np.abs(waveform).max() * peak).astype(np.float32)
