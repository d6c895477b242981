"""The data sets by name.

To add one: a file with its record, DATASET, and its name in MODULES. From another package: an entry point of
the group GROUP that names the record (BUILD_NOTES.md, "How to add").
"""

from urbansound.data.datasets.record import NEEDS
from urbansound.errors import InputError
from urbansound.registry import Registry

MODULES = ("synthetic", "urbansound8k", "esc50", "esc10", "folder", "csv")
GROUP = "urbansound.datasets"
_REGISTRY = Registry("dataset", GROUP, {name: f"urbansound.data.datasets.{name}:DATASET" for name in MODULES})
names, dataset = _REGISTRY.names, _REGISTRY.get


def downloadable():
    """Names of the data sets that have an archive; imports all of them."""
    return tuple(name for name in names() if dataset(name).archive is not None)


def check(config):
    """Raise InputError where a DataConfig names no data set or lacks the setting that its data set needs."""
    needs = dataset(config.dataset).needs
    if needs is not None and getattr(config, needs) is None:
        raise InputError(f"--dataset={config.dataset} needs {NEEDS[needs]}")


def load(config):
    """The Catalog that a DataConfig asks for; synthetic clips are made first where they are not there.

    Raises:
      InputError: as `check`; the data set or one of its files is not there, a table is faulty, a class is
        empty, fewer than two classes.
    """
    check(config)
    return dataset(config.dataset).load(config)
