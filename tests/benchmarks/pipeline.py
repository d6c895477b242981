"""Feeding: clips per second from WAV files to log-mel batches, against librosa; and what it costs a training step.

python tests/benchmarks/pipeline.py --data_dir=data [--clips=600] [--rounds=5]

Peer: librosa (load, resample with soxr_hq, fit, melspectrogram, power_to_db) in a pool of as many
processes as cores. All run in turn, round by round, on the same clips, read once beforehand; figures
are medians of the rounds. A ratio above 1 means that we are ahead: of clips per second, and of the
processor's time for a clip (core_ms), which other programs on the machine disturb less. The step is timed
on batches from the whole pipeline (cached waveforms, settings of configs/urbansound8k.flags) and on one
batch that stays in memory, in turn.
"""

import contextlib
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds UrbanSound8K/")
CLIPS = flags.DEFINE_integer("clips", 600, "clips per round, drawn evenly from all", lower_bound=64)
ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 20, "training steps per round", lower_bound=4)

RATE, SAMPLES = 22050, 88200


def librosa_log_mel(path):
    """One clip as most projects do it: (float32 [n_mels, frames], seconds of a core that it took)."""
    import librosa

    start = time.process_time()
    waveform, _ = librosa.load(path, sr=RATE, mono=True, res_type="soxr_hq")
    waveform = np.resize(waveform, SAMPLES)
    mel = librosa.feature.melspectrogram(y=waveform, sr=RATE, n_fft=1024, hop_length=512, n_mels=128, htk=True)
    return librosa.power_to_db(mel), time.process_time() - start


def main(argv):
    """Print the table, then one line of JSON."""
    del argv
    paths = sorted(map(str, Path(DATA_DIR.value).glob("UrbanSound8K/audio/fold*/*.wav")))
    if not paths:
        sys.exit(f"error: no clips under {DATA_DIR.value}/UrbanSound8K/audio; pass --data_dir=FOLDER")
    paths = [paths[i] for i in np.linspace(0, len(paths) - 1, min(CLIPS.value, len(paths))).astype(int)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool, tempfile.TemporaryDirectory() as folder:
        pool.map(librosa_log_mel, paths, chunksize=8)  # warm: imports, and the files in memory
        figures = feeding(paths, pool, folder)
        figures |= step_cost(paths, folder)
    print(f"\n{len(paths)} clips, {ROUNDS.value} rounds, {os.cpu_count()} cores; medians")
    for name, value in figures.items():
        print(f"{name:<34} {value:10.3f}")
    print(json.dumps(figures))


def feeding(paths, pool, folder):
    """Clips per second of librosa, of decoding and of the cache, and our ratios round by round."""
    import tensorflow as tf

    from urbansound.audio.length import fit_length
    from urbansound.audio.logmel import log_mel
    from urbansound.config import Config
    from urbansound.data import cache, pipeline

    config = Config()
    entries, faults = cache.fill(paths, RATE, folder)
    if faults:
        sys.exit(f"error: {next(iter(faults.values()))}")

    def finish(index, waveform, fault):
        return log_mel(fit_length(waveform, SAMPLES, "repeat"), config.audio)

    # Made once, as for a whole training: what is timed is clips, not the tracing of graphs.
    decoding = cache.decoded(paths, RATE).map(finish, num_parallel_calls=tf.data.AUTOTUNE).batch(32).prefetch(2)
    cached = pipeline.evaluation_batches(entries, np.zeros((len(entries), 10)), config)

    def ours(dataset):
        start = time.process_time()
        for _ in dataset:
            pass
        return time.process_time() - start

    ways = {
        "librosa": lambda: sum(seconds for _, seconds in pool.map(librosa_log_mel, paths, chunksize=8)),
        "decoding": lambda: ours(decoding),
        "cached": lambda: ours(cached),
    }
    speeds, costs = {name: [] for name in ways}, {name: [] for name in ways}
    for round_ in range(-1, ROUNDS.value):  # the first is for graphs and threads to settle
        for name, way in ways.items():
            start = time.perf_counter()
            core_seconds = way()
            if round_ >= 0:
                speeds[name].append(len(paths) / (time.perf_counter() - start))
                costs[name].append(core_seconds / len(paths) * 1000)
    figures = {f"{name}_clips_per_second": statistics.median(values) for name, values in speeds.items()}
    figures |= {f"{name}_core_ms": statistics.median(values) for name, values in costs.items()}
    for name in ("decoding", "cached"):
        figures[f"{name}_over_librosa"] = _median_ratio(speeds[name], speeds["librosa"])
        figures[f"{name}_over_librosa_core_ms"] = _median_ratio(costs["librosa"], costs[name])
    return figures


def _median_ratio(ours, theirs):
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def step_cost(paths, folder):
    """Milliseconds of a training step on fed and on repeated batches; their ratio, 1 for a free pipeline."""
    from urbansound import models
    from urbansound.data import cache, pipeline
    from urbansound.targets import SINGLE
    from urbansound.training import fit, objective

    config = _shipped("urbansound8k")
    entries, _ = cache.fill(paths, RATE, folder)
    targets = np.eye(10)[np.arange(len(entries)) % 10]
    model, _ = models.build((config.audio.frames, config.audio.n_mels), 10, config.model)
    optimizer = fit.adamw(config.train, 100, model.trainable_variables)
    model.compile(optimizer, objective.loss(SINGLE, config.train.label_smoothing))
    batches = pipeline.training_batches(entries, targets, config)
    batch = next(iter(batches))
    times = {"repeated": [], "fed": []}
    for round_ in range(-1, ROUNDS.value):
        # A new iterator each round, gone in the other: no batches made ahead, no work beside the repeated ones.
        for name, source in (("repeated", itertools.repeat(batch)), ("fed", iter(batches))):
            for _ in range(4):
                model.train_on_batch(*next(source))
            start = time.perf_counter()
            for _ in range(STEPS.value):
                model.train_on_batch(*next(source))
            if round_ >= 0:
                times[name].append((time.perf_counter() - start) / STEPS.value * 1000)
            del source
    return {
        "step_repeated_ms": statistics.median(times["repeated"]),
        "step_fed_ms": statistics.median(times["fed"]),
        "step_repeated_over_fed": _median_ratio(times["repeated"], times["fed"]),
    }


def _shipped(name):
    """The Config of a file in configs/."""
    from urbansound import flags as setting_flags

    values = setting_flags.define(flags.FlagValues())
    flags.DEFINE_multi_string("flagfile", [], "files of flags", values)
    with contextlib.chdir(ROOT):  # where flag files name each other from
        values(["", f"--flagfile=configs/{name}.flags"])
    return setting_flags.config_from(values)


if __name__ == "__main__":
    app.run(main)
