"""Make one run of several trained ones: their scores are averaged and measured on their test fold.

python -m urbansound.committee --run_dirs=runs/cnn,runs/crnn --run_dir=runs/both
"""

from absl import flags

from urbansound import command
from urbansound.errors import InputError
from urbansound.text import shown

RUN_DIRS = flags.DEFINE_list("run_dirs", [], "directories of the trained runs, with commas between")
RUN_DIR = flags.DEFINE_string("run_dir", None, "directory of the new run; default: runs/DATASET-committee-TIME")


def main(argv):
    """Combine, then evaluate."""
    del argv
    if len(RUN_DIRS.value) < 2:
        raise InputError("say which runs: python -m urbansound.committee --run_dirs=FOLDER,FOLDER")
    from urbansound.experiments.ensemble import combine, settings_of
    from urbansound.inference.evaluation import evaluate
    from urbansound.report.tables import metrics_table
    from urbansound.run import Run

    runs = [Run.open(path) for path in RUN_DIRS.value]
    settings = settings_of(runs)
    run = combine(runs, settings, RUN_DIR.value or command.default_run_dir(settings))
    print(metrics_table(evaluate(run)))
    print(f"\nreport: {shown(run.file('report.html'))}")


if __name__ == "__main__":
    command.run(main)
