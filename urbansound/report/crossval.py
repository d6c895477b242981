"""Cross-validation's results: pooled figures, the table for a terminal, the page."""

import dataclasses

import numpy as np
import pandas as pd

from urbansound.report import metrics, page, plots
from urbansound.report.tables import headline, metrics_table, percent, shares

LEAKS = "random split: slices of one recording lie in training and in test; no measure of how unheard sounds fare"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished run, as far as pooling needs it."""

    fold: int  # that was tested, or the part of a random split
    random: bool  # whether the split was
    class_names: list[str]
    predictions: pd.DataFrame  # `predictions.predictions_table`
    trained: set[str]  # recordings with a training clip
    minutes: float  # of training
    alone: dict[str, float]  # accuracy of each network that the scores are the mean of; empty where they are none


def pool(outcomes, protocol):
    """The figures of all runs together.

    Args:
      outcomes: {run's name: Outcome}; runs of random splits stay out of all but their own figures.
      protocol: its name.

    Returns:
      (results, predictions). results: what `metrics.evaluate` says of the pooled test clips, and
      `protocol`, `mean_accuracy`, `std_accuracy` (over folds, of the sample; None for one fold),
      `folds` [{`run`, `fold`, `accuracy`, `accuracy_interval`, `n_clips`, `n_recordings`, `macro_f1`,
      `minutes`, `alone`}], `mean_alone`, and of random splits `random` {`mean_accuracy`, `std_accuracy`,
      `mean_alone`, `splits` like `folds`, and what `leak` says}.
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
        **_measure(predictions, next(iter(outcomes.values())).class_names),
    }
    if random:
        rows = [_row(name, outcome) for name, outcome in random.items()]
        results["random"] = {**_mean(rows), "splits": rows, **leak(random.values())}
    return results, predictions


def leak(outcomes):
    """How many clips runs tested, how many of these are of recordings that the run trained on, and of how many."""
    tested = [outcome.predictions.recording for outcome in outcomes]
    shared = pd.concat([of_run[of_run.isin(outcome.trained)] for outcome, of_run in zip(outcomes, tested, strict=True)])
    return {
        "n_clips": sum(map(len, tested)),
        "leaked_clips": len(shared),
        "leaked_recordings": int(shared.nunique()),
    }


def crossval_table(results):
    """The classes and totals of the pooled clips, then a line per fold, the mean, and random splits beside it."""
    lines = [metrics_table(results), "", "fold  accuracy  macro F1  clips  minutes"]
    lines += [_fold_line(str(row["fold"]), row) for row in results["folds"]]
    lines += ["", f"mean of folds  {spread(results)}", *_alone_lines(results), f"pooled         {headline(results)}"]
    if "random" in results:
        random = results["random"]
        lines += [
            "",
            f"official folds {percent(results['mean_accuracy'])}",
            f"random split   {spread(random)}: {leak_line(random)}",
            *_alone_lines(random),
            LEAKS,
        ]
    return "\n".join(lines)


def spread(results):
    """'61.2 % (standard deviation 4.1 over 3 folds)', of folds or of random splits."""
    kind = "folds" if "folds" in results else "splits"
    if results["std_accuracy"] is None:
        return f"{percent(results['mean_accuracy'])} (one {kind[:-1]})"
    deviation = f"standard deviation {100 * results['std_accuracy']:.1f}"
    return f"{percent(results['mean_accuracy'])} ({deviation} over {len(results[kind])} {kind})"


def leak_line(random):
    """How much of random splits' tests is known from training."""
    return (
        f"{random['leaked_clips']} of {random['n_clips']} test clips "
        f"come from {random['leaked_recordings']} recordings that were trained on"
    )


def write(path, results, predictions, settings):
    """Write the pictures and report.html.

    Args:
      path: the directory.
      results: what `pool` returns.
      predictions: the pooled predictions.
      settings: {section: {name: value}} of the first run.
    """
    class_names = list(results["per_class"])
    drawn = (
        ("folds.png", "Folds", "Accuracy of every fold with its 95 % interval", plots.folds(results)),
        (
            "confusion_matrix.png",
            "Confusion matrix",
            "Test clips of all folds by true and predicted class",
            plots.confusion_matrix(results["confusion"], class_names),
        ),
        (
            "class_bars.png",
            "Classes",
            "F1, precision and recall of every class",
            plots.class_bars(results["per_class"]),
        ),
        (
            "calibration.png",
            "Calibration",
            "Share of right answers by the confidence that they were given with",
            plots.calibration(results["calibration"]),
        ),
    )
    for name, _, _, figure in drawn:
        plots.save(figure, path / name)
    dataset, model = settings["data"]["dataset"], settings["model"]["model"]
    facts = {
        "Mean of folds": spread(results),
        "Protocol": results["protocol"],
        "Model": model,
        "Training": f"{sum(row['minutes'] for row in results['folds']):.1f} minutes",
    }
    warnings = []
    if results["mean_alone"]:
        facts["Networks alone"] = shares(results["mean_alone"])
    if "random" in results:
        random = results["random"]
        facts["Random split"] = f"{spread(random)}, which leaks"
        warnings.append(f"A {LEAKS}. Here {leak_line(random)}.")
    page.write(
        path / "report.html",
        title=f"{dataset}: {model}, cross-validation",
        metrics=results,
        facts=facts,
        tables=[_fold_table(results)],
        pictures=[page.Picture(path / name, title, alt) for name, title, alt, _ in drawn],
        settings=settings,
        warnings=warnings,
        synthetic=dataset == "synthetic",
    )


def _measure(predictions, class_names):
    labels = predictions.label.map({name: i for i, name in enumerate(class_names)}).to_numpy()
    scores = predictions[[f"score_{name}" for name in class_names]].to_numpy(np.float32)
    salience = predictions.salience if predictions.salience.notna().any() else None
    return metrics.evaluate(labels, scores, predictions.recording, class_names, salience)


def _row(name, outcome):
    measured = _measure(outcome.predictions, outcome.class_names)
    kept = ("accuracy", "accuracy_interval", "n_clips", "n_recordings", "macro_f1")
    own = {"run": name, "fold": outcome.fold, "minutes": outcome.minutes, "alone": outcome.alone}
    return {**own, **{key: measured[key] for key in kept}}


def _mean(rows):
    accuracies = [row["accuracy"] for row in rows]
    alone = pd.DataFrame([row["alone"] for row in rows]).dropna(axis=1)  # a run of an older version doesn't say
    return {
        "mean_accuracy": float(np.mean(accuracies)),
        "std_accuracy": float(np.std(accuracies, ddof=1)) if len(rows) > 1 else None,
        "mean_alone": alone.mean().to_dict(),
    }


def _alone_lines(results):
    return [f"alone          {shares(results['mean_alone'])}"] if results["mean_alone"] else []


def _fold_line(name, row):
    shares = f"{percent(row['accuracy']):>8}  {percent(row['macro_f1']):>8}"
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
        "Folds", "Each fold tested once", ["test fold", "accuracy", "macro F1", "clips", "minutes"], rows, 3
    )
