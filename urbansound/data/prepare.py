"""From settings to clips that are known to be readable: catalog, decoding into the cache, split."""

import dataclasses
import os
import sys

import pandas as pd

from urbansound import targets
from urbansound.data import audio_files, cache, catalog, datasets, noise, splits, unlabelled
from urbansound.errors import InputError
from urbansound.progress import bar
from urbansound.text import shown

ALONE = (
    "every clip counts as a recording of its own; clips that were cut from one recording need a folder or, in a table, "
    "a name in the column recording that says so, or the accuracy is too high"
)


@dataclasses.dataclass(frozen=True)
class Decoded:
    """The clips of a data set, decoded.

    Attributes:
      catalog: Catalog of those that can be decoded, paths absolute.
      bytes: int64 [clips], sizes of their files.
      alike: lists of two or more places in the catalog, of files that hold the same bytes.
      skipped: DataFrame of path and fault of the others.
    """

    catalog: catalog.Catalog
    bytes: list[int]
    alike: list[list[int]]
    skipped: pd.DataFrame


def prepare(config):
    """Find the clips and split them, see `find` and `split`."""
    return split(find(config), config)


def find(config):
    """Find the clips, the recordings of noise and those without labels, and decode those that the cache lacks.

    What the folders hold besides sounds is counted on stderr.

    Args:
      config: a Config.

    Returns:
      A Decoded.

    Raises:
      InputError: as the catalog, the cache, `splits.check_folds`, `noise.load` and `unlabelled` do; a clip that
        can't be decoded where bad_clips is "fail", or none that can.
    """
    if config.augment.uses_noise and config.augment.noise_dir is not None:
        noise.check(config.augment.noise_dir, config.audio.sample_rate, config.data.cache_dir)
    without_labels, passed_over = unlabelled.recordings(config)
    if passed_over:
        print(shown(f"{config.distill.unlabelled_dir}: {passed_over}"), file=sys.stderr)
    unlabelled.windows(without_labels, config)
    found = datasets.load(config.data).with_targets(targets.of(config.model.targets))
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
    paths = readable.path.tolist()
    try:
        sizes, alike = list(map(os.path.getsize, paths)), audio_files.same_bytes(paths)
    except OSError as error:
        raise InputError(f"{error.filename}: can't be read ({error.strerror}); start again") from None
    return Decoded(dataclasses.replace(found, clips=readable), sizes, alike, faults)


def split(found, config):
    """Split the clips of a Decoded.

    Returns:
      (class_names, clips, skipped): class names in the order of the scores; the catalog's table with the columns
      split and bytes; a table of path and fault of the clips left out by bad_clips="skip".

    Raises:
      InputError: as `splits.split` does; the same bytes in two classes, or on two sides of a split that keeps
        recordings apart.
    """
    clips = splits.split(found.catalog, config.data, config.train.seed).assign(bytes=found.bytes)
    _check_alike(clips, found.alike, config.data.split)
    return found.catalog.class_names, clips, found.skipped


def _check_alike(clips, alike, kind):
    """Raise InputError for files of the same bytes that would be learned as two classes, or trained on and tested on.

    A random split has slices of one recording on both sides anyway.
    """
    advice = {"label": "remove one"}
    if kind != "random":
        advice["split"] = "remove one, or make them one recording"
    groups = [clips.iloc[places] for places in alike]
    groups = [group[group.split != splits.LEFT_OUT] for group in groups]
    apart = [(group.drop_duplicates(column), column) for group in groups for column in advice]
    apart = [(group, column) for group, column in apart if len(group) > 1]
    if apart:
        group, column = apart[0]
        (first, second), values = group.path.iloc[:2], " and ".join(group[column].iloc[:2])
        others = f" ({len(apart) - 1} more such faults)" if len(apart) > 1 else ""
        raise InputError(f"{first} and {second} hold the same bytes, as {column} {values}; {advice[column]}{others}")


def cache_entries(clips, config):
    """Cache files of clips of a run, decoded now where the cache lacks them.

    Args:
      clips: DataFrame with path and, but for older runs, bytes.
      config: the run's Config.

    Raises:
      InputError: as `check_clips`; a clip can't be decoded any more.
    """
    check_clips(clips, config)
    entries, faults = _decode(clips.path, config)
    if len(faults):
        raise InputError(_first(faults))
    return entries


def clips_of(run, split):
    """(clips, entries, targets) of one split: rows of the run's table, cache files, float32 [clips, classes].

    Raises:
      InputError: a clip is gone or can't be decoded any more.
    """
    clips = run.clips  # which reads and checks a file each time
    clips = clips[clips.split == split].reset_index(drop=True)
    return clips, cache_entries(clips, run.config), run.targets.matrix(clips.label, run.class_names)


def check_clips(clips, config):
    """Raise InputError where a clip of a run is gone, or has another size than when the run was made."""
    paths = clips.path.tolist()
    missing = [path for path in paths if not os.path.isfile(path)]
    cache_dir = os.path.join(os.path.abspath(config.data.cache_dir), "")
    if missing and datasets.dataset(config.data.dataset).made_up and missing[0].startswith(cache_dir):
        datasets.load(config.data)  # made again: they lay in the cache, which may be deleted
        missing = [path for path in missing if not os.path.isfile(path)]
    if missing:
        raise InputError(
            f"{missing[0]}: no such file ({len(missing)} of {len(paths)} clips are missing); put it back, or say by "
            "--data_dir=FOLDER where the clips lie now"
        )
    sizes = zip(paths, clips.get("bytes", ()), strict=False)
    changed = [path for path, size in sizes if os.path.getsize(path) != size]
    if changed:
        raise InputError(
            f"{changed[0]}: has another size than when the run was made ({len(changed)} of {len(paths)} clips have); "
            "put the old one back, or start a new run"
        )


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
    faults |= {possible[place]: fault for place, fault in broken.items()}
    rows = [(audio_files.as_text(paths[i]), faults[i]) for i in sorted(faults)]
    return [entries.get(i) for i in range(len(paths))], pd.DataFrame(rows, columns=["path", "fault"])


def _fault(path):
    """Why no clip can be at `path`; None where one can."""
    if audio_files.identity(path) is None:
        return "no such file"
    whole = os.path.abspath(path)
    return None if whole == audio_files.as_text(whole) else "its path is not UTF-8"


def say_if_alone(clips):
    """Say on stderr where each clip of a run's table counts as a recording of its own."""
    if clips.recording.is_unique:
        print(ALONE, file=sys.stderr)


def counts(clips):
    """Clips and recordings per split, as a DataFrame for people."""
    return pd.DataFrame({"clips": clips.split.value_counts(), "recordings": clips.groupby("split").recording.nunique()})
