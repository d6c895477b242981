"""Search settings on validation clips; the test fold stays untouched.

python -m urbansound.search --flagfile=configs/urbansound8k.flags --val_fold=none --space=configs/spaces/cnn.toml
"""

from absl import flags

from urbansound import command
from urbansound import flags as setting_flags
from urbansound.text import shown

setting_flags.define()
flags.adopt_module_key_flags(setting_flags)
RUN_DIR = flags.DEFINE_string(
    "run_dir",
    None,
    "directory of the search; the same command on it goes on where it stopped; default: runs/search-DATASET-MODEL-TIME",
)
SPACE = flags.DEFINE_string("space", None, "TOML file of the settings to try and their values", required=True)
TRIALS = flags.DEFINE_integer("trials", 20, "trials there shall be in all, the settings as given first", lower_bound=1)
SPLITS = flags.DEFINE_integer(
    "splits",
    3,
    "runs of a trial, averaged: each has a seed of its own and, with --val_fold=none, validation recordings of its own",
    lower_bound=1,
)
JOBS = flags.DEFINE_integer("jobs", 1, "runs trained at once", lower_bound=1)


def main(argv):
    """Try what is missing, then show the table."""
    del argv
    settings = setting_flags.config_from(flags.FLAGS)
    from urbansound.experiments import trials
    from urbansound.report.tables import in_form, in_words, measure_of

    path = RUN_DIR.value or command.default_run_dir(settings, "search-")
    try:
        found = trials.search(path, settings, SPACE.value, TRIALS.value, SPLITS.value, JOBS.value)
    except KeyboardInterrupt:
        print(f"\nstopped; whole epochs are kept. Go on with the same command and --run_dir={shown(path)}")
        raise
    print(in_form(found.drop(columns="fault"), "table"))
    measure, number = in_words(measure_of(found)), len(found)
    print(f"{measure} is on validation clips, and the best of {number} trials flatters; for the test fold run")
    print(f"python -m urbansound.train with this command's settings, then --flagfile={shown(path)}/best.flags")


if __name__ == "__main__":
    command.run(main)
