"""Measure a trained run on its test fold: figures, pictures and the page.

python -m urbansound.evaluate --run_dir=runs/…
python -m urbansound.evaluate --run_dir=runs/… --snr_db=20,10,0 --corruptions
"""

import math

from absl import flags

from urbansound import command
from urbansound import flags as setting_flags
from urbansound.config.sections import MAX_DB
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


def main(argv):
    """Evaluate, and print the table per class."""
    del argv
    if RUN_DIR.value is None:
        raise InputError("say which run: python -m urbansound.evaluate --run_dir=FOLDER")
    snr_db = _snr_db()
    from urbansound.inference.evaluation import evaluate
    from urbansound.report.tables import metrics_table, robustness_lines
    from urbansound.run import Run

    run = Run.open(RUN_DIR.value, setting_flags.places_from(flags.FLAGS))
    print(metrics_table(evaluate(run, snr_db, NOISE_DIR.value, CORRUPTIONS.value)))
    if snr_db or CORRUPTIONS.value:
        print(f"\n{robustness_lines(run.robustness)}")
    print(f"\nreport: {shown(run.file('report.html'))}")


def _snr_db():
    try:
        levels = [float(level) for level in SNR_DB.value]
    except ValueError:
        levels = [math.nan]
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
