"""Turn a trained run into the files that phones, microcontrollers and TF Serving run, each measured on its test clips.

python -m export --run_dir=runs/… --out=exports/…
"""

from absl import flags, logging

from export import formats
from urbansound import command
from urbansound import flags as setting_flags
from urbansound.errors import InputError
from urbansound.text import shown

setting_flags.define_places()
flags.adopt_module_key_flags(setting_flags)
RUN_DIR = flags.DEFINE_string("run_dir", None, "directory of the trained run")
OUT = flags.DEFINE_string("out", None, "folder of the export; must not exist yet")
WANTED = flags.DEFINE_list(
    "formats", None, f"which of {', '.join(formats.names())}; default: all that the model can be made"
)
NAME = flags.DEFINE_string("name", "urbansound", "what the model is called in file names and requests")
WINDOW_SECONDS = flags.DEFINE_float(
    "window_seconds", None, "length of the windows that the files take; default: the run's clips"
)
WINDOW_HOP_SECONDS = flags.DEFINE_float(
    "window_hop_seconds", None, "longer audio, in the SavedModel: from one window to the next; default: half a window"
)
MAX_ACCURACY_DROP = flags.DEFINE_float(
    "max_accuracy_drop",
    0.5,
    "percentage points on the test clips that a file may lose, or it is not kept",
)


def main(argv):
    """Export, then say what was kept."""
    del argv
    if RUN_DIR.value is None or OUT.value is None:
        raise InputError("say which run and where to: python -m export --run_dir=FOLDER --out=FOLDER")
    unknown = set(WANTED.value or ()) - set(formats.names())
    if unknown or WANTED.value == []:
        raise InputError(f"formats must be some of {', '.join(formats.names())}. Received: {','.join(WANTED.value)}")
    # TensorFlow takes seconds to load: after the flags, so that a bad one answers at once.
    from export import exporting
    from urbansound.inference.classifier import Classifier
    from urbansound.run import Run

    logging.set_verbosity(logging.WARNING)  # TensorFlow tells of every file that it saves
    run = Run.open(RUN_DIR.value, setting_flags.places_from(flags.FLAGS))
    classifier = Classifier.from_run(run, WINDOW_SECONDS.value, WINDOW_HOP_SECONDS.value)
    chosen = formats.chosen(WANTED.value, classifier)
    exporting.export(run, classifier, OUT.value, NAME.value, chosen, MAX_ACCURACY_DROP.value)
    print(f"\nexport: {shown(OUT.value)}, report: {shown(OUT.value)}/report.md")


if __name__ == "__main__":
    command.run(main)
