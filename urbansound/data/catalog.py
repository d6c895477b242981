"""Which clips a data set has, with their labels, folds and recordings. No audio is opened here."""

import dataclasses
import os
from pathlib import Path

import pandas as pd

from urbansound.data import splits, table
from urbansound.errors import InputError

COLUMNS = ("path", "label", "fold", "recording", "salience")
# What libsndfile decodes, by ending; and sound that it does not, which is better named than passed over.
AUDIO_ENDINGS = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".voc", ".sph"),
)
FOREIGN_ENDINGS = (".m4a", ".aac", ".mp4", ".wma", ".amr", ".3gp", ".webm", ".mka", ".ac3", ".ape", ".wv")


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


def load(config):
    """The Catalog that a DataConfig asks for; its synthetic data set is `urbansound8k` of where that was made.

    Raises:
      InputError: the data set or one of its files is not there, a table is faulty, a class is empty,
        fewer than two classes.
    """
    loaders = {
        "urbansound8k": lambda: urbansound8k(config.data_dir, config.folds),
        "esc50": lambda: esc50(config.data_dir, config.folds),
        "esc10": lambda: esc10(config.data_dir, config.folds),
        "folder": lambda: folder(config.data_dir, config.folds),
        "csv": lambda: csv(config.csv, config.data_dir, config.folds),
    }
    if config.dataset not in loaders:
        raise InputError(f"dataset must be one of {', '.join(loaders)} here. Received: {config.dataset}")
    return loaders[config.dataset]()


def urbansound8k(data_dir, folds=()):
    """UrbanSound8K, or a data set in its layout.

    Args:
      data_dir: the folder UrbanSound8K (audio/foldN/*.wav, metadata/UrbanSound8K.csv) or the one around it.
      folds: these alone; empty: all.

    Raises:
      InputError: as `load`.

    Source: Salamon, Jacoby, Bello 2014, "A Dataset and Taxonomy for Urban Sound Research".
    """
    root = _find(data_dir, ("UrbanSound8K",), "metadata/UrbanSound8K.csv", "urbansound8k")
    source = root / "metadata" / "UrbanSound8K.csv"
    rows = table.read(source, ("slice_file_name", "fsID", "salience", "fold", "classID", "class"))
    fold = table.whole_numbers(source, rows.fold, minimum=1)
    clips = pd.DataFrame(
        {
            "path": [
                str(root / "audio" / f"fold{n}" / name) for n, name in zip(fold, rows.slice_file_name, strict=True)
            ],
            "label": rows["class"],
            "fold": fold,
            "recording": rows.fsID,
            "salience": table.whole_numbers(source, rows.salience, minimum=1, maximum=2),
        }
    )
    names = _ordered_names(rows["class"], table.whole_numbers(source, rows.classID, minimum=0))
    return _catalog("urbansound8k", source, clips, names, folds)


def esc50(data_dir, folds=()):
    """ESC-50.

    Args:
      data_dir: the folder ESC-50 or ESC-50-master (audio/*.wav, meta/esc50.csv) or the one around it.
      folds: these alone; empty: all.

    Raises:
      InputError: as `load`.

    Source: Piczak 2015, "ESC: Dataset for Environmental Sound Classification".
    """
    return _esc("esc50", data_dir, folds)


def esc10(data_dir, folds=()):
    """ESC-10, the ten classes of ESC-50 under a freer licence; arguments and faults as `esc50`."""
    return _esc("esc10", data_dir, folds)


def _esc(name, data_dir, folds):
    root = _find(data_dir, ("ESC-50", "ESC-50-master"), "meta/esc50.csv", "esc50")
    source = root / "meta" / "esc50.csv"
    rows = table.read(source, ("filename", "fold", "target", "category", "esc10", "src_file"))
    if name == "esc10":
        rows = rows[rows.esc10.str.lower() == "true"]
    clips = pd.DataFrame(
        {
            "path": [str(root / "audio" / file) for file in rows.filename],
            "label": rows.category,
            "fold": table.whole_numbers(source, rows.fold, minimum=1),
            "recording": rows.src_file,
            "salience": pd.NA,
        }
    )
    names = _ordered_names(rows.category, table.whole_numbers(source, rows.target, minimum=0))
    return _catalog(name, source, clips, names, folds)


def folder(data_dir, folds=()):
    """A folder per class, with clips in any format that libsndfile reads.

    A clip CLASS/x.wav is a recording of its own; the clips of a folder inside CLASS are one
    recording. Folds, five, are assigned by `splits.assign_folds`. Hidden files are passed over, and
    so are files that are no sound.

    Raises:
      InputError: as `load`; a sound file outside the class folders, or in a format that libsndfile
        doesn't read.
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
    _check_classes(root, clips, names)
    return _catalog("folder", root, clips.assign(fold=splits.assign_folds(clips)), names, folds)


def csv(path, data_dir=None, folds=()):
    """A table path,label[,fold][,recording][,salience] of one's own.

    Without fold, five are assigned by `splits.assign_folds`; without recording, each clip is one.
    Classes are in alphabetical order.

    Args:
      path: of the CSV file.
      data_dir: what its paths are relative to; None: the file's own folder.
      folds: these alone; empty: all.

    Raises:
      InputError: as `load`.
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
    table.check_paths(path, clips)
    clips["fold"] = table.whole_numbers(path, rows.fold, minimum=1) if "fold" in rows else splits.assign_folds(clips)
    table.check_one_fold(path, clips)
    return _catalog("csv", path, clips, sorted(set(rows.label)), folds)


def _find(data_dir, names, metadata, dataset):
    """The first of data_dir/NAME and data_dir itself that holds the file `metadata`."""
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


def _ordered_names(labels, numbers):
    """Distinct labels in the order of their class numbers."""
    return list(dict.fromkeys(labels[numbers.sort_values(kind="stable").index]))


def _sounds(root):
    """Paths of all sound files under `root`, in alphabetical order."""
    found = []
    for base, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(base, name) for name in files if not name.startswith(".")]
    for path in found:
        if path.suffix.lower() in FOREIGN_ENDINGS:
            raise InputError(f"{path}: libsndfile reads no {path.suffix} files; convert it to FLAC or WAV")
    return sorted(path for path in found if path.suffix.lower() in AUDIO_ENDINGS)


def _check_classes(source, clips, class_names):
    if len(class_names) < 2:
        raise InputError(f"{source}: {len(class_names)} class found where two are needed at least")
    for name in class_names:
        if not name.isprintable():
            raise InputError(f"{source}: class {name!r} is more than one line of text; rename it")
        if name not in set(clips.label):
            raise InputError(f"{source}: class '{name}' has no clip; add some, or remove the class")


def _catalog(name, source, clips, class_names, folds):
    """The Catalog of `folds`, all files of which are there; the index of `clips` is the row in `source`."""
    existing = sorted(clips.fold.unique())
    unknown = [fold for fold in folds if fold not in existing]
    if unknown:
        raise InputError(f"{source}: no fold {unknown[0]}; the folds are {', '.join(map(str, existing))}")
    table.check_paths(source, clips)
    clips = clips[clips.fold.isin(folds)] if folds else clips
    _check_classes(f"{source}, folds {','.join(map(str, folds))}" if folds else source, clips, class_names)
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
