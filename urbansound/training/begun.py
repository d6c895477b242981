"""Runs that were begun: opened again only where their files, which may have been moved, are those they began with."""

import os

from urbansound.data import prepare, unlabelled
from urbansound.errors import InputError
from urbansound.run import Run, together
from urbansound.training import teachers

ALIKE = ("label", "fold", "recording", "bytes")  # of a clip, besides its name


def reopened(path, values, names=()):
    """The Run at `path`, its places as `values` say (see `Config.places`).

    Files are known by names and sizes, teachers by the digests of their models. A trained run needs its teachers no
    more, so one may be gone that is named as it was.

    Args:
      path: of the run directory.
      values: settings by their flat names.
      names: other names that its teachers had.

    Raises:
      InputError: no run is there; its clips, teachers or recordings without labels are not where `values` say.
    """
    run = Run.open(path, Run.open(path).config.places(values))
    if "data_dir" in run.places:
        prepare.check_clips(run.clips, run.config)
    if values.get("teacher"):
        _check_teachers(run, values["teacher"], names)
    if "unlabelled_dir" in run.places and (recordings := unlabelled.of_run(run)) is not None:
        unlabelled.check(recordings)
    return run


def check_alike(run, clips, recordings):
    """Raise InputError where a run of other clips would be compared or pooled with a Run.

    Args:
      run: the Run.
      clips: table of the other run's clips.
      recordings: table of its recordings without labels (see `unlabelled.recordings`), or None: not compared.
    """
    _check_same(run, run.clips, clips, ALIKE)
    if recordings is not None and (own := unlabelled.of_run(run)) is not None:
        _check_same(run, own, recordings, ("bytes",))


def _check_same(run, own, others, columns):
    columns = ["path", *(name for name in columns if name in own and name in others)]
    if own[columns].equals(others[columns]):
        return
    one, other = (_rows(table.assign(path=together(table.path)[1])[columns]) for table in (own, others))
    if apart := sorted(one ^ other):
        raise InputError(
            f"{run.path} was begun with other clips: {len({name for name, *_ in apart})} were added, changed or taken "
            f"away (such as {apart[0][0]}); put back what was there, or pass another --run_dir"
        )


def _rows(table):
    return set(table.itertuples(index=False, name=None))


def _check_teachers(run, named, names):
    """Raise InputError where the paths that a --teacher names do not hold the models that taught a Run."""
    names = {*Run(run.path).config.distill.teacher, *names}
    for path, begun, digest in teachers.named(run, named):
        if path not in names or (os.path.exists(path) and os.path.exists(begun)):
            teachers.holder(run, path, begun, digest)
