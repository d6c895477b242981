"""Which clips a data set has, with their labels, folds and recordings, and the checks that all data sets share.

No audio is opened here. The data sets themselves are in `datasets/`.
"""

import dataclasses
import unicodedata
from pathlib import Path

import pandas as pd

from urbansound.data import audio_files, splits
from urbansound.errors import InputError
from urbansound.targets import MULTILABEL, SEPARATOR, SINGLE, Targets

COLUMNS = ("path", "label", "fold", "recording", "salience")
MISSING_COUNTED = 100  # clips; a table with another column in the place of paths may have millions
NO_LABEL = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: controls, bytes that are not UTF-8, ends of lines


@dataclasses.dataclass(frozen=True)
class Catalog:
    """The clips of one data set.

    Attributes:
      clips: DataFrame, a row per clip: path (str), label (str, see `targets`), fold (int64, from 1), recording
        (str; clips of one recording are never split between training and test), salience (Int64:
        1 foreground, 2 background, NA where the data set does not say).
      class_names: labels in the order of the model's scores.
      name: of the data set.
      passed_over: what its folder holds besides (`audio_files.Found.summary`).
      targets: what a label says.
    """

    clips: pd.DataFrame
    class_names: tuple[str, ...]
    name: str
    passed_over: str = ""
    targets: Targets = SINGLE

    def with_targets(self, targets):
        """The catalog whose labels are read as `targets` has it.

        Raises:
          InputError: a table names several classes for a clip, or a class's name would be read as several.
        """
        if targets is self.targets:
            return self
        if self.targets is MULTILABEL:
            raise InputError("the table has a column labels, several classes for a clip: pass --targets=multilabel")
        if split := [name for name in self.class_names if SEPARATOR in name]:
            raise InputError(
                f"class {split[0]!a} holds a '{SEPARATOR}', which stands between labels with --targets=multilabel; "
                "rename it"
            )
        return dataclasses.replace(self, targets=targets)


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


def ordered_names(source, labels, numbers):
    """Distinct labels in the order of their class numbers, as a list.

    Args:
      source: table that they come from, for messages.
      labels: Series of str; its index is the row in `source`.
      numbers: Series of int64 with the same index.

    Raises:
      InputError: one number has two labels, or one label two numbers.
    """
    for left, right in ((numbers, labels), (labels, numbers)):
        first = right.groupby(left).transform("first")
        other = right.index[right != first]
        if len(other):
            row, value = other[0], left[other[0]]
            raise InputError(
                f"{source}: {left.name} {value} has {right.name} {first[row]} in row {left.index[left == value][0]} "
                f"and {right[row]} in row {row}; give it one {right.name}"
            )
    return list(dict.fromkeys(labels[numbers.sort_values(kind="stable").index]))


def check_classes(source, clips, class_names, targets=SINGLE):
    """Raise InputError, with the name `source`, for class names that can't be told apart or be used.

    That is: fewer than two, control characters in one, two that differ only in how they are written, one without a
    clip.
    """
    if len(class_names) < 2:
        raise InputError(f"{source}: {len(class_names)} class found where two are needed at least")
    labels, spellings = {name for label in set(clips.label) for name in targets.names(label)}, {}
    for name in class_names:
        if any(unicodedata.category(character) in NO_LABEL for character in name):
            raise InputError(f"{source}: class {name!a} holds control characters or is not UTF-8; rename it")
        other = spellings.setdefault(_spelling(name), name)
        if other != name:
            raise InputError(
                f"{source}: classes {other!a} and {name!a} differ only in capitals, spaces or the coding of a letter; "
                "give them one name, or names that differ"
            )
        if name not in labels:
            raise InputError(f"{source}: class '{name}' has no clip; add some, or remove the class")


def _spelling(name):
    """What names that people take for one have in common: no capitals, composed letters, no invisible characters."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(character for character in folded if unicodedata.category(character) != "Cf")
    return " ".join(visible.split())


def checked(name, source, clips, class_names, folds=(), bad_clips="fail", targets=SINGLE):
    """The Catalog of `clips`, each a file of its own.

    Args:
      name: of the data set.
      source: table or folder that they come from, for messages.
      clips: DataFrame of COLUMNS; its index, named row, is the row in `source`, where that is a table. Without the
        column fold, `splits.assign_folds` assigns five.
      class_names: labels in the order of the model's scores.
      folds: only these; empty: all.
      bad_clips: "fail", or "skip": clips whose file is not there stay in, and `prepare.find` lists them.
      targets: what a label says.

    Raises:
      InputError: a fold that does not exist, a file that is not there, one file under two names, what
        `check_classes` refuses.
    """
    if "fold" not in clips:
        check_classes(source, clips, class_names, targets)
        check_files(source, clips, bad_clips)  # before what takes a while for a million of clips
        clips = clips.assign(fold=splits.assign_folds(clips, targets=targets))
    existing = sorted(clips.fold.unique())
    unknown = [fold for fold in folds if fold not in existing]
    if unknown:
        raise InputError(f"{source}: no fold {unknown[0]}; the folds are {', '.join(map(str, existing))}")
    clips = clips[clips.fold.isin(folds)] if folds else clips
    check_classes(f"{source}, folds {','.join(map(str, folds))}" if folds else source, clips, class_names, targets)
    check_files(source, clips, bad_clips)
    clips = clips.astype({"path": str, "label": str, "fold": "int64", "recording": str, "salience": "Int64"})
    return Catalog(clips[list(COLUMNS)].reset_index(drop=True), tuple(class_names), name, targets=targets)


def check_files(source, clips, bad_clips="fail"):
    """Raise InputError for a clip (columns path, label) whose file is another's too or, unless "skip", is not there."""
    missing, rows = [], {}
    for row, path in clips.path.items():
        file = audio_files.identity(path)
        if file is None:
            missing.append(row)
            if bad_clips == "fail" and len(missing) == MISSING_COUNTED:
                break
        elif (first := rows.setdefault(file, row)) != row:
            raise InputError(_same_file(source, clips.loc[[first, row]]))
    if missing and bad_clips == "fail":
        number = f"{len(missing)}{' or more' if len(missing) == MISSING_COUNTED else ''} of {len(clips)}"
        raise InputError(
            f"{clips.path[missing[0]]}: no such file ({source}{_rows(clips, missing[:1])}; {number} clips are "
            "missing); put it there, remove its row, or pass --bad_clips=skip or --folds=… of those that are complete"
        )


def _same_file(source, pair):
    (first, second), labels = pair.path, pair.label.unique()
    under = f", under the labels {' and '.join(labels)}" if len(labels) > 1 else ""
    return f"{source}{_rows(pair, pair.index)}: {first} and {second} are the same file{under}; remove one"


def _rows(clips, rows):
    """': row 3' or ': rows 3, 5' of clips that come from a table; '' of others."""
    if clips.index.name != "row":
        return ""
    return f": row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"
