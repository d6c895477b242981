"""Clips of one's own: a table."""

import os
from pathlib import Path

import pandas as pd

from urbansound.data import catalog, table
from urbansound.data.datasets.record import DataSet


def read(path, data_dir=None, folds=(), bad_clips="fail"):
    """The Catalog of a table path,label[,fold][,recording][,salience].

    Without fold, `catalog.checked` assigns five; without recording, each clip is one.
    Classes are in alphabetical order.

    Args:
      path: of the CSV file.
      data_dir: what its paths are relative to; None: the file's own folder.
      folds: only these; empty: all.
      bad_clips: see `catalog.checked`.

    Raises:
      InputError: as `datasets.load`.
    """
    rows = table.read(path, ("path", "label"), ("fold", "recording", "salience"))
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
    return catalog.checked("csv", path, clips, sorted(set(rows.label)), folds, bad_clips)


DATASET = DataSet(
    name="csv",
    title="your own table of clips",
    authors="you",
    licence="yours",
    licence_note="this program knows no licence of them: state it here",
    load=lambda config: read(config.csv, config.data_dir, config.folds, config.bad_clips),
    needs="csv",
)
