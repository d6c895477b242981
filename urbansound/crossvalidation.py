"""Cross-validation: which runs a protocol asks for, training those that are missing, pooling what they say.

Each run trains in a process of its own, so that folds share nothing and a fault ends one of them.
"""

import concurrent.futures
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd

from urbansound import trainer
from urbansound.data import prepare, splits
from urbansound.errors import InputError
from urbansound.files import write_csv, write_json
from urbansound.report import crossval as report
from urbansound.run import Run

RANDOM = "random"


def cross_validate(path, config, protocol, test_folds=None, jobs=1):
    """Test every fold once and pool the results.

    A run that is finished is kept, one that is not goes on from its last whole epoch.

    Args:
      path: directory of the runs: fold_1/, fold_2/ … and random/; gets crossval.json,
        predictions.csv and report.html.
      config: a Config; test_fold, val_fold and val_fraction are the protocol's.
      protocol: "default", "fixed_epochs" or "random", see `plan`.
      test_folds: the folds to test; default: all.
      jobs: runs that train at once.

    Returns:
      The results, see `report.crossval.pool`.

    Raises:
      InputError: the folds do not fit the protocol; a run there has other settings; a run failed.
      KeyboardInterrupt: Ctrl-C, after every run has kept its last whole epoch.
    """
    path = Path(path)
    folds = sorted(prepare.load_catalog(config).clips.fold.unique().tolist())
    configs = plan(config, folds, protocol, test_folds)
    trainer.check_weights(config)
    runs = {name: _run(path / name, planned) for name, planned in configs.items()}
    _train([run for run in runs.values() if not run.file("metrics.json").exists()], jobs)
    results, predictions = report.pool({name: _outcome(run) for name, run in runs.items()}, protocol)
    write_json(path / "crossval.json", results)
    write_csv(path / "predictions.csv", predictions)
    settings = dataclasses.asdict(next(iter(configs.values())))
    report.write(path, results, predictions, settings)
    return results


def plan(config, folds, protocol, test_folds=None):
    """The Config of every run, by its name.

    Args:
      config: a Config.
      folds: the folds that there are, in order.
      protocol: "default": the fold after the test fold validates, the first after the last.
        "fixed_epochs": all others train, none validates. "random": as fixed_epochs, and a run on a
        random split of the clips.
      test_folds: the folds to test; None: all.

    Raises:
      InputError: a test fold that does not exist, or too few folds.
    """
    needed = 3 if protocol == "default" else 2
    if len(folds) < needed:
        raise InputError(f"protocol {protocol} needs at least {needed} folds; there are {len(folds)}")
    for fold in test_folds or ():
        if fold not in folds:
            raise InputError(f"test_folds: {fold} does not exist; the folds are {', '.join(map(str, folds))}")
    configs = {}
    for place, fold in enumerate(folds):
        if test_folds is None or fold in test_folds:
            following = folds[(place + 1) % len(folds)]
            validation = {"val_fold": following} if protocol == "default" else {"val_fold": None, "val_fraction": 0.0}
            configs[f"fold_{fold}"] = _with_data(config, test_fold=fold, **validation)
    if protocol == RANDOM:
        first = min(configs.values(), key=lambda planned: planned.data.test_fold)
        configs[RANDOM] = _with_data(first, split=RANDOM)
    return configs


def _with_data(config, **changes):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **changes))


def _run(path, config):
    """The Run at `path`, made now where there is none."""
    if not (path / "config.json").exists():
        return Run.create(path, config, *prepare.prepare(config))
    run = Run.open(path)
    if run.config != config:
        names = [
            field.name
            for section in dataclasses.fields(config)
            for field in dataclasses.fields(section.type)
            if getattr(getattr(config, section.name), field.name)
            != getattr(getattr(run.config, section.name), field.name)
        ]
        raise InputError(f"{path} was begun with other settings ({', '.join(names)}); pass those, or another --run_dir")
    return run


def _train(runs, jobs):
    """Train and evaluate every one of `runs`, `jobs` at a time; the first that fails keeps others from starting."""
    processes, jobs = [], min(jobs, len(runs))
    with concurrent.futures.ThreadPoolExecutor(max(jobs, 1)) as pool:
        waiting = [pool.submit(_train_one, run, jobs, processes) for run in runs]
        try:
            for future in concurrent.futures.as_completed(waiting):
                future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                # The terminal has told them already, another sender may not have.
                for process in processes:
                    if process.poll() is None:
                        process.send_signal(signal.SIGINT)
            raise


def _train_one(run, jobs, processes):
    """Bring one run to its metrics.json: on this terminal if it is alone, into its train.log if not."""
    print(f"{run.path.name}: training", flush=True)
    # Side by side, each takes its share of the cores: a process uses all of them otherwise.
    threads = {"TF_NUM_INTRAOP_THREADS": str(max((os.cpu_count() or 1) // jobs, 1))} if jobs > 1 else {}
    arguments = [sys.executable, "-m", "urbansound.train", "--resume", f"--run_dir={run.path}"]
    log = open(run.file("train.log"), "a") if jobs > 1 else None  # noqa: SIM115
    try:
        process = subprocess.Popen(arguments, env={**os.environ, **threads}, stdout=log, stderr=log)
        processes.append(process)
        code = process.wait()
    finally:
        if log:
            log.close()
    if code:
        where = f"; see {run.file('train.log')}" if jobs > 1 else ""
        raise InputError(f"{run.path.name} ended with exit code {code}{where}; the same command goes on from there")
    print(f"{run.path.name}: done", flush=True)


def _outcome(run):
    """What the report needs of a finished run."""
    clips = run.clips
    return report.Outcome(
        fold=run.config.data.test_fold,
        class_names=run.class_names,
        predictions=pd.read_csv(
            run.file("predictions.csv"), dtype={"recording": str, "label": str, "salience": "Int64"}
        ),
        trained=set(clips.recording[clips.split == splits.TRAIN]),
        minutes=float(pd.read_csv(run.file("history.csv")).seconds.sum() / 60),
    )
