"""From settings to clips that are known to be readable: catalog, decoding into the cache, split."""

import os
import sys

import pandas as pd

from urbansound.data import audio_files, cache, catalog, datasets, noise, splits
from urbansound.errors import InputError
from urbansound.progress import bar
from urbansound.text import shown


def prepare(config):
    """Find the clips and the recordings of noise, decode those that the cache lacks, split the clips.

    What the data set's folder holds besides clips is counted on stderr.

    Args:
      config: a Config.

    Returns:
      (class_names, clips, skipped): class names in the order of the scores; the catalog's table with
      a column split; a table of path and fault of the clips left out by bad_clips="skip".

    Raises:
      InputError: as the catalog, the cache, the split and `noise.load` do; a clip that can't be decoded where
        bad_clips is "fail", or none that can; the same bytes in two classes, or on two sides of a
        split that keeps recordings apart.
    """
    if config.augment.noise_probability > 0 and config.augment.noise_dir is not None:
        noise.check(config.augment.noise_dir, config.audio.sample_rate, config.data.cache_dir)
    found = datasets.load(config.data)
    if found.passed_over:
        print(shown(f"{config.data.data_dir}: {found.passed_over}"), file=sys.stderr)
    splits.check_folds(found.clips, config.data)
    entries, faults = _decode(found.clips.path, config)
    if len(faults) and config.data.bad_clips == "fail":
        others = f" ({len(faults) - 1} more clips have faults)" if len(faults) > 1 else ""
        raise InputError(f"{_first(faults)}; remove it or pass --bad_clips=skip{others}")
    if len(faults) == len(found.clips):
        raise InputError(f"none of the {len(faults)} clips can be decoded; the first: {_first(faults)}")
    # A run is read back from anywhere, so its paths are whole.
    table = found.clips.assign(path=[os.path.abspath(path) for path in found.clips.path])
    readable = table[[entry is not None for entry in entries]].reset_index(drop=True)
    clips = splits.split(catalog.Catalog(readable, found.class_names, found.name), config.data, config.train.seed)
    check_same_bytes(clips, config.data.split)
    return found.class_names, clips, faults


def check_same_bytes(clips, split):
    """Raise InputError for files of the same bytes that would be learned as two classes, or trained on and tested on.

    Args:
      clips: DataFrame with path, label and split.
      split: of a DataConfig; a random one has slices of one recording on both sides anyway.
    """
    used = clips[clips.split != splits.LEFT_OUT]
    try:
        groups = audio_files.same_bytes(used.path.tolist())
    except OSError as error:
        raise InputError(f"{error.filename}: can't be read ({error.strerror}); start again") from None
    advice = {"label": "remove one"}
    if split != "random":
        advice["split"] = "remove one, or make them one recording"
    apart = [(used.iloc[rows].drop_duplicates(column), column) for rows in groups for column in advice]
    apart = [(alike, column) for alike, column in apart if len(alike) > 1]
    if apart:
        alike, column = apart[0]
        (first, second), values = alike.path.iloc[:2], " and ".join(alike[column].iloc[:2])
        others = f" ({len(apart) - 1} more such faults)" if len(apart) > 1 else ""
        raise InputError(f"{first} and {second} hold the same bytes, as {column} {values}; {advice[column]}{others}")


def cache_entries(paths, config):
    """Cache files of `paths`, decoded now where the cache lacks them.

    Raises:
      InputError: a clip is gone or can't be decoded any more.
    """
    paths = list(paths)
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise InputError(
            f"{missing[0]}: no such file ({len(missing)} of {len(paths)} clips are missing); put it back, or say by "
            "--data_dir=FOLDER where the clips lie now"
        )
    entries, faults = _decode(paths, config)
    if len(faults):
        raise InputError(_first(faults))
    return entries


def _first(faults):
    return f"{faults.path.iloc[0]}: {faults.fault.iloc[0]}"


def _decode(paths, config):
    """What `cache.fill` returns, also of paths that it can't take."""
    paths = list(paths)
    faults = {i: fault for i, path in enumerate(paths) if (fault := _fault(path))}
    possible = [i for i in range(len(paths)) if i not in faults]
    with bar("decoding clips") as on_progress:
        filled, broken = cache.fill(
            [paths[i] for i in possible], config.audio.sample_rate, config.data.cache_dir, on_progress
        )
    entries = dict(zip(possible, filled, strict=True))
    faults |= dict(zip([i for i in possible if entries[i] is None], broken.fault, strict=True))
    rows = [(audio_files.as_text(paths[i]), faults[i]) for i in sorted(faults)]
    return [entries.get(i) for i in range(len(paths))], pd.DataFrame(rows, columns=["path", "fault"])


def _fault(path):
    """Why no clip can be at `path`; None where one can."""
    if audio_files.identity(path) is None:
        return "no such file"
    whole = os.path.abspath(path)
    return None if whole == audio_files.as_text(whole) else "its path is not UTF-8"


def counts(clips):
    """Clips and recordings per split, as a DataFrame for people."""
    return pd.DataFrame({"clips": clips.split.value_counts(), "recordings": clips.groupby("split").recording.nunique()})
