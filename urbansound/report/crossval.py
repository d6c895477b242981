"""Cross-validation's results: pooled figures, the table for a terminal, the page."""

import dataclasses

import numpy as np
import pandas as pd

from urbansound.report import comparisons, figures, page, pictures, style
from urbansound.report.tables import SHORT, headline, in_words, measure_of, metrics_table, percent, shares
from urbansound.targets import Targets

LEAKS = "random split: slices of one recording lie in training and in test, so its accuracy flatters"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished run, as far as pooling needs it."""

    fold: int  # the test fold, or the part of a random split
    random: bool  # whether the split was random
    class_names: list[str]
    predictions: pd.DataFrame  # `predictions.predictions_table`
    trained: set[str]  # recordings with a training clip
    minutes: float  # of training
    members: dict[str, float]  # accuracy of each member of an ensemble; empty for a single network
    targets: Targets  # what a label says; where it is not one class, its `measure` stands for accuracy below


def pool(outcomes, protocol):
    """The figures of all runs together.

    Args:
      outcomes: {run's name: Outcome}; runs of random splits count in `random` only.
      protocol: its name.

    Returns:
      (results, predictions). results: what `metrics.evaluate` returns for the pooled test clips, and
      `protocol`, `mean_accuracy`, `std_accuracy` (sample deviation over folds; None for one fold),
      `folds` [{`run`, `fold`, `accuracy`, `accuracy_interval`, `n_clips`, `n_recordings`, `macro_f1`,
      `minutes`, `members`}], `mean_members` {member: mean accuracy}, and of random splits `random`
      {`mean_accuracy`, `std_accuracy`, `mean_members`, `splits` like `folds`, and what `leak` returns}.
      predictions: DataFrame of the pooled test clips.
    """
    random = {name: outcome for name, outcome in outcomes.items() if outcome.random}
    official = {name: outcome for name, outcome in outcomes.items() if not outcome.random}
    predictions = pd.concat([outcome.predictions for outcome in official.values()], ignore_index=True)
    folds = [_row(name, outcome) for name, outcome in official.items()]
    results = {
        "protocol": protocol,
        **_mean(folds),
        "folds": folds,
        **_measure(predictions, next(iter(outcomes.values()))),
    }
    if random:
        rows = [_row(name, outcome) for name, outcome in random.items()]
        results["random"] = {**_mean(rows), "splits": rows, **leak(random.values())}
    return results, predictions


def leak(outcomes):
    """Counts of test clips whose recording the same run trained on.

    Returns:
      {`n_clips`: all test clips, `leaked_clips`: those of recordings with a training clip,
      `leaked_recordings`: the number of these recordings}.
    """
    tested = [outcome.predictions.recording for outcome in outcomes]
    shared = pd.concat([of_run[of_run.isin(outcome.trained)] for outcome, of_run in zip(outcomes, tested, strict=True)])
    return {
        "n_clips": sum(map(len, tested)),
        "leaked_clips": len(shared),
        "leaked_recordings": int(shared.nunique()),
    }


def crossval_table(results):
    """Text: the classes and totals of the pooled clips, a line per fold, their mean, and random splits."""
    name = SHORT[measure_of(results)]
    lines = [metrics_table(results), "", f"fold  {name:>8}  macro F1  clips  minutes"]
    lines += [_fold_line(str(row["fold"]), row) for row in results["folds"]]
    lines += ["", f"mean of folds  {spread(results)}", *_member_lines(results), f"pooled         {headline(results)}"]
    if "random" in results:
        random = results["random"]
        lines += [
            "",
            f"official folds {percent(_mean_of(results))}",
            f"random split   {spread(random)}: {leak_line(random)}",
            *_member_lines(random),
            LEAKS,
        ]
    return "\n".join(lines)


def spread(results):
    """'61.2 % (standard deviation 4.1 over 3 folds)', of folds or of random splits."""
    kind = "folds" if "folds" in results else "splits"
    deviation = results[f"std_{measure_of(results[kind][0])}"]
    if deviation is None:
        return f"{percent(_mean_of(results))} (one {kind[:-1]})"
    deviation = f"standard deviation {100 * deviation:.1f}"
    return f"{percent(_mean_of(results))} ({deviation} over {len(results[kind])} {kind})"


def _mean_of(results):
    """The mean over folds or splits of the figure that models are compared by."""
    return results[f"mean_{measure_of((results.get('folds') or results['splits'])[0])}"]


def leak_line(random):
    """The counts of `leak` in words."""
    return (
        f"{random['leaked_clips']} of {random['n_clips']} test clips "
        f"come from {random['leaked_recordings']} recordings that were trained on"
    )


def write(path, results, model, settings, warnings=()):
    """Write the pictures and report.html.

    Args:
      path: the directory.
      results: what `pool` returns.
      model: names of the architectures whose scores are averaged.
      settings: {section: {name: value}} of the first run.
      warnings: lines to read before the figures, such as those of the data set.
    """
    dataset, model = settings["data"]["dataset"], " + ".join(model)
    facts = {
        "Mean of folds": spread(results),
        "Protocol": results["protocol"],
        "Model": model,
        "Training": f"{sum(row['minutes'] for row in results['folds']):.1f} minutes",
    }
    warnings = list(warnings)
    if results["mean_members"]:
        facts["Members"] = shares(results["mean_members"])
    if "random" in results:
        random = results["random"]
        facts["Random split"] = f"{spread(random)}, which leaks"
        warnings.append(
            f"The headline is of official folds. The random splits leak: {leak_line(random)}; their accuracy flatters."
        )
    page.write(
        path / "report.html",
        title=f"{dataset}: {model}, cross-validation",
        metrics=results,
        of="of all clips pooled",
        facts=facts,
        tables=[_fold_table(results)],
        pictures=_draw(path, results),
        settings=settings,
        warnings=warnings,
    )


def _draw(path, results):
    """Draw and save the pictures; their page.Pictures."""
    name = in_words(measure_of(results)).capitalize()
    style.save(comparisons.folds(results), path / "folds.png")
    folds = page.Picture(path / "folds.png", "Folds", f"{name} of every fold with its 95 % interval")
    return [folds, *pictures.of_figures(path, results)]


def _measure(predictions, outcome):
    class_names, targets = outcome.class_names, outcome.targets
    scores = predictions[[f"score_{name}" for name in class_names]].to_numpy(np.float32)
    salience = predictions.salience if predictions.salience.notna().any() else None
    truth, decided = (targets.matrix(predictions[column], class_names) for column in ("label", "predicted"))
    return figures.evaluate(targets, truth, scores, predictions.recording, class_names, salience, decided)


def _row(name, outcome):
    measured = _measure(outcome.predictions, outcome)
    measure_name = outcome.targets.measure
    kept = (measure_name, f"{measure_name}_interval", "n_clips", "n_recordings", "macro_f1")
    own = {"run": name, "fold": outcome.fold, "minutes": outcome.minutes, "members": outcome.members}
    return {**own, **{key: measured[key] for key in kept}}


def _mean(rows):
    name = measure_of(rows[0])
    values = [row[name] for row in rows]
    members = pd.DataFrame([row["members"] for row in rows]).dropna(axis=1)  # those that every run has
    return {
        f"mean_{name}": float(np.mean(values)),
        f"std_{name}": float(np.std(values, ddof=1)) if len(rows) > 1 else None,
        "mean_members": members.mean().to_dict(),
    }


def _member_lines(results):
    return [f"members        {shares(results['mean_members'])}"] if results["mean_members"] else []


def _fold_line(name, row):
    shares = f"{percent(row[measure_of(row)]):>8}  {percent(row['macro_f1']):>8}"
    return f"{name:>4}  {shares}  {row['n_clips']:>5}  {row['minutes']:>7.1f}"


def _fold_table(results):
    named = [(str(row["fold"]), headline(row), row) for row in results["folds"]]
    for row in results.get("random", {"splits": []})["splits"]:
        named.append((f"random {row['fold']}", f"{headline(row)}, leaks", row))
    rows = [
        (name, accuracy, percent(row["macro_f1"]), str(row["n_clips"]), f"{row['minutes']:.1f}")
        for name, accuracy, row in named
    ]
    return page.Table(
        "Folds",
        f"Each fold tested once{', then random splits, which leak' if 'random' in results else ''}",
        ["test fold", in_words(measure_of(results)), "macro F1", "clips", "minutes"],
        rows,
        3,
    )
