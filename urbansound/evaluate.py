"""Measure a trained run on its test fold, or detected events against known ones: figures, pictures and the page.

python -m urbansound.evaluate --run_dir=runs/…
python -m urbansound.evaluate --run_dir=runs/… --snr_db=20,10,0 --corruptions
python -m urbansound.evaluate --events=known.tsv --recordings=night --detected=events
python -m urbansound.evaluate --events=known.tsv --recordings=night --model=runs/… --out=events --collar=1,0.2

The last one detects first, as python -m urbansound.detect with the same flags does.
"""

import math
import os
import sys

from absl import flags

from urbansound import command, detect
from urbansound import flags as setting_flags
from urbansound.config.augmentation import MAX_DB
from urbansound.errors import InputError
from urbansound.text import shown

setting_flags.define_places()
flags.adopt_module_key_flags(setting_flags)
RUN_DIR = flags.DEFINE_string("run_dir", None, "directory of the trained run")
SNR_DB = flags.DEFINE_list("snr_db", [], "also with noise at these signal-to-noise ratios, e.g. 20,10,0")
NOISE_DIR = flags.DEFINE_string("noise_dir", None, "recordings to take that noise from; none: white and pink noise")
CORRUPTIONS = flags.DEFINE_boolean(
    "corruptions", False, "also as over a phone line, clipped, louder, quieter, of 8 bits"
)
EVENTS = flags.DEFINE_string(
    "events", None, "table of known events: filename, onset, offset, event_label, or path, start, end, label"
)
RECORDINGS = flags.DEFINE_string("recordings", None, "folder of the recordings that --events is about")
DETECTED = flags.DEFINE_string("detected", None, "what is measured: a folder of detect, or a table of events")
COLLAR = flags.DEFINE_list("collar", ["1"], "seconds that an onset may be off; a result for each, e.g. 1,0.2")
OFFSETS = flags.DEFINE_boolean(
    "offsets", False, "offsets count too: within --collar, or half of the event's length where that is more"
)
SEGMENT_SECONDS = flags.DEFINE_float("segment_seconds", 1.0, "length of a segment", lower_bound=1e-3, upper_bound=1e6)
PSDS = flags.DEFINE_boolean("psds", False, "also PSDS, of detect's scores; needs pip install sed_scores_eval==0.0.4")
flags.set_default(detect.PRINT, "none")
OF_MICROPHONES = ("live", "device")
OF_DETECT = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(detect) if flag.name not in OF_MICROPHONES]
for name in OF_DETECT:
    flags.declare_key_flag(name)
OF_RUNS = ("snr_db", "noise_dir", "corruptions", "data_dir", "cache_dir", *OF_MICROPHONES)
OF_EVENTS = ("recordings", "detected", "collar", "offsets", "segment_seconds", "psds", *OF_DETECT, *OF_MICROPHONES)


def main(argv):
    """Evaluate, and print the table per class."""
    del argv
    for name in OF_EVENTS if EVENTS.value is None else OF_RUNS:
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is of no use {'without' if EVENTS.value is None else 'with'} --events")
    if EVENTS.value is not None:
        return _events()
    if RUN_DIR.value is None:
        raise InputError(
            "say which run: python -m urbansound.evaluate --run_dir=FOLDER; or which events: --events=TABLE "
            "--recordings=FOLDER"
        )
    snr_db = _snr_db()
    from urbansound.inference.evaluation import evaluate
    from urbansound.report.tables import metrics_table, robustness_lines
    from urbansound.run import Run

    run = Run.open(RUN_DIR.value, setting_flags.places_from(flags.FLAGS))
    print(metrics_table(evaluate(run, snr_db, NOISE_DIR.value, CORRUPTIONS.value)))
    if snr_db or CORRUPTIONS.value:
        print(f"\n{robustness_lines(run.robustness)}")
    print(f"\nreport: {shown(run.file('report.html'))}")


def _events():
    """Detect where a model is given, measure, print and write events_metrics.json; detect's exit code."""
    model, out = detect.MODEL.value or RUN_DIR.value, detect.OUT.value
    if RECORDINGS.value is None or (DETECTED.value is None) == (model is None) or (model and out is None):
        raise InputError(
            "say which recordings, and what was detected in them or by which model it is to be: --recordings=FOLDER "
            "with --detected=FOLDER, or with --model=M --out=FOLDER"
        )
    collars = _numbers(COLLAR.value)
    if not collars or not all(0 <= collar < math.inf for collar in collars):  # false for NaN
        raise InputError(f"collar must be seconds with commas between. Received: {','.join(COLLAR.value)}")
    from urbansound.files import check_folder, write_json
    from urbansound.inference import event_evaluation
    from urbansound.report import psds
    from urbansound.report.event_metrics import as_report

    if out is not None:
        check_folder(out, "--out")
    if PSDS.value:
        psds.package()  # before anything is detected
    known, detected, code = event_evaluation.Known.read(EVENTS.value, RECORDINGS.value), DETECTED.value, 0
    if detected is None:
        detected, formats = out, [*detect.FORMAT.value, "csv", *["scores"] * PSDS.value]
        code = detect.recordings([RECORDINGS.value], model, out, formats)
    figures = event_evaluation.measure(known, detected, collars, SEGMENT_SECONDS.value, OFFSETS.value, PSDS.value)
    folder = out or (detected if os.path.isdir(detected) else os.path.dirname(detected))
    write_json(os.path.join(folder, "events_metrics.json"), figures)
    if unknown := figures["unknown_labels"]:
        text = (
            f"{EVENTS.value}: labels that are no class and were not detected: {', '.join(unknown)}; are they misspelt?"
        )
        print(shown(text), file=sys.stderr)
    print(as_report(figures))
    print(f"\nmetrics: {shown(os.path.join(folder, 'events_metrics.json'))}")
    return code


def _numbers(texts):
    try:
        return [float(text) for text in texts]
    except ValueError:
        return [math.nan]


def _snr_db():
    levels = _numbers(SNR_DB.value)
    if not all(abs(level) <= MAX_DB for level in levels):  # false for NaN
        raise InputError(
            f"snr_db must be numbers from -{MAX_DB:g} to {MAX_DB:g} with commas between. "
            f"Received: {','.join(SNR_DB.value)}"
        )
    if NOISE_DIR.value is not None and not levels:
        raise InputError("--noise_dir needs to know how loud: pass --snr_db=20,10,0")
    return levels


if __name__ == "__main__":
    command.run(main)
