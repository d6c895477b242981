"""One run made of several trained ones: its model averages their scores."""

import dataclasses

import pandas as pd

from urbansound.config import AudioConfig
from urbansound.data import unlabelled
from urbansound.errors import InputError
from urbansound.files import replacing, write_csv
from urbansound.models import ensemble
from urbansound.run import Run

# What makes a clip the network's input; the ensemble has one of it.
FRONT_END = {field.name for field in dataclasses.fields(AudioConfig)} | {"short_clips"}


def settings_of(runs):
    """The Config of an ensemble of trained runs: the first one's, but for the model.

    Raises:
      InputError: the runs differ in their front-end, in their classes, in their clips' labels, or in which clips they
        train and test on; a run is named twice.
    """
    first = runs[0]
    places = [run.path.resolve() for run in runs]
    for place, run in zip(places, runs, strict=True):
        if places.count(place) > 1:
            raise InputError(f"{run.path} is named twice; average different runs")
    for other in runs[1:]:
        names = [f"--{name}" for name in first.config.differences(other.config) if name in FRONT_END]
        if names:
            raise InputError(
                f"{other.path} has another front-end than {first.path} ({', '.join(names)}); train them with the same"
            )
        if other.targets is not first.targets:
            raise InputError(
                f"{other.path} has --targets={other.targets.name}, {first.path} --targets={first.targets.name}: their "
                "scores can't be averaged; train them with the same"
            )
        if other.class_names != first.class_names:
            raise InputError(f"{other.path} has other classes than {first.path}; train them on the same data")
        columns = ["path", "label", "split"]
        if not other.clips[columns].equals(first.clips[columns]):
            raise InputError(
                f"{other.path} and {first.path} label or split the clips differently: a clip that one tests may have "
                "taught the other; train them with the same data, --test_fold and --val_fold (the --seed draws the "
                "validation clips where there is no --val_fold)"
            )
    return first.config.with_settings(model=ensemble.NAME, cepstrum=False)


def combine(runs, settings, path):
    """A new run of trained `runs`, with its model and a table of its members, not yet evaluated.

    Args:
      runs: the Runs.
      settings: what `settings_of` returns of them.
      path: of the new run directory.

    Raises:
      InputError: a run has no model yet; `path` holds something already.
    """
    Run.check_free(path)  # before the models are loaded
    model = ensemble.average([run.load_model() for run in runs])
    first = runs[0]
    rows = [(str(member.path.resolve()), "+".join(member.architectures), member.training_seconds) for member in runs]
    with Run.creating(path, settings, first.class_names, first.clips, first.skipped) as run:
        write_csv(run.file("members.csv"), pd.DataFrame(rows, columns=["run_dir", "architectures", "seconds"]))
        if taught := [member.teachers for member in runs if member.teachers is not None]:
            write_csv(run.file("teachers.csv"), pd.concat(taught).fillna("").drop_duplicates("sha256"))
        if heard := [one for member in runs if (one := unlabelled.of_run(member)) is not None]:
            write_csv(run.file("unlabelled.csv"), pd.concat(heard).drop_duplicates(["folder", "path"]))
        with replacing(run.file("model.keras")) as part:
            model.save(part)
    return Run(path)
