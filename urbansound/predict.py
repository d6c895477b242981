"""Classify audio files: a label, its score and the next two per file.

python -m urbansound.predict --run_dir=runs/… clip.wav folder …
"""

import sys

from absl import flags

from urbansound import command
from urbansound.errors import InputError
from urbansound.text import shown

RUN_DIR = flags.DEFINE_string("run_dir", None, "directory of the trained run")
FORMAT = flags.DEFINE_enum("format", "table", ["table", "csv", "jsonl"], "how the answers are printed")
WINDOW_SECONDS = flags.DEFINE_float(
    "window_seconds", None, "longer audio is scored in windows of this length; default: the run's clips"
)
WINDOW_HOP_SECONDS = flags.DEFINE_float(
    "window_hop_seconds", None, "from one window's start to the next's; default: half a window"
)
THRESHOLD = flags.DEFINE_float(
    "threshold",
    None,
    "a file whose score is lower is labelled none of these; 0: never; default: the run's own rule in thresholds.json, "
    "which accepts nine of ten clips of its classes",
    lower_bound=0.0,
    upper_bound=1.0,
)


def main(argv):
    """Print a row per file; files that can't be read go to stderr, and the exit code is then 2."""
    if RUN_DIR.value is None or len(argv) < 2:
        raise InputError("say which run and which files: python -m urbansound.predict --run_dir=FOLDER PATH …")
    from urbansound.data import audio_files
    from urbansound.inference.classifier import Classifier
    from urbansound.inference.files import predict
    from urbansound.report.tables import in_form
    from urbansound.run import Run

    run = Run.open(RUN_DIR.value)
    found = audio_files.find(argv[1:])
    if found.summary:
        print(shown(found.summary), file=sys.stderr)
    classifier = Classifier.from_run(run, WINDOW_SECONDS.value, WINDOW_HOP_SECONDS.value)
    table, faults = predict(classifier, found.files, THRESHOLD.value)
    print(in_form(table, FORMAT.value, sys.stdout.isatty()), end="")
    for row in faults.itertuples():
        print(shown(f"{row.path}: {row.fault}"), file=sys.stderr)
    return 2 if len(faults) else 0


if __name__ == "__main__":
    command.run(main, takes_paths=True)
