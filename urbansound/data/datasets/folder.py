"""Clips of one's own: a folder per class."""

import os
from pathlib import Path

import pandas as pd

from urbansound.data import catalog, splits
from urbansound.data.datasets.record import DataSet
from urbansound.errors import InputError

# Sound that libsndfile does not decode; a line names such a file where it would be missed without a word.
FOREIGN_ENDINGS = (".m4a", ".aac", ".mp4", ".wma", ".amr", ".3gp", ".webm", ".mka", ".ac3", ".ape", ".wv")


def read(data_dir, folds=()):
    """The Catalog of a folder per class, with clips in any format that libsndfile reads.

    A clip CLASS/x.wav is a recording of its own; the clips of a folder inside CLASS are one
    recording. Folds, five, are assigned by `splits.assign_folds`. Hidden files are passed over, and
    so are files that are no sound.

    Args:
      data_dir: the folder of class folders.
      folds: only these; empty: all.

    Raises:
      InputError: as `datasets.load`; a sound file outside the class folders, or in a format that
        libsndfile doesn't read.
    """
    root = Path(data_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; pass --data_dir=FOLDER with a folder of clips per class")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    paths = _sounds(root)
    parts = [path.relative_to(root).parts for path in paths]
    for path in paths:
        if path.parent == root:
            raise InputError(f"{path}: outside the class folders; move it into the one of its class")
    clips = pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "label": [part[0] for part in parts],
            "recording": [
                "/".join(part[:-1]) if len(part) > 2 else f"{part[0]}/{Path(part[1]).stem}" for part in parts
            ],
            "salience": pd.NA,
        },
        dtype=object,
    )
    catalog.check_classes(root, clips, names)
    return catalog.checked("folder", root, clips.assign(fold=splits.assign_folds(clips)), names, folds)


def _sounds(root):
    """Paths of all sound files under `root`, in alphabetical order."""
    found = []
    for base, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(base, name) for name in files if not name.startswith(".")]
    for path in found:
        if path.suffix.lower() in FOREIGN_ENDINGS:
            raise InputError(f"{path}: libsndfile reads no {path.suffix} files; convert it to FLAC or WAV")
    return sorted(path for path in found if path.suffix.lower() in catalog.AUDIO_ENDINGS)


DATASET = DataSet(
    name="folder",
    title="your own folder of clips",
    authors="you",
    licence="yours",
    licence_note="this program knows no licence of them: state it here",
    load=lambda config: read(config.data_dir, config.folds),
    needs="data_dir",
)
