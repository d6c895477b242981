"""Trained runs that teach another: which they are, whether they may, what is kept of them."""

import hashlib
from pathlib import Path

import pandas as pd

from urbansound import models
from urbansound.data import splits
from urbansound.errors import InputError
from urbansound.files import write_csv
from urbansound.run import Run


def new_run(path, config, class_names, clips, skipped):
    """`Run.create` of a run that may have teachers, which get a table in it.

    Raises:
      InputError: as `Run.create`; a teacher is no trained run, has other classes, or was trained on clips that this run
        is measured on.
    """
    runs = opened(config, class_names, clips)
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
    if runs:
        for teacher, digest in zip(runs, run.teachers.sha256, strict=True):
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
    key = "path" if config.data.split == "random" else "recording"
    theirs, mine = (dict(list(table.groupby("split")[key])) for table in (run.clips, clips))
    for split, kinds in ((splits.TEST, (splits.TRAIN, splits.VALIDATION)), (splits.VALIDATION, (splits.TRAIN,))):
        learned = {value for kind in kinds for value in theirs.get(kind, ())}
        if known := sum(value in learned for value in mine.get(split, ())):
            return (
                f"it was trained on {known} {split} clips of this one, which would be measured on what it was told; "
                "take a teacher with the same --test_fold, --val_fold, --val_fraction and --seed"
            )
    return ""
