"""The data sets by name.

To add one: a file with its record, DATASET, and its name in MODULES. From another package: an entry point of
the group GROUP that names the record (BUILD_NOTES.md, "How to add").
"""

import functools
import importlib
from importlib.metadata import entry_points

from urbansound.data.datasets.record import NEEDS
from urbansound.errors import InputError

MODULES = ("synthetic", "urbansound8k", "esc50", "esc10", "folder", "csv")
GROUP = "urbansound.datasets"


def names():
    """Names of all data sets; imports none of them, since pandas and scipy take a second to load."""
    return (*MODULES, *_installed())


def downloadable():
    """Names of the data sets that have an archive; imports all of them."""
    return tuple(name for name in names() if dataset(name).archive is not None)


def dataset(name):
    """The DataSet of that name.

    Raises:
      InputError: there is none.
    """
    if name in MODULES:
        return importlib.import_module(f"urbansound.data.datasets.{name}").DATASET
    if name in _installed():
        return _installed()[name].load()
    raise InputError(f"dataset must be one of {', '.join(names())}. Received: {name}")


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


@functools.cache
def _installed():
    """{name: entry point} of the data sets that other packages bring."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}
