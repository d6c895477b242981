"""Cross-validation: which runs a protocol asks for, training those that are missing, pooling what they say."""

import dataclasses
import functools
import re
from pathlib import Path

from urbansound.data import datasets, prepare, splits, unlabelled
from urbansound.errors import InputError
from urbansound.experiments import processes
from urbansound.files import check_folder, lock, read_csv, read_json, write_csv, write_json
from urbansound.inference import calibration, evaluation
from urbansound.report import crossval as report
from urbansound.report import trust
from urbansound.run import Run
from urbansound.training import begun, fit, teachers

RANDOM = "random"
NAME = re.compile(rf"(fold|{RANDOM})_\d+")  # of a run's directory


def cross_validate(path, config, protocol, test_folds=None, random_splits=None, jobs=1):
    """Test every fold once and pool the results.

    A run that is finished is kept, one that is not goes on from its last whole epoch. Runs that no clip validates are
    calibrated by the other folds' test clips, where there are other folds.

    Args:
      path: directory of the runs: fold_1/, fold_2/ … and random_1/, random_2/ …; gets crossval.json,
        predictions.csv and report.html.
      config: a Config; test_fold, val_fold and val_fraction are the protocol's.
      protocol, test_folds, random_splits: see `plan`.
      jobs: runs that train at once.

    Returns:
      The results, see `report.crossval.pool`.

    Raises:
      InputError: `path` is a file; the folds do not fit the protocol; a run there has other settings, clips or
        teachers; a run failed; another process is at work there.
      KeyboardInterrupt: Ctrl-C, after every run has kept its last whole epoch.
    """
    path = Path(path)
    check_folder(path, "--run_dir")
    folds = sorted(datasets.load(config.data).clips.fold.unique().tolist())
    configs = plan(config, folds, protocol, test_folds, random_splits)
    fit.check_weights(config)
    found = functools.cache(lambda: prepare.find(next(iter(configs.values()))))  # once for all, if a run is missing
    runs = _begin(path, config, configs, lambda planned: prepare.split(found(), planned))
    prepare.say_if_alone(next(iter(runs.values())).clips)
    with lock(path):
        return _finish(path, runs, protocol, jobs)


def _begin(path, config, configs, prepared):
    """{name: Run} of `configs`; those that are there first, so that none is made which could not be pooled with them.

    Raises:
      InputError: as `cross_validate`.
    """
    folders = [folder for folder in teachers.runs_in(path) if NAME.fullmatch(folder.name)]
    names = {name for folder in folders for name in Run.open(folder).config.distill.teacher}
    kept = {
        folder.name: processes.begin(folder, configs[folder.name], names=names)
        if folder.name in configs
        else begun.reopened(folder, config.flat(), names)
        for folder in folders
    }
    first, *others = kept.values() or [None]
    for run in others:
        begun.check_alike(first, run.clips, unlabelled.of_run(run))
    missing = [planned for name, planned in configs.items() if name not in kept]
    if kept and missing:
        _, clips, _ = prepared(missing[0])
        begun.check_alike(first, clips, unlabelled.recordings(config)[0])
    return {
        name: kept[name] if name in kept else processes.begin(path / name, planned, prepared)
        for name, planned in configs.items()
    }


def _finish(path, runs, protocol, jobs):
    """Train what is not finished, and pool the results."""
    processes.train([run for run in runs.values() if not run.file("metrics.json").exists()], jobs)
    _calibrate([run for run in runs.values() if run.config.data.split != RANDOM])
    results, predictions = report.pool({name: _outcome(run) for name, run in runs.items()}, protocol)
    config = next(iter(runs.values())).config
    write_csv(path / "predictions.csv", predictions)
    warnings = datasets.dataset(config.data.dataset).warnings
    report.write(path, results, config.model.architectures, dataclasses.asdict(config), warnings)
    write_json(path / "crossval.json", results)
    return results


def _calibrate(runs):
    """Calibrate the runs that no clip validates, each by the other folds' test clips, and measure them again.

    The clips of a fold are scored by its own run, which was not trained on them. So no test clip has a part in the
    temperature and the thresholds that it is measured with.
    """
    lacking = [run for run in runs if run.thresholds is None and not (run.clips.split == splits.VALIDATION).any()]
    if lacking and len(runs) > 1:
        tested = {run.path: evaluation.out_of_training(run, splits.TEST) for run in runs}
        for run in lacking:
            others = [other for other in runs if other.path != run.path]
            source = f"test clips of {', '.join(other.path.name for other in others)}"
            clips = calibration.Clips.joined([tested[other.path] for other in others])
            evaluation.write_thresholds(run, clips, source)
    for run in runs:
        found, measured = run.thresholds, read_json(run.file("metrics.json")).get("thresholds")
        if found is not None and (measured is None or not trust.is_of(measured, found)):
            evaluation.evaluate(run)


def plan(config, folds, protocol, test_folds=None, random_splits=None):
    """The Config of every run, by its name.

    Args:
      config: a Config.
      folds: the folds that there are, in order.
      protocol: "default": the fold after the test fold validates, the first after the last.
        "fixed_epochs": all others train, none validates. "random": as fixed_epochs, and runs on
        random splits of the clips.
      test_folds: the folds to test; None: all.
      random_splits: how many, each testing another tenth of the clips; None: one for each tested fold,
        ten at most.

    Raises:
      InputError: a test fold that does not exist, too few folds, or settings that the protocol can't be run with.
    """
    if config.data.split == RANDOM:
        raise InputError("--split=random is of a single run; for random splits besides the folds, --protocol=random")
    if protocol != "default" and (config.train.keep == "best" or config.train.early_stopping):
        raise InputError(
            f"--protocol={protocol} validates on nothing: pass --keep=last --early_stopping=0, or --protocol=default"
        )
    needed = 3 if protocol == "default" else 2
    if len(folds) < needed:
        raise InputError(f"protocol {protocol} needs at least {needed} folds; there are {len(folds)}")
    if test_folds is not None and not test_folds:
        raise InputError(f"test_folds names no fold; the folds are {', '.join(map(str, folds))}")
    for fold in test_folds or ():
        if fold not in folds:
            raise InputError(f"test_folds: {fold} does not exist; the folds are {', '.join(map(str, folds))}")
    configs = {}
    for place, fold in enumerate(folds):
        if test_folds is None or fold in test_folds:
            following = folds[(place + 1) % len(folds)]
            validation = {"val_fold": following} if protocol == "default" else {"val_fold": None, "val_fraction": 0.0}
            configs[f"fold_{fold}"] = config.with_settings(test_fold=fold, **validation)
    if protocol == RANDOM:
        first = next(iter(configs.values()))
        for part in range(1, (random_splits or min(len(configs), splits.RANDOM_PARTS)) + 1):
            configs[f"{RANDOM}_{part}"] = first.with_settings(split=RANDOM, test_fold=part)
    return configs


def _outcome(run):
    """What the report needs of a finished run."""
    clips = run.clips
    return report.Outcome(
        fold=run.config.data.test_fold,
        random=run.config.data.split == RANDOM,
        class_names=run.class_names,
        predictions=read_csv(run.file("predictions.csv")),
        trained=set(clips.recording[clips.split == splits.TRAIN]),
        minutes=run.training_seconds / 60,
        members=read_json(run.file("metrics.json")).get("members", {}),
        targets=run.targets,
    )
