"""From settings to clips that are known to be readable: catalog, decoding into the cache, split."""

import os

import pandas as pd

from urbansound.data import cache, catalog, datasets, noise, splits
from urbansound.errors import InputError
from urbansound.progress import bar


def prepare(config):
    """Find the clips and the recordings of noise, decode those that the cache lacks, split the clips.

    Args:
      config: a Config.

    Returns:
      (class_names, clips, skipped): class names in the order of the scores; the catalog's table with
      a column split; a table of path and fault of the clips left out by bad_clips="skip".

    Raises:
      InputError: as the catalog, the cache, the split and `noise.load` do; a clip that can't be decoded where
        bad_clips is "fail".
    """
    if config.augment.noise_probability > 0 and config.augment.noise_dir is not None:
        noise.check(config.augment.noise_dir, config.audio.sample_rate, config.data.cache_dir)
    found = datasets.load(config.data)
    splits.check_folds(found.clips, config.data)
    entries, faults = _decode(found.clips.path, config)
    if len(faults) and config.data.bad_clips == "fail":
        others = f" ({len(faults) - 1} more clips have faults)" if len(faults) > 1 else ""
        raise InputError(f"{_first(faults)}; remove it or pass --bad_clips=skip{others}")
    # A run is read back from anywhere, so its paths are whole.
    table = found.clips.assign(path=[os.path.abspath(path) for path in found.clips.path])
    readable = table[[entry is not None for entry in entries]].reset_index(drop=True)
    clips = splits.split(catalog.Catalog(readable, found.class_names, found.name), config.data, config.train.seed)
    return found.class_names, clips, faults


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
    with bar("decoding clips") as on_progress:
        return cache.fill(list(paths), config.audio.sample_rate, config.data.cache_dir, on_progress)


def counts(clips):
    """Clips and recordings per split, as a DataFrame for people."""
    return pd.DataFrame({"clips": clips.split.value_counts(), "recordings": clips.groupby("split").recording.nunique()})
