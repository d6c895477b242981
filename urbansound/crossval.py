"""Cross-validate: every fold tested once, by models that were not trained on it.

python -m urbansound.crossval --flagfile=configs/urbansound8k.flags --run_dir=runs/us8k
"""

from absl import flags

from urbansound import command
from urbansound import flags as setting_flags
from urbansound.errors import InputError
from urbansound.text import shown

setting_flags.define()
flags.adopt_module_key_flags(setting_flags)
RUN_DIR = flags.DEFINE_string(
    "run_dir",
    None,
    "directory of the runs, one per fold; the same command on it goes on where it stopped; "
    "default: runs/crossval-DATASET-MODEL-TIME",
)
PROTOCOL = flags.DEFINE_enum(
    "protocol",
    "default",
    ["default", "fixed_epochs", "random"],
    "default: the fold after the test fold validates; fixed_epochs: all other folds train and none validates, as many "
    "papers do; random: fixed_epochs, and in addition random splits of the clips, which leak, to show by how much",
)
TEST_FOLDS = flags.DEFINE_list("test_folds", None, "test only these folds, e.g. 1,2; default: every fold in turn")
RANDOM_SPLITS = flags.DEFINE_integer(
    "random_splits",
    None,
    "with --protocol=random: how many, each tests another tenth of the clips; default: one for each tested fold",
    lower_bound=1,
    upper_bound=10,
)
JOBS = flags.DEFINE_integer("jobs", 1, "folds trained at once", lower_bound=1)


def main(argv):
    """Train what is missing, then pool the results."""
    del argv
    settings = setting_flags.config_from(flags.FLAGS)
    from urbansound.experiments import folds
    from urbansound.report.crossval import crossval_table

    path = RUN_DIR.value or command.default_run_dir(settings, "crossval-")
    try:
        results = folds.cross_validate(path, settings, PROTOCOL.value, _test_folds(), RANDOM_SPLITS.value, JOBS.value)
    except KeyboardInterrupt:
        print(f"\nstopped; whole epochs are kept. Go on with the same command and --run_dir={shown(path)}")
        raise
    print(crossval_table(results))
    print(f"\nreport: {shown(path)}/report.html")


def _test_folds():
    try:
        return None if TEST_FOLDS.value is None else [int(fold) for fold in TEST_FOLDS.value]
    except ValueError:
        raise InputError(
            f"test_folds must be whole numbers with commas between. Received: {','.join(TEST_FOLDS.value)}"
        ) from None


if __name__ == "__main__":
    command.run(main)
