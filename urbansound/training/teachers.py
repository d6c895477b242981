"""Trained runs that teach another: which they are, whether they may, what is kept of them."""

import functools
import os
from pathlib import Path

import pandas as pd

from urbansound import models
from urbansound.data import audio_files, splits, unlabelled
from urbansound.digest import sha256
from urbansound.errors import InputError
from urbansound.files import write_csv
from urbansound.models import ensemble, parts
from urbansound.run import Run


def new_run(path, config, class_names, clips, skipped):
    """A new run directory; a table in it of the run's teachers, and one of its recordings without labels, if any.

    Raises:
      InputError: as `Run.creating` and `parts.embedding`; a teacher is no trained run, has other classes, or was or may
        have been trained on clips that this run is measured on; recordings without labels are such clips.
    """
    runs = [_opened(Path(path), config, class_names, clips) for path in config.distill.teacher]
    places = [run.path.resolve() for run in runs]
    if twice := [place for place in places if places.count(place) > 1]:
        raise InputError(f"--teacher names {twice[0]} twice; name it once")
    rows = table(runs)
    for run, digest in zip(runs, rows.get("sha256", ()), strict=True):
        _check_networks(run.path, digest)
    recordings, _ = unlabelled.recordings(config)
    if recordings is not None:
        _check_unlabelled(config, recordings, clips)
    with Run.creating(path, config, class_names, clips, skipped) as new:
        if runs:
            write_csv(new.file("teachers.csv"), rows)
        if recordings is not None:
            write_csv(new.file("unlabelled.csv"), recordings)
    return Run(path)


def of_run(run):
    """The Runs that teach a run; where a name leads nowhere, such as from another folder, as it was begun.

    Raises:
      InputError: a model there is not the one that the run began with.
    """
    return [
        holder(run, path if os.path.exists(path) else begun, begun, digest)
        for path, begun, digest in named(run, run.config.distill.teacher)
    ]


def named(run, paths):
    """[(path, where it lay when the run was begun, SHA-256 of its model)] of a Run's teachers, by `paths` as given now.

    Raises:
      InputError: they are more or fewer than those.
    """
    known = run.teachers
    taught = [] if known is None else list(zip(known.run_dir, known.sha256, strict=True))
    if len(paths) != len(taught):
        raise InputError(f"{run.path}: was begun with other teachers than the {len(paths)} named; name those")
    return [(path, *begun) for path, begun in zip(paths, taught, strict=True)]


def holder(run, path, begun, digest):
    """The Run at `path`, or in that folder of runs, whose model has this digest: a teacher of `run`.

    Args:
      run: the Run that is taught.
      path: a run directory or a folder of such.
      begun: where the teacher lay when the run was begun; one of that name is looked at first.
      digest: SHA-256 of its model.

    Raises:
      InputError: there is none.
    """
    for folder in sorted(folders(Path(path)), key=lambda folder: folder.name != Path(begun).name):
        teacher = Run(folder)
        if teacher.file("model.keras").is_file() and digest_of(teacher) == digest:
            return teacher
    raise InputError(
        f"{path}: not the teacher that {run.path} was begun with, which was {begun}; name that, or where it lies now, "
        "or pass another --run_dir"
    )


def table(runs):
    """DataFrame of run_dir, architectures, origin, data_sets, sha256 (of the model) of the Runs of teachers."""
    rows = [
        {
            "run_dir": str(run.path.resolve()),
            "architectures": "+".join(run.architectures),
            "origin": origin(run),
            "data_sets": ";".join(data_sets(run)),
            "sha256": digest_of(run),
        }
        for run in runs
    ]
    return pd.DataFrame(rows)


@functools.cache
def _check_networks(path, digest):
    """Raise InputError where a network of the run at `path`, whose model has that digest, has no embedding."""
    for network, _ in ensemble.leaves(Run(path).load_model(calibrated=False)):
        parts.embedding(network)


def origin(run):
    """Whose published weights a run's model starts from, and by whom it was taught, in words; "" for neither."""
    origins = set(models.origins(run.architectures, run.config.model))
    origins |= set() if run.teachers is None else set(run.teachers.origin)
    return "; ".join(sorted(filter(None, origins)))


def data_sets(run):
    """Names of the data sets of whose clips a run's model knows: its own first, then its teachers'."""
    known, names = run.teachers, [run.config.data.dataset]
    for teacher in () if known is None else known.itertuples():
        if told := getattr(teacher, "data_sets", ""):
            names += told.split(";")
        elif (Path(teacher.run_dir) / "config.json").is_file():  # the run is older than that column
            names += data_sets(Run(teacher.run_dir))
    return list(dict.fromkeys(names))


def digest_of(run):
    """SHA-256 of a run's model.

    Raises:
      InputError: it has none yet.
    """
    path = run.file("model.keras")
    if not path.is_file():
        raise InputError(f"{run.path}: no model yet, so it can't teach; finish training with --resume")
    return sha256(path)


def folders(path):
    """The run directories that a --teacher stands for: `path`, or those in it where it is none."""
    inner = runs_in(path)
    return [path] if (path / "config.json").is_file() or not inner else inner


def runs_in(path):
    """The run directories in a folder, such as a cross-validation's; not those that are being made."""
    return [file.parent for file in sorted(path.glob("[!.]*/config.json"))]


def _opened(path, config, class_names, clips):
    """The Run at `path`, or the first of a folder of runs that may teach."""
    runs = [Run.open(folder) for folder in folders(path)]
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
    try:
        generations = list(_generations(run))
    except InputError as error:
        return str(error)
    by_clip = config.data.split == "random"
    if unknown := next(filter(None, (_unknown(one, clips, by_clip) for one in generations)), ""):
        return unknown
    for split, kinds in ((splits.TEST, (splits.TRAIN, splits.VALIDATION)), (splits.VALIDATION, (splits.TRAIN,))):
        measured = clips[clips.split == split]
        known = set().union(*(_known(measured, one, kinds, by_clip) for one in generations))
        if known:
            return (
                f"it was trained on {len(known)} {split} clips of this one, whose accuracy would flatter; "
                "take a teacher with the same --test_fold, --val_fold, --val_fraction and --seed"
            )
    return ""


def _generations(run):
    """A Run, its teachers, and theirs.

    Raises:
      InputError: one is gone, so what it was trained on can't be known.
    """
    yield run
    for row in () if run.teachers is None else run.teachers.itertuples():
        teacher = Run(row.run_dir)
        if not teacher.file("model.keras").is_file() or digest_of(teacher) != row.sha256:
            raise InputError(
                f"its own teacher, {row.run_dir}, is gone or another, so what that was trained on can't be known; put "
                "it back, or take another teacher"
            )
        yield from _generations(teacher)


def _unknown(run, clips, by_clip):
    """Why nobody can tell whether a run was trained on some of `clips`; "" where that can be told.

    Names of recordings tell, unless the split is `by_clip`; else a file has to be there.
    """
    heard = unlabelled.of_run(run)
    learned = [] if heard is None else unlabelled.paths(heard)
    own = run.clips[run.clips.split.isin((splits.TRAIN, splits.VALIDATION))]
    if by_clip or not own.recording.isin(clips.recording).all():
        learned += own.path.tolist()
    gone = [path for path in learned if not os.path.isfile(path)]
    if not gone:
        return ""
    return (
        f"{len(gone)} files that it was trained on are gone, such as {gone[0]}, so whether this run's test clips were "
        "among them can't be known; put them back, or take another teacher"
    )


def _known(measured, run, kinds, by_clip):
    """The paths of clips that a run has in splits `kinds`, or learned without labels.

    They are known by path, by recording unless the split is `by_clip`, or by their bytes.
    """
    learned = run.clips[run.clips.split.isin(kinds)]
    known = measured.path.isin(learned.path)
    if not by_clip:
        known |= measured.recording.isin(learned.recording)
    heard = learned.path.tolist()
    if (recordings := unlabelled.of_run(run)) is not None:
        heard += unlabelled.paths(recordings)
    return {*measured.path[known], *_copies(measured.path[~known].tolist(), list(filter(os.path.isfile, heard)))}


def _copies(paths, others):
    """Those of `paths` whose bytes one of `others` holds, too."""
    groups = audio_files.same_bytes([*paths, *others])
    copied = [place for group in groups if group[-1] >= len(paths) for place in group if place < len(paths)]
    return [paths[place] for place in copied]


def _check_unlabelled(config, recordings, clips):
    """Raise InputError where recordings without labels are clips that the run is measured on."""
    measured = clips.path[clips.split.isin((splits.TEST, splits.VALIDATION))].tolist()
    if copies := _copies(measured, list(filter(os.path.isfile, unlabelled.paths(recordings)))):
        raise InputError(
            f"{config.distill.unlabelled_dir}: holds {len(copies)} clips that this run is measured on (such as "
            f"{copies[0]}); take others"
        )
