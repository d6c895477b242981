"""The int8 file against YAMNet: milliseconds per second of audio, one thread, same process, on this machine.

python tests/benchmarks/tflite.py --run_dir=runs/…                 converts the run, calibrated on its training clips
python tests/benchmarks/tflite.py --export=exports/…               takes the int8 file of an export
    [--yamnet=../shared/data/weights/yamnet.tflite] [--rounds=200]

Both run in ai_edge_litert's interpreter with XNNPACK, in turn, round by round, each on one window of noise
as long as it hears: ours as long as the run's clips, YAMNet's 0.975 s at 16 kHz. Figures are medians; a
ratio above 1 means that we are ahead. What is timed is one window after another: with windows that
overlap by half, both cost twice as much per second.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parents[2]
RUN_DIR = flags.DEFINE_string("run_dir", None, "a trained run")
EXPORT = flags.DEFINE_string("export", None, "an export with an int8 file")
YAMNET = flags.DEFINE_string("yamnet", str(ROOT.parent / "shared/data/weights/yamnet.tflite"), "YAMNet's .tflite file")
ROUNDS = flags.DEFINE_integer("rounds", 200, "rounds", lower_bound=10)

YAMNET_SECONDS = 0.975  # 15,600 samples at 16 kHz
WARM_UP = 20
CALIBRATION_CLIPS = 128


def main(argv):
    """Print the table, then one line of JSON."""
    del argv
    if (RUN_DIR.value is None) == (EXPORT.value is None):
        sys.exit("error: pass --run_dir=FOLDER or --export=FOLDER")
    if not Path(YAMNET.value).is_file():
        sys.exit(f"error: {YAMNET.value}: no such file; pass --yamnet=FILE")
    ours, seconds = of_run(RUN_DIR.value) if RUN_DIR.value else of_export(EXPORT.value)
    print(f"\nint8 {len(ours) / 1000:,.0f} kB, {ROUNDS.value} rounds, one thread; medians")
    figures = compare(ours, seconds, Path(YAMNET.value).read_bytes())
    for name, value in figures.items():
        print(f"{name:<34} {value:10.3f}")
    print(json.dumps(figures))


def of_run(folder):
    """(int8 file, seconds of its window) of a run."""
    from export.tflite import convert
    from urbansound.audio.length import fit_length
    from urbansound.data import cache
    from urbansound.data.prepare import clips_of
    from urbansound.inference.classifier import Classifier
    from urbansound.run import Run

    run = Run.open(folder)
    classifier = Classifier.from_run(run)
    _, entries, _ = clips_of(run, "train")
    chosen = np.unique(np.linspace(0, len(entries) - 1, CALIBRATION_CLIPS).astype(int))
    samples, short = classifier.audio.clip_samples, classifier.short_clips
    windows = np.stack([fit_length(cache.read(entries[i]), samples, short) for i in chosen])
    return convert.convert(classifier, "int8", windows), classifier.audio.clip_seconds


def of_export(folder):
    """(int8 file, seconds of its window) of an export."""
    report = json.loads((Path(folder) / "report.json").read_text())
    paths = [file["path"] for file in report["files"] if file["format"] == "int8" and file["kept"]]
    if not paths:
        sys.exit(f"error: {folder}: no int8 file; export with --formats=int8")
    return (Path(folder) / paths[0]).read_bytes(), report["window_seconds"]


def compare(ours, seconds, yamnet):
    """Milliseconds per second of audio, the ratio, and the front-end's share of ours."""
    from export.tflite import profile

    files = {"ours": ours, "frontend": profile.front_end(ours), "yamnet": yamnet}
    interpreters = {name: profile.ready(content, threads=1) for name, content in files.items()}
    times = {name: [] for name in files}
    for round_ in range(-WARM_UP, ROUNDS.value):
        for name, interpreter in interpreters.items():
            start = time.perf_counter()
            interpreter.invoke()
            if round_ >= 0:
                times[name].append(1000 * (time.perf_counter() - start))
    median = {name: statistics.median(values) for name, values in times.items()}
    ours_per_second, yamnet_per_second = median["ours"] / seconds, median["yamnet"] / YAMNET_SECONDS
    return {
        "ours_ms_per_window": median["ours"],
        "yamnet_ms_per_window": median["yamnet"],
        "ours_ms_per_second": ours_per_second,
        "yamnet_ms_per_second": yamnet_per_second,
        "frontend_share": median["frontend"] / median["ours"],
        "yamnet_over_ours": yamnet_per_second / ours_per_second,
    }


if __name__ == "__main__":
    app.run(main)
