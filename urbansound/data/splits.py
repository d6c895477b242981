"""Folds, and the split into training, validation and test clips: whole recordings, but for the random split."""

import hashlib
import itertools

import numpy as np
import pandas as pd

from urbansound.errors import InputError
from urbansound.targets import SINGLE

TRAIN, VALIDATION, TEST = "train", "validation", "test"
LEFT_OUT = "left out"
RANDOM_PARTS = 10
NO_CLASS = ""


def split(catalog, config, seed):
    """Assign every clip to training, validation or test.

    Test is test_fold. Validation is val_fold or, where that is None, whole recordings of the other
    folds: about val_fraction of each class's clips, and at least one recording of each class that
    has two; none if val_fraction is 0. The test fold has no part in that choice.

    A few official recordings lie in two folds (UrbanSound8K five, ESC-50 four, each time as two
    classes). Test keeps such a recording before validation, validation before training; its clips
    elsewhere are left out, so that no recording is on two sides.

    A clip of several classes counts for each of them, and a clip of none for a class of its own.

    With split="random" all of this is set aside: a tenth of each class's shuffled clips is the test, test_fold says
    which one; a clip of several classes counts for the rarest.

    Args:
      catalog: a Catalog.
      config: a DataConfig.
      seed: of the choice of validation recordings, or of the random split.

    Returns:
      The catalog's clips and a column split: "train", "validation", "test" or "left out".

    Raises:
      InputError: test_fold or val_fold does not exist; a class without a training clip; no
        validation clip.
    """
    check_folds(catalog.clips, config)
    if config.split == "random":
        return _split_at_random(catalog, config, seed)
    clips = catalog.clips.assign(split=TRAIN)
    in_test = clips.fold == config.test_fold
    others = clips[~in_test & ~clips.recording.isin(clips.recording[in_test])]
    if not config.validates:
        in_validation = pd.Series(False, clips.index)
    elif config.val_fold is None:
        chosen = _choose_recordings(others, config.val_fraction, seed, catalog.targets)
        in_validation = clips.recording.isin(chosen)
    else:
        in_validation = clips.index.isin(others.index) & (clips.fold == config.val_fold)
    clips.loc[clips.recording.isin(clips.recording[in_validation]), "split"] = LEFT_OUT
    clips.loc[in_validation, "split"] = VALIDATION
    clips.loc[clips.recording.isin(clips.recording[in_test]), "split"] = LEFT_OUT
    clips.loc[in_test, "split"] = TEST
    _check_split(clips, catalog, config)
    return clips


def _split_at_random(catalog, config, seed):
    """The test_fold-th tenth of each class's clips, and at least one, for testing, without regard to recordings."""
    clips = catalog.clips.assign(split=TRAIN)
    generator = np.random.default_rng(seed)
    rarest = _rarest(clips, catalog.targets)
    for name in (*catalog.class_names, NO_CLASS):
        of_class = np.flatnonzero(rarest == name)
        size = max(round(len(of_class) / RANDOM_PARTS), 1)
        shuffled = np.roll(generator.permutation(of_class), -size * (config.test_fold - 1))
        clips.loc[clips.index[shuffled[:size]], "split"] = TEST
    _check_split(clips, catalog, config)
    return clips


def _rarest(clips, targets):
    """Of each clip, the class that fewest clips have: str [clips]."""
    classes = _classes(clips, targets)
    rarest_first = classes.iloc[classes.map(classes.value_counts()).argsort(kind="stable")]
    return rarest_first[~rarest_first.index.duplicated()].loc[clips.index].to_numpy()


def _classes(clips, targets):
    """The classes of clips, a row for each class of each: Series of str with the index of `clips`."""
    return clips.label.map(lambda label: list(targets.names(label)) or [NO_CLASS]).explode()


def check_folds(clips, config):
    """Raise InputError where a DataConfig's test_fold or val_fold is no fold of `clips` or part of a random split."""
    if config.split == "random":
        if config.test_fold > RANDOM_PARTS:
            raise InputError(f"test_fold={config.test_fold}: a random split has parts 1 to {RANDOM_PARTS}; pass one")
        return
    folds = sorted(clips.fold.unique())
    given, pass_ = {"test_fold": config.test_fold, "val_fold": config.val_fold}, {"val_fold": " or --val_fold=none"}
    if wrong := {name: fold for name, fold in given.items() if fold is not None and fold not in folds}:
        said = " and ".join(f"{name}={fold}" for name, fold in wrong.items())
        flags = " and ".join(f"--{name}=FOLD{pass_.get(name, '')}" for name in wrong)
        verb = "does" if len(wrong) == 1 else "do"
        raise InputError(f"{said} {verb} not exist; the folds are {', '.join(map(str, folds))}: pass {flags}")


def assign_folds(clips, n_folds=5, targets=SINGLE):
    """Folds for clips that come without: whole recordings, every class spread as evenly as they allow.

    The largest share of a class goes first, each recording to the fold that has least of its
    classes; equals go by a hash of their names. Neither the order of `clips` nor chance plays a
    part, but a clip more or less may move others.

    Args:
      clips: DataFrame with the columns recording and label.
      n_folds: number of folds; fewer are used where there are fewer recordings.
      targets: what a label says.

    Returns:
      int64 Series with the index of `clips`, folds from 1.
    """
    recordings, shares, classes = _class_shares(clips, targets)
    order = sorted(range(len(shares)), key=lambda row: (-shares[row][1].max(), _hash(recordings[row])))
    held, total = np.zeros([n_folds, classes]), np.zeros(n_folds)
    folds = {}
    for row in order:
        columns, share = shares[row]
        fold = min(range(n_folds), key=lambda fold: (held[fold, columns] @ share, total[fold], fold))
        held[fold, columns] += share
        total[fold] = held[fold].sum()
        folds[recordings[row]] = fold + 1
    return clips.recording.map(folds).astype("int64")


def _class_shares(clips, targets):
    """Of every class, the share of its clips in each recording.

    Returns:
      (recordings, shares, number of classes): the names of the recordings in alphabetical order, and for each the
      (columns int64, shares float64) of the classes that it holds. A table of all recordings by all classes would
      be mostly zeros, and too large where there are thousands of both.
    """
    of_clips = _classes(clips, targets)
    recording, recordings = pd.factorize(clips.recording[of_clips.index], sort=True)
    label, labels = pd.factorize(of_clips, sort=True)
    pairs, counts = np.unique(recording * len(labels) + label, return_counts=True)
    rows, columns = np.divmod(pairs, len(labels))
    shares = counts / np.bincount(label)[columns]
    bounds = np.searchsorted(rows, np.arange(len(recordings) + 1))
    of_each = [(columns[start:end], shares[start:end]) for start, end in itertools.pairwise(bounds)]
    return recordings, of_each, len(labels)


def _hash(name):
    return hashlib.sha256(name.encode()).hexdigest()


def _choose_recordings(clips, fraction, seed, targets):
    """Recordings that hold about `fraction` of each class's clips and leave some of each class.

    In an order drawn from `seed`, first what fits is taken, then what brings the shares closer to
    `fraction` though it is more; then the smallest that will do, for each class without any.
    """
    recordings, shares, classes = _class_shares(clips, targets)
    taken = np.zeros(len(shares), bool)
    held = np.zeros(classes)

    def fits(columns, share):
        return np.all(held[columns] + share <= fraction + 1e-9)

    def comes_closer(columns, share):
        now = held[columns]
        return np.abs(now + share - fraction).sum() < np.abs(now - fraction).sum() - 1e-9

    def leaves_some(columns, share):
        return np.all(held[columns] + share < 1 - 1e-9)

    def take(row):
        columns, share = shares[row]
        taken[row] = True
        held[columns] += share

    order = np.random.default_rng(seed).permutation(len(shares))
    for wanted in (fits, comes_closer):
        for row in order:
            if not taken[row] and wanted(*shares[row]) and leaves_some(*shares[row]):
                take(row)
    holders = [[] for _ in range(classes)]
    for row, (columns, _) in enumerate(shares):
        for column in columns:
            holders[column].append(row)
    for column, rows in enumerate(holders):
        possible = [row for row in rows if leaves_some(*shares[row])] if held[column] == 0 else []
        if possible:
            take(min(possible, key=lambda row: shares[row][1].sum()))
    return recordings[taken]


def _check_split(clips, catalog, config):
    of_clips = _classes(clips, catalog.targets)
    trained = set(of_clips[clips.split[of_clips.index] == TRAIN])
    for name in catalog.class_names:
        if name not in trained:
            count = clips.recording[of_clips.index[of_clips == name]].nunique()
            raise InputError(
                f"class '{name}' has no training clip, since none of its {count} recordings is left for training; add "
                "recordings of it or remove the class"
            )
    if config.validates and not (clips.split == VALIDATION).any():
        raise InputError(
            "no clip is left to validate on: no class has two recordings outside the test fold; "
            "add some, or pass --val_fraction=0"
        )
