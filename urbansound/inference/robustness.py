"""How a trained run fares on its test clips with noise added, or corrupted otherwise."""

import numpy as np
import pandas as pd

from urbansound.audio import corruption
from urbansound.audio.length import lengthen
from urbansound.data import cache, noise
from urbansound.inference.classifier import score_clips
from urbansound.progress import bar
from urbansound.report import figures

GENERATED = {"white noise": 0.0, "pink noise": 1.0}
RECORDED = "recorded noise"


def measure(entries, targets, recordings, classifier, conditions):
    """Accuracy, or what models of the classifier's targets are compared by, on clean and on corrupted clips.

    Args:
      entries: cache files of the test clips.
      targets: float32 [clips, classes].
      recordings: str [clips].
      classifier: a Classifier.
      conditions: what `conditions` returns.

    Returns:
      DataFrame with condition, noise and snr_db (missing where no noise was added), accuracy (or the other figure, by
      its name), low and high (its 95 % interval), points_lost against clean; clean comes first.
    """
    rows, share = [], classifier.targets.measure
    for name, kind, snr_db, corrupt in [("clean", None, None, None), *conditions]:
        waveforms = cache.waveforms(entries) if corrupt is None else _corrupted(entries, classifier, corrupt)
        with bar(name) as on_progress:
            scores = score_clips(waveforms, len(entries), classifier, on_progress=on_progress)
        found = figures.summary(classifier.targets, targets, scores, recordings)
        rows.append((name, kind, snr_db, found[share], *found[f"{share}_interval"]))
    table = pd.DataFrame(rows, columns=["condition", "noise", "snr_db", share, "low", "high"])
    return table.assign(points_lost=100 * (table[share][0] - table[share]))


def conditions(snr_db, noise_dir, corruptions, config):
    """The conditions asked for, as (name, noise or None, SNR or None, function of (waveform, row)).

    Args:
      snr_db: signal-to-noise ratios.
      noise_dir: recordings to add; None: white and pink noise.
      corruptions: whether to add all of `audio.corruption.CORRUPTIONS`.
      config: the run's Config.

    Raises:
      InputError: no readable recordings in noise_dir.
    """
    rate = config.audio.sample_rate
    sources = _sources(noise_dir, config) if snr_db else {}
    result = [
        (f"{name} {level:g} dB", name, level, _noisy(source, level))
        for name, source in sources.items()
        for level in snr_db
    ]
    if corruptions:
        result += [(name, None, None, _applied(corrupt, rate)) for name, corrupt in corruption.CORRUPTIONS.items()]
    return result


def _sources(noise_dir, config):
    """{kind of noise: float [samples]}, other noise than in training where it is generated."""
    rate, window = config.audio.sample_rate, config.audio.clip_samples
    if noise_dir is not None:
        noise.check(noise_dir, rate, config.data.cache_dir)
        return {RECORDED: noise.load(noise_dir, rate, window, config.data.cache_dir, seed=0)}
    generator = np.random.default_rng([config.train.seed, 1])
    samples = max(noise.SECONDS * rate, window)
    return {name: noise.coloured_noise(samples, exponent, generator) for name, exponent in GENERATED.items()}


def _noisy(source, snr_db):
    def corrupt(waveform, row):
        # By the clip's place only: each SNR adds the same stretch, louder.
        start = np.random.default_rng(row).integers(len(source))
        return corruption.add_noise(waveform, np.resize(np.roll(source, -start), len(waveform)), snr_db)

    return corrupt


def _applied(corrupt, sample_rate):
    return lambda waveform, row: corrupt(waveform, sample_rate)


def _corrupted(entries, classifier, corrupt):
    """(index, corrupted waveform) of every clip, short ones lengthened first: noise does not repeat."""
    for index, waveform in cache.waveforms(entries):
        length = max(len(waveform), classifier.audio.clip_samples)
        waveform = lengthen(waveform, length, classifier.short_clips).numpy()
        yield index, corrupt(waveform, int(index))
