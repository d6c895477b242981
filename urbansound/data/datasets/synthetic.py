"""The default data set: clips in the layout of UrbanSound8K that the program computes itself, into the cache."""

from pathlib import Path

from urbansound.data.datasets import urbansound8k
from urbansound.data.datasets.record import DataSet
from urbansound.data.synthetic import LICENCE
from urbansound.progress import bar

SEED = 1  # one data set for all runs, whatever their own seeds


def load(config):
    """The Catalog of the clips in a DataConfig's cache_dir, which are made first where they are not there."""
    from urbansound.data.synthetic import dataset  # brings scipy, which only who makes clips waits for

    with bar("making synthetic clips") as on_progress:
        root = dataset.ensure(Path(config.cache_dir) / "synthetic", SEED, on_progress=on_progress)
    return urbansound8k.read(root, config.folds, name="synthetic")


DATASET = DataSet(
    name="synthetic",
    title="synthetic clips",
    authors="computed by this program",
    licence=LICENCE,
    licence_note="they hold no recording of anything",
    load=load,
    made_up=True,
)
