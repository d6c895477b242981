"""Classify audio files: a label, its score and the next two per file.

python -m urbansound.predict --model=runs/… clip.wav folder …
python -m urbansound.predict --model=urbansound_int8.tflite --format=csv recordings/
arecord -d 10 -f S16_LE -r 44100 | python -m urbansound.predict --model=runs/… -
"""

import sys

from absl import flags

from urbansound import command
from urbansound.errors import InputError
from urbansound.text import shown

MODEL = flags.DEFINE_string("model", None, "run directory, SavedModel or .tflite file of python -m export")
flags.DEFINE_alias("run_dir", "model")
FORMAT = flags.DEFINE_enum("format", "table", ["table", "csv", "jsonl"], "how the answers are printed")
WINDOW_SECONDS = flags.DEFINE_float(
    "window_seconds", None, "longer audio is scored in windows of this length; default: the model's own"
)
WINDOW_HOP_SECONDS = flags.DEFINE_float(
    "window_hop_seconds", None, "from one window's start to the next's; default: half a window"
)
THRESHOLD = flags.DEFINE_float(
    "threshold",
    None,
    "a file whose score is lower is labelled none of these; 0: never; where a file may be of several classes, it is "
    "labelled with all whose scores are as high; default: the model's own rule, of the run's "
    "thresholds.json, which accepts nine of ten clips of its classes",
    lower_bound=0.0,
    upper_bound=1.0,
)


def main(argv):
    """Print a row per file; files that can't be read go to stderr, and the exit code is then 2."""
    if MODEL.value is None or len(argv) < 2:
        raise InputError("say which model and which files: python -m urbansound.predict --model=M PATH …")
    from urbansound.data import audio_files
    from urbansound.inference.classifier import hop_samples
    from urbansound.inference.files import PLACES, predict
    from urbansound.inference.listeners import STANDARD_INPUT
    from urbansound.inference.scorer import open_model
    from urbansound.report.tables import in_form

    scorer = open_model(MODEL.value, WINDOW_SECONDS.value)
    audio, hop = scorer.described.audio, WINDOW_HOP_SECONDS.value
    hop = hop_samples(audio, audio.clip_seconds / 2 if hop is None else hop)
    files = argv[1:]
    if files != [STANDARD_INPUT]:
        found = audio_files.find(files)
        if found.summary:
            print(shown(found.summary), file=sys.stderr)
        files = found.files
    table, faults = predict(scorer, files, hop, THRESHOLD.value)
    if FORMAT.value == "table":  # whose label may be none of these beside a class of a high score
        table = table.rename(columns={place: f"{place} class" for place in PLACES})
    print(in_form(table, FORMAT.value, sys.stdout.isatty()), end="")
    for row in faults.itertuples():
        print(shown(f"{row.path}: {row.fault}"), file=sys.stderr)
    return 2 if len(faults) else 0


if __name__ == "__main__":
    command.run(main, takes_paths=True)
