"""Two sounds at once: a multilabel run against a softmax run on mixtures of two clips of UrbanSound8K.

python tests/benchmarks/multilabel.py --data_dir=DATA --out=FOLDER
    [--epochs=12] [--training_mixtures=1200] [--test_mixtures=600] [--seed=1] [--runs=single,multilabel,alone]

A mixture is two clips of different classes, each of 4 s (a shorter one repeated), the second 0 to 10 dB below the
first in mean power. Those to train on are of folds 1 and 3, those to test on of fold 2. 15 % of the recordings of folds
1 and 3 validate, and mixtures are made of clips of one side only. Three runs of configs/base.flags, from scratch:

single       softmax, trained on the single clips
alone        multilabel, trained on the same
multilabel   multilabel, trained on them and on the mixtures

All score the same mixtures. Intervals are by a bootstrap over the recordings of the first clips; those of the second
ones, which lie in several mixtures too, make the true ones somewhat wider. What is in FOLDER already is not done again.
The last line is JSON; multilabel_over_single is a ratio of macro average precisions, above 1 where the former is ahead.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pandas as pd
import soundfile
from absl import app, flags

from urbansound.data import splits
from urbansound.data.datasets import urbansound8k

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = flags.DEFINE_string("data_dir", None, "the folder around UrbanSound8K, 16-bit at 22.05 kHz", required=True)
OUT = flags.DEFINE_string("out", None, "folder of mixtures and runs", required=True)
EPOCHS = flags.DEFINE_integer("epochs", 12, "of each run")
TRAINING = flags.DEFINE_integer("training_mixtures", 1200, "mixtures to train on")
TEST = flags.DEFINE_integer("test_mixtures", 600, "mixtures to test on")
RUNS = flags.DEFINE_list("runs", ["single", "multilabel", "alone"], "which; the first two are compared")
SEED = flags.DEFINE_integer("seed", 1, "of mixtures and runs")

RATE, SAMPLES, PEAK = 22050, 88200, 0.9
LOUDER_DB = (0.0, 10.0)
TRAIN, TESTED, VALIDATION = 1, 2, 3  # folds of the tables
VALIDATING = 0.15


def main(argv):
    """Make the mixtures, train the runs, print the table and one line of JSON."""
    del argv
    out = Path(OUT.value)
    tables = _tables(out)
    figures = {}
    for name in RUNS.value:
        _train(out / name, tables["mixed" if name == "multilabel" else name])
        figures[name] = _measure(out / name, tables["mixed"])
        low, high = figures[name]["macro_average_precision_interval"]
        share = figures[name]["macro_average_precision"]
        print(
            f"{name:<12} macro average precision {100 * share:5.1f} % ({100 * low:.1f} to {100 * high:.1f})", flush=True
        )
    ours, theirs = (figures[name]["macro_average_precision"] for name in ("multilabel", "single"))
    print(json.dumps({"multilabel_over_single": ours / theirs, "mixtures": TEST.value, **figures}))


def _tables(out):
    """{name: path of the table} of the clips, which are made where they are not there."""
    tables = {name: out / f"{name}.csv" for name in ("single", "alone", "mixed")}
    if tables["mixed"].exists():
        return tables
    generator = np.random.default_rng(SEED.value)
    clips = urbansound8k.read(DATA_DIR.value, folds=(1, 2, 3)).clips
    others = clips[clips.fold != TESTED]
    kept = splits._choose_recordings(others, VALIDATING, SEED.value, splits.SINGLE)
    sides = clips.fold.where(clips.fold == TESTED, TRAIN).mask(clips.recording.isin(kept), VALIDATION)
    clips = clips.assign(fold=sides, path=clips.path.map(os.path.abspath))
    counts = {TRAIN: TRAINING.value, VALIDATION: round(VALIDATING * TRAINING.value), TESTED: TEST.value}
    (out / "mixtures").mkdir(parents=True, exist_ok=True)
    rows = [
        row
        for side, count in counts.items()
        for row in _mixtures(out, side, clips[clips.fold == side], count, generator)
    ]
    columns = ["path", "label", "fold", "recording"]
    mixtures = pd.DataFrame(rows, columns=columns)
    single = clips[columns]
    single.to_csv(tables["single"], index=False)
    single.rename(columns={"label": "labels"}).to_csv(tables["alone"], index=False)
    mixed = pd.concat([single[single.fold != TESTED], mixtures])
    mixed.rename(columns={"label": "labels"}).to_csv(tables["mixed"], index=False)
    return tables


def _mixtures(out, side, clips, count, generator):
    """Rows of `count` mixtures of clips of one side, their files written."""
    for number in range(count):
        first = clips.iloc[generator.integers(len(clips))]
        others = clips[clips.label != first.label]
        second = others.iloc[generator.integers(len(others))]
        below_db = generator.uniform(*LOUDER_DB)
        loud, soft = (_clip(clip.path) for clip in (first, second))
        mixture = loud + soft * 10 ** (-below_db / 20)
        path = (out / "mixtures" / f"{side}-{number:04d}.wav").resolve()
        soundfile.write(path, PEAK * mixture / np.abs(mixture).max(), RATE, subtype="PCM_16")
        yield str(path), ";".join(sorted((first.label, second.label))), side, first.recording


def _clip(path):
    """A clip of SAMPLES, of mean power 1."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    if rate != RATE:
        sys.exit(f"error: {path}: {rate} Hz; this takes clips of {RATE} Hz")
    clip = np.resize(samples.mean(axis=1), SAMPLES)
    return clip / max(np.sqrt(np.mean(clip**2)), 1e-9)


def _train(run, table):
    """Train a run on a table, or go on with it, unless it is there."""
    if (run / "metrics.json").exists():
        return
    kind = "single" if run.name == "single" else "multilabel"
    own = ["--flagfile=configs/base.flags", "--dataset=csv", f"--csv={table.resolve()}", f"--targets={kind}"]
    own += [f"--test_fold={TESTED}", f"--val_fold={VALIDATION}", f"--epochs={EPOCHS.value}", f"--seed={SEED.value}"]
    own = ["--resume"] if run.exists() else [*own, f"--cache_dir={run.parent.resolve()}/cache"]
    command = [sys.executable, "-m", "urbansound.train", *own, f"--run_dir={run.resolve()}"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def _measure(run, table):
    """Macro average precision of a run on the test mixtures of a table, with its interval."""
    from urbansound.data import cache
    from urbansound.inference.classifier import Classifier
    from urbansound.inference.evaluation import score_entries
    from urbansound.report import multilabel
    from urbansound.run import Run
    from urbansound.targets import MULTILABEL

    run = Run.open(run)
    rows = pd.read_csv(table, dtype={"recording": str})
    rows = rows[rows.fold == TESTED]
    entries, _ = cache.fill(list(rows.path), run.config.audio.sample_rate, run.config.data.cache_dir)
    scores = score_entries(entries, Classifier.from_run(run))
    targets = MULTILABEL.matrix(list(rows.labels), run.class_names)
    precisions = multilabel.metrics.average_precisions(targets >= 0.5, scores)
    of_classes = dict(zip(run.class_names, precisions.tolist(), strict=True))
    return {**multilabel.summary(targets, scores, rows.recording), "average_precision": of_classes}


if __name__ == "__main__":
    app.run(main)
