"""Which clips a data set has, with their labels, folds and recordings, and the checks that all data sets share.

No audio is opened here. The data sets themselves are in `datasets/`.
"""

import dataclasses
import os
from pathlib import Path

import pandas as pd

from urbansound.data import table
from urbansound.errors import InputError

COLUMNS = ("path", "label", "fold", "recording", "salience")
# What libsndfile decodes, by ending.
AUDIO_ENDINGS = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".voc", ".sph"),
)


@dataclasses.dataclass(frozen=True)
class Catalog:
    """The clips of one data set.

    Attributes:
      clips: DataFrame, a row per clip: path (str), label (str), fold (int64, from 1), recording
        (str; clips of one recording are never split between training and test), salience (Int64:
        1 foreground, 2 background, NA where the data set does not say).
      class_names: labels in the order of the model's scores.
      name: of the data set.
    """

    clips: pd.DataFrame
    class_names: tuple[str, ...]
    name: str


def find_root(data_dir, names, metadata, dataset):
    """The folder of a data set.

    Args:
      data_dir: the folder itself or the one around it.
      names: names that the folder may have in data_dir.
      metadata: path in the folder of the table that marks it.
      dataset: what --dataset of the download command calls it.

    Returns:
      The first of data_dir/NAME and data_dir that holds `metadata`, as a Path.

    Raises:
      InputError: there is none.
    """
    places = [*(Path(data_dir) / name for name in names), Path(data_dir)]
    for place in places:
        if (place / metadata).is_file():
            return place
    for place in places:
        if (place / "audio").is_dir():
            raise InputError(f"{place / metadata}: no such file; take it from the data set's archive")
    raise InputError(
        f"{data_dir}: no {names[0]} in it; pass --data_dir=FOLDER, or get it by "
        f"python -m urbansound.download --dataset={dataset} --data_dir={data_dir}"
    )


def ordered_names(labels, numbers):
    """Distinct `labels` (Series of str) in the order of their class `numbers` (Series of int64), as a list."""
    return list(dict.fromkeys(labels[numbers.sort_values(kind="stable").index]))


def check_classes(source, clips, class_names):
    """Raise InputError, with the name `source`, where there are fewer than two classes or one has no clip."""
    if len(class_names) < 2:
        raise InputError(f"{source}: {len(class_names)} class found where two are needed at least")
    for name in class_names:
        if not name.isprintable():
            raise InputError(f"{source}: class {name!r} is more than one line of text; rename it")
        if name not in set(clips.label):
            raise InputError(f"{source}: class '{name}' has no clip; add some, or remove the class")


def checked(name, source, clips, class_names, folds=()):
    """The Catalog of `clips`, of which all files are there.

    Args:
      name: of the data set.
      source: table or folder that they come from, for messages.
      clips: DataFrame of COLUMNS; its index is the row in `source`.
      class_names: labels in the order of the model's scores.
      folds: only these; empty: all.

    Raises:
      InputError: a fold that does not exist, a file twice, a file that is not there, fewer than two
        classes, a class without a clip.
    """
    existing = sorted(clips.fold.unique())
    unknown = [fold for fold in folds if fold not in existing]
    if unknown:
        raise InputError(f"{source}: no fold {unknown[0]}; the folds are {', '.join(map(str, existing))}")
    table.check_paths(source, clips)
    clips = clips[clips.fold.isin(folds)] if folds else clips
    check_classes(f"{source}, folds {','.join(map(str, folds))}" if folds else source, clips, class_names)
    missing = clips[[not os.path.isfile(path) for path in clips.path]]
    if len(missing):
        raise InputError(
            f"{missing.path.iloc[0]}: no such file ({source}: row {missing.index[0]}; {len(missing)} of {len(clips)} "
            "clips are missing); put it there, remove its row, or pass --folds=… of those that are complete"
        )
    clips = clips.astype({"path": str, "label": str, "fold": "int64", "recording": str, "salience": "Int64"})
    return Catalog(clips[list(COLUMNS)].reset_index(drop=True), tuple(class_names), name)


def find_files(paths):
    """Audio files among `paths`: a file as it is, a folder's by their endings, through its sub-folders.

    Raises:
      InputError: a path that does not exist, or nothing found at all.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO_ENDINGS and file.is_file())
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    if not files:
        raise InputError(f"no audio files ({' '.join(AUDIO_ENDINGS)}) in {', '.join(map(str, paths))}")
    return [str(file) for file in files]
