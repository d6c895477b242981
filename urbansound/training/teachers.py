"""Trained runs that teach another: which they are, whether they may, what is kept of them."""

import hashlib
import os
from pathlib import Path

import pandas as pd

from urbansound import models
from urbansound.data import audio_files, splits
from urbansound.errors import InputError
from urbansound.files import write_csv
from urbansound.run import Run


def new_run(path, config, class_names, clips, skipped):
    """`Run.create` of a run that may have teachers, which get a table in it.

    Raises:
      InputError: as `Run.create`; a teacher is no trained run, has other classes, or was trained on clips that this run
        is measured on; recordings without labels are such clips, or nobody says what is heard there.
    """
    runs = opened(config, class_names, clips)
    _check_unlabelled(config, clips)
    with Run.creating(path, config, class_names, clips, skipped) as new:
        if runs:
            write_csv(new.file("teachers.csv"), table(runs))
    return Run(path)


def opened(config, class_names, clips):
    """The Runs that a Config names as teachers.

    Args:
      config: of the run that is taught.
      class_names, clips: its classes and its table of clips.

    Raises:
      InputError: one is no run, or may not teach this one.
    """
    return [_opened(Path(path), config, class_names, clips) for path in config.distill.teacher]


def of_run(run):
    """The Runs that teach a run, as `opened`.

    Raises:
      InputError: a model there is not the one that the run began with.
    """
    runs = opened(run.config, run.class_names, run.clips)
    if runs and (run.teachers is None or len(run.teachers) != len(runs)):
        raise InputError(f"{run.path}: was begun with other teachers than the {len(runs)} named; name those")
    for teacher, digest in zip(runs, run.teachers.sha256 if runs else (), strict=True):
        if digest_of(teacher) != digest:
            raise InputError(f"{teacher.path}: holds another model than when {run.path} was begun; put that back")
    return runs


def table(runs):
    """DataFrame of run_dir, architectures, origin, sha256 (of the model) of the Runs of teachers, a row each."""
    rows = [(str(run.path.resolve()), "+".join(run.architectures), origin(run), digest_of(run)) for run in runs]
    return pd.DataFrame(rows, columns=["run_dir", "architectures", "origin", "sha256"])


def origin(run):
    """Whose published weights a run's model starts from, and by whom it was taught, in words; "" for neither."""
    records = [models.architecture(name) for name in run.architectures]
    origins = {record.origin(run.config.model) for record in records if record.origin}
    origins |= set() if run.teachers is None else set(run.teachers.origin)
    return "; ".join(sorted(filter(None, origins)))


def digest_of(run):
    """SHA-256 of a run's model.

    Raises:
      InputError: it has none yet.
    """
    path = run.file("model.keras")
    if not path.is_file():
        raise InputError(f"{run.path}: no model yet, so it can't teach; finish training with --resume")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened(path, config, class_names, clips):
    """The Run at `path`, or the first of a folder of runs that may teach."""
    folders = [file.parent for file in sorted(path.glob("*/config.json"))]
    if (path / "config.json").is_file() or not folders:
        folders = [path]
    runs = [Run.open(folder) for folder in folders]
    faults = [_fault(run, config, class_names, clips) for run in runs]
    if "" not in faults:
        many = f" (the first of {len(runs)} runs)" if len(runs) > 1 else ""
        raise InputError(f"{runs[0].path}{many}: can't teach this run: {faults[0]}")
    return runs[faults.index("")]


def _fault(run, config, class_names, clips):
    """Why a run may not teach another; "" where it may."""
    if sorted(run.class_names) != sorted(class_names):
        return "it has other classes; take a teacher of the same data"
    if run.config.model.targets != config.model.targets:
        return f"it has --targets={run.config.model.targets}; pass the same, or another teacher"
    theirs = run.clips
    for split, kinds in ((splits.TEST, (splits.TRAIN, splits.VALIDATION)), (splits.VALIDATION, (splits.TRAIN,))):
        measured, learned = clips[clips.split == split], theirs[theirs.split.isin(kinds)]
        if known := _known(measured, learned, config.data.split == "random"):
            return (
                f"it was trained on {known} {split} clips of this one, whose accuracy would flatter; "
                "take a teacher with the same --test_fold, --val_fold, --val_fraction and --seed"
            )
    return ""


def _known(measured, learned, clips_alone):
    """How many clips of one table are in another: by path, by recording unless `clips_alone`, or by their bytes."""
    known = measured.path.isin(learned.path)
    if not clips_alone:
        known |= measured.recording.isin(learned.recording)
    others = measured.path[~known].tolist()
    return int(known.sum()) + len(_copies(others, learned.path[learned.path.map(os.path.isfile)].tolist()))


def _copies(paths, others):
    """Those of `paths` whose bytes one of `others` holds, too."""
    groups = audio_files.same_bytes([*paths, *others])
    copied = [place for group in groups if group[-1] >= len(paths) for place in group if place < len(paths)]
    return [paths[place] for place in copied]


def _check_unlabelled(config, clips):
    """Raise InputError where recordings without labels are of no use, or clips that the run is measured on."""
    folder = config.distill.unlabelled_dir
    if folder is None:
        return
    if not config.distill.teacher:
        raise InputError("--unlabelled_dir needs somebody who says what is heard there: pass --teacher=RUN too")
    measured = clips.path[clips.split.isin((splits.TEST, splits.VALIDATION))].tolist()
    if copies := _copies(measured, audio_files.find([folder]).files):
        raise InputError(
            f"{folder}: holds {len(copies)} clips that this run is measured on (such as {copies[0]}); take others"
        )
