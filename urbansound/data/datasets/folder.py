"""Clips of one's own: a folder per class."""

import dataclasses
import os
import re
from pathlib import Path

import pandas as pd

from urbansound.data import audio_files, catalog, segments
from urbansound.data.datasets.record import DataSet
from urbansound.errors import InputError

# Names of folders that hold a part of the clips of every class.
PART = re.compile(r"(train|training|test|testing|val|valid|validation|dev|eval|evaluation|fold|split|part)[ _-]?\d*")


def read(data_dir, folds=(), bad_clips="fail"):
    """The Catalog of a folder per class, with clips in any format that libsndfile reads.

    A clip CLASS/x.wav is a recording of its own; the clips of a folder inside CLASS are one
    recording. Clips with names as `segments` has them are of the recording in their names, in all
    classes. `audio_files.search` says which files are clips, `catalog.checked` assigns five folds.

    Args:
      data_dir: the folder of class folders.
      folds: only these; empty: all.
      bad_clips: see `catalog.checked`.

    Raises:
      InputError: as `datasets.load`; a sound file outside the class folders, or in a format that
        libsndfile doesn't read; folders such as train/ and test/ in the place of classes.
    """
    root = Path(data_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; pass --data_dir=FOLDER with a folder of clips per class")
    names, found = _search(root)
    _check_no_parts(root, names)
    parts = [Path(path).relative_to(root).parts for path in found.files]
    clips = pd.DataFrame(
        {
            "path": found.files,
            "label": [part[0] for part in parts],
            "recording": [audio_files.as_text(_recording(part)) for part in parts],
            "salience": pd.NA,
        },
        dtype=object,
    )
    checked = catalog.checked("folder", root, clips, names, folds, bad_clips)
    return dataclasses.replace(checked, passed_over=found.summary)


def _recording(parts):
    """The recording of a clip, by the names of its class, of folders, and its own."""
    if recording := segments.recording_of(parts[-1]):
        return recording
    return "/".join(parts[:-1]) if len(parts) > 2 else f"{parts[0]}/{Path(parts[1]).stem}"


def _search(root):
    """(names of the class folders in alphabetical order, audio_files.Found in all of them)."""
    above, classes, others = audio_files.above(root), [], []
    for entry in audio_files.entries(root):
        is_class = os.path.isdir(entry.path) and not entry.name.startswith(".")
        (classes if is_class else others).append(entry)
    found = audio_files.search(others, above)
    if found.files:
        raise InputError(f"{found.files[0]}: outside the class folders; move it into the one of its class")
    for entry in classes:  # each by itself: what lies in two of them is found twice, and refused
        found.add(audio_files.search([entry], above))
    if found.foreign:
        path = found.foreign[0]
        raise InputError(f"{path}: libsndfile reads no {Path(path).suffix} files; convert it to FLAC or WAV")
    return [entry.name for entry in classes], found


def _check_no_parts(root, names):
    found = [name for name in names if PART.fullmatch(name.casefold())]
    if len(found) > 1:  # a single one may be a class: ESC-50 has a class "train"
        raise InputError(
            f"{root}: {', '.join(found)} are parts of a data set and would be learned as classes; move their class "
            "folders together into one folder, or list the clips with their folds in a table for --dataset=csv"
        )


DATASET = DataSet(
    name="folder",
    title="your own folder of clips",
    authors="you",
    licence="yours",
    licence_note="this program knows no licence of them: state it here",
    load=lambda config: read(config.data_dir, config.folds, config.bad_clips),
    needs="data_dir",
)
