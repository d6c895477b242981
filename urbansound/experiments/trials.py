"""Trials of a search: what each tries, its accuracy on validation clips, and the table of all.

Where a clip may be of several classes, their `measure` (see `urbansound.targets`) stands for accuracy.

Optuna's tree-structured Parzen estimator draws the settings (Bergstra, Bardenet, Bengio, Kégl 2011, "Algorithms
for Hyper-Parameter Optimization"); a trial whose first splits lie in the worst quarter of earlier ones ends early.
"""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from urbansound import journal, targets
from urbansound.config import Config
from urbansound.data import prepare, unlabelled
from urbansound.data.seeds import derive
from urbansound.errors import InputError
from urbansound.experiments import processes, space
from urbansound.files import check_folder, is_free, lock, new_folder, read_json, write_csv, write_json, write_text
from urbansound.progress import bar
from urbansound.report import comparisons, style
from urbansound.report.tables import in_words
from urbansound.training import begun, fit

STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "ended early", TrialState.FAIL: "failed"}
BAD_SETTINGS = 2  # a run's exit code
STARTING = 5  # trials before any may end early
KEPT_PERCENT = 75.0


def search(path, config, space_path, n_trials, splits, jobs=1):
    """Try settings until there are `n_trials` trials; the test fold is never looked at.

    Trial 0 has the settings of `config`. A trial that was stopped goes on from its last whole epoch.

    Args:
      path: directory of the search; gets config.json, space.toml, journal.log (Optuna's), trials/,
        trials.csv, trials.png and best.flags.
      config: a Config that validates on something.
      space_path: file of the space, see `space.load`.
      n_trials: trials there shall be in all.
      splits: runs of a trial, by seeds that follow each other: each has its own weights and, without a
        val_fold, its own validation recordings.
      jobs: runs at once.

    Returns:
      The trials, best first: DataFrame of trial, state, accuracy (mean over splits, of the epoch that
      is kept; or the other figure, by its name), deviation (over splits), splits, minutes, a column per setting, fault.

    Raises:
      InputError: `path` is a file; nothing to validate on; a bad space; the search there was begun with other settings,
        clips or teachers; the first trial failed.
      KeyboardInterrupt: Ctrl-C; whole epochs are kept.
    """
    path = Path(path)
    check_folder(path, "--run_dir")
    if not config.data.validates:
        raise InputError("a search chooses by validation clips: pass --val_fold, or --val_fraction above 0")
    config.with_settings(seed=config.train.seed + splits - 1)  # refused now, not when it comes to that split
    distributions = space.load(space_path, config)
    fit.check_weights(config)
    _begin(path, config, space_path)
    with lock(path), bar("training", unit="run") as on_progress:
        return _search(path, config, distributions, n_trials, splits, jobs, on_progress)


def _search(path, config, distributions, n_trials, splits, jobs, on_progress):
    study = _study(path, distributions, config, splits)
    running, done = (len(study.get_trials(states=states)) for states in ([TrialState.RUNNING], list(STATES)))
    _check_first(path, config, goes_on=running or done < n_trials)
    while True:
        trials = _table(study, path, targets.of(config.model.targets).measure)
        done = len(study.get_trials(states=list(STATES)))
        on_progress(splits * done, splits * max(n_trials, done))
        waiting = study.get_trials(states=[TrialState.RUNNING])
        if not waiting and done >= n_trials:
            return trials
        # A sampler for each trial: a search that was stopped draws what an unbroken one draws.
        study.sampler = optuna.samplers.TPESampler(seed=derive(config.train.seed, "trial", done) % 2**32)
        trial = _continued(study, waiting[0], distributions) if waiting else study.ask(distributions)
        on_runs = lambda runs, done=done: on_progress(splits * done + runs, splits * n_trials)  # noqa: E731
        _try(study, trial, path, config, splits, jobs, on_runs)


def _check_first(path, config, goes_on):
    """Raise InputError where later trials would learn from other clips or teachers than the first run of a search."""
    first = path / "trials/0/split_0"
    if not (first / "config.json").exists() or not (goes_on or _kept(path).differences(config)):
        return
    run = begun.reopened(first, config.flat())
    if goes_on:
        _, clips, _ = prepare.prepare(config)
        begun.check_alike(run, clips, unlabelled.recordings(config)[0])


def _continued(study, stopped, distributions):
    """The Trial of a search that was stopped, with the settings that it had no time to draw."""
    trial = Trial(study, stopped._trial_id)
    for name, distribution in distributions.items():
        trial._suggest(name, distribution)  # what `study.ask` does; a setting that is drawn stays
    return trial


def _begin(path, config, space_path):
    """Keep the settings and the space of a new search; refuse others for one that is there."""
    kept_space, kept_config = path / "space.toml", path / "config.json"
    if not kept_config.exists():
        if not is_free(path):
            raise InputError(f"{path}: not a search, and not empty; pass another --run_dir")
        config.check_used()
        with new_folder(path) as folder:
            shutil.copyfile(space_path, folder / kept_space.name)
            write_json(folder / kept_config.name, dataclasses.asdict(config))
        return
    processes.check_settings(path, _kept(path), config)
    if kept_space.read_bytes() != Path(space_path).read_bytes():
        raise InputError(f"{path} was begun with another space; pass --space={kept_space}, or another --run_dir")


def _kept(path):
    """The Config that a search was begun with."""
    return Config.from_dict(read_json(path / "config.json"))


class _Held:
    """The lock of Optuna's journal while this process holds the whole search.

    Optuna's own is a file: where a process is killed that has it, all later ones wait for it for ever.
    """

    def acquire(self):
        """True: it is held already."""
        return True

    def release(self):
        """Nothing: it is held on."""


def _study(path, distributions, config, splits):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.mend(path / "journal.log")
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path / "journal.log"), _Held())),
        study_name="search",
        direction="maximize",
        load_if_exists=True,
        # One split is a rough guess: the median as a limit ended trials that were among the best.
        pruner=optuna.pruners.PercentilePruner(KEPT_PERCENT, n_startup_trials=STARTING),
    )
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(space.start(distributions, config))
    if "splits" not in study.user_attrs:
        study.set_user_attr("splits", splits)
    elif study.user_attrs["splits"] != splits:
        raise InputError(
            f"{path} was begun with --splits={study.user_attrs['splits']}; pass that, or another --run_dir"
        )
    return study


def _try(study, trial, path, config, splits, jobs, on_runs):
    """Train one trial's runs and tell the study what they reached."""
    folder = path / "trials" / str(trial.number)
    try:
        state = _train(trial, folder, _settings(config, trial), splits, jobs, on_runs)
    except _BadSettingsError as error:
        if trial.number == 0:
            # What fails with the settings as given would fail with all.
            raise InputError(f"trial 0, the settings as given: {error}") from None
        trial.set_user_attr("fault", str(error))
        state = TrialState.FAIL
    accuracy = _mean(trial) if state is TrialState.COMPLETE else None
    study.tell(trial, accuracy, state=state)


class _BadSettingsError(InputError):
    """Settings that do not go together, or by which no run can be trained."""


def _settings(config, trial):
    """The Config of a trial, whose settings have to go together."""
    try:
        return config.with_settings(**trial.params)
    except InputError as error:
        raise _BadSettingsError(error) from None


def _train(trial, folder, config, splits, jobs, on_runs):
    """Train a trial's runs, `jobs` at a time; COMPLETE, or PRUNED where the others are not worth it.

    Raises:
      _BadSettingsError: a run failed by its settings.
      InputError: one was killed, or its clips can't be read: no fault of the settings.
    """
    for first in range(0, splits, jobs):
        seeds = range(first, min(first + jobs, splits))
        runs = [processes.begin(folder / f"split_{n}", config.with_settings(seed=config.train.seed + n)) for n in seeds]
        try:
            processes.train(runs, jobs, evaluate=False, quiet=True)
        except processes.RunError as error:
            if error.code != BAD_SETTINGS:
                raise
            raise _BadSettingsError(error.said or error) from None
        outcomes = [_outcome(run) for run in runs]
        scores = trial.user_attrs.get("scores", [])[:first] + [accuracy for accuracy, _ in outcomes]
        minutes = trial.user_attrs.get("minutes", [])[:first] + [minutes for _, minutes in outcomes]
        trial.set_user_attr("scores", scores)
        trial.set_user_attr("minutes", minutes)
        step = len(scores)
        on_runs(step)
        if step == splits:
            return TrialState.COMPLETE
        if step not in trial.storage.get_trial(trial._trial_id).intermediate_values:
            trial.report(_mean(trial), step)
        if trial.should_prune():
            return TrialState.PRUNED


def _mean(trial):
    return float(np.mean(trial.user_attrs["scores"]))


def _outcome(run):
    """(validation accuracy of the epoch that became the model, minutes of training)."""
    history = run.history
    rows = history[history.stage == history.stage.iloc[-1]]  # the last stage validates the whole model
    row = rows.val_loss.idxmin() if run.config.train.keep == "best" else rows.index[-1]
    return float(rows[f"val_{run.targets.measure}"][row]), run.training_seconds / 60


def _table(study, path, measure):
    """Write trials.csv, trials.png and best.flags of what is done; the trials as `search` returns them."""
    rows = []
    for trial in study.get_trials(states=list(STATES)):
        scores = trial.user_attrs.get("scores", [])
        rows.append(
            {
                "trial": trial.number,
                "state": STATES[trial.state],
                measure: np.mean(scores) if scores else None,
                "deviation": np.std(scores, ddof=1) if len(scores) > 1 else None,
                "splits": len(scores),
                "minutes": sum(trial.user_attrs.get("minutes", [])),
                **{name: "none" if value is None else value for name, value in trial.params.items()},
                "fault": trial.user_attrs.get("fault", ""),
            }
        )
    if not rows:
        return pd.DataFrame()
    trials = pd.DataFrame(rows)
    # One that ended early was measured on fewer splits: no match for those that were measured on all.
    trials = trials.assign(rank=trials.state.map(list(STATES.values()).index))
    trials = trials.sort_values(["rank", measure, "trial"], ascending=[True, False, True]).drop(columns="rank")
    trials = trials.reset_index(drop=True)
    write_csv(path / "trials.csv", trials)
    names = list(study.trials[0].params)
    style.save(comparisons.trials(trials, names), path / "trials.png")
    best = trials.iloc[0]
    reached = f"{in_words(measure)} {best[measure]:.4f} on its validation clips"
    lines = [f"# Trial {best.trial} of a search: {reached}, {best.splits} splits."]
    lines += [f"--{name}={best[name]}" for name in names]
    write_text(path / "best.flags", "\n".join(lines) + "\n")
    return trials
