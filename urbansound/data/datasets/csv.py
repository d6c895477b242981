"""Clips of one's own: a table."""

import os
from pathlib import Path

import pandas as pd

from urbansound.data import catalog, table
from urbansound.data.datasets.record import DataSet
from urbansound.errors import InputError
from urbansound.targets import MULTILABEL, SEPARATOR, SINGLE


def read(path, data_dir=None, folds=(), bad_clips="fail"):
    """The Catalog of a table path,label[,fold][,recording][,salience], or of one with labels in place of label.

    A cell of labels holds the names of any number of classes with SEPARATOR between, or nothing. Without fold,
    `catalog.checked` assigns five; without recording, each clip is one. Classes are in alphabetical order.

    Args:
      path: of the CSV file.
      data_dir: what its paths are relative to; None: the file's own folder.
      folds: only these; empty: all.
      bad_clips: see `catalog.checked`.

    Raises:
      InputError: as `datasets.load`.
    """
    targets, rows = _read(path)
    root = Path(path).parent if data_dir is None else Path(data_dir)
    clips = pd.DataFrame({"path": [str(root / name) for name in rows.path], "label": rows.label, "salience": pd.NA})
    if "salience" in rows:
        known = rows.salience[rows.salience != ""]
        clips["salience"] = table.whole_numbers(path, known, minimum=1, maximum=2).astype("Int64")
    if "recording" in rows:
        table.check_filled(path, rows.recording)
    clips["recording"] = rows.recording if "recording" in rows else rows.path.map(os.path.normpath)
    if "fold" in rows:
        clips["fold"] = table.whole_numbers(path, rows.fold, minimum=1)
        table.check_one_fold(path, clips)
    names = sorted({name for label in rows.label for name in targets.names(label)})
    return catalog.checked("csv", path, clips, names, folds, bad_clips, targets)


def _read(path):
    """(Targets, rows) of a table; the column label of the rows holds labels of these targets."""
    optional = ("fold", "recording", "salience")
    if "labels" not in table.header(path):
        return SINGLE, table.read(path, ("path", "label"), optional)
    rows = table.read(path, ("path", "labels"), optional, may_be_empty=("labels",))
    return MULTILABEL, rows.assign(label=[_label(path, row, cell) for row, cell in rows.labels.items()])


def _label(path, row, cell):
    """The label in a cell, its names in alphabetical order."""
    names = [name.strip() for name in cell.split(SEPARATOR)] if cell else []
    if "" in names or len(set(names)) < len(names):
        raise InputError(
            f"{path}: row {row}: labels must be different names with {SEPARATOR} between. Received: {cell!a}"
        )
    return SEPARATOR.join(sorted(names))


DATASET = DataSet(
    name="csv",
    title="your own table of clips",
    authors="you",
    licence="yours",
    licence_note="this program knows no licence of them: state it here",
    load=lambda config: read(config.csv, config.data_dir, config.folds, config.bad_clips),
    needs="csv",
)
