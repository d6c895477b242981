"""From labels and scores to figures: accuracy with its interval, classes, calibration, salience.

A class counts as predicted where its score is the highest; of equal scores, the first class.
scikit-learn computes what it has a function for.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from urbansound.errors import InputError
from urbansound.report.trust import coverage, precision_recall

CALIBRATION_BINS = 15
SALIENCE = {"foreground": 1, "background": 2}


def evaluate(labels, scores, recordings, class_names, salience=None, *, resamples=2000, seed=0):
    """Every figure of one test, ready for JSON.

    What is undefined is None: the precision of a class that was never predicted; recall, F1 and average precision of
    a class without test clips. Macro means are over the classes that have test clips.

    Args:
      labels: int [clips], the true classes.
      scores: float32 [clips, classes], probabilities (softmax).
      recordings: str [clips]; clips of one recording are not independent.
      class_names: str [classes].
      salience: int or missing [clips], 1 foreground, 2 background; None: not known.
      resamples: draws of the bootstrap.
      seed: of these draws.

    Returns:
      A dict of plain Python values, shares from 0 to 1: `accuracy`, `accuracy_interval` [low, high],
      `n_clips`, `n_recordings`, `majority_accuracy` (of always answering the most frequent class),
      `macro_f1`, `macro_average_precision`, `per_class` {label: {`precision`, `recall`, `f1`,
      `average_precision`, `support`}}, `confusion` counts [true][predicted], `calibration` (see
      `calibration`), `coverage` and `precision_recall` (see `trust`); from 4 classes on `top3_accuracy`; `foreground`
      and `background`, each with its accuracy, interval and counts, where there are such clips.

    Raises:
      InputError: shapes that do not fit, no clips, a label that is no class, scores that are no probabilities.
    """
    labels, scores, recordings = np.asarray(labels), np.asarray(scores), np.asarray(recordings, dtype=str)
    check_scores(len(labels), scores, recordings, class_names)
    _check_labels(labels, len(recordings), len(class_names))
    predicted = scores.argmax(axis=1)
    correct = predicted == labels
    one_hot, answers = (values[:, np.newaxis] == np.arange(len(class_names)) for values in (labels, predicted))
    classes = per_class(one_hot, answers, scores)
    metrics = {
        **summary(correct, recordings, resamples=resamples, seed=seed),
        "majority_accuracy": float(classes["support"].max() / len(labels)),
        "macro_f1": mean(classes["f1"]),
        "macro_average_precision": mean(classes["average_precision"]),
        "per_class": by_label(classes, class_names),
        "confusion": confusion(labels, predicted, len(class_names)).tolist(),
        "calibration": calibration(labels, scores),
        "coverage": coverage(labels, scores),
        "precision_recall": precision_recall(one_hot, scores, class_names),
    }
    if len(class_names) >= 4:
        metrics["top3_accuracy"] = float((rank(scores)[:, :3] == labels[:, np.newaxis]).any(axis=1).mean())
    for name, of_group in groups(salience, len(labels)):
        metrics[name] = summary(correct[of_group], recordings[of_group], resamples=resamples, seed=seed)
    return metrics


def confusion(labels, predicted, classes):
    """Counts int64 [true, predicted] of class indices int [clips]."""
    return sklearn_metrics.confusion_matrix(labels, predicted, labels=range(classes))


def rank(scores):
    """Class indices int64 [clips, classes], highest score first; equal scores in the order of the classes."""
    return np.argsort(-scores, axis=1, kind="stable")


def best_three(scores, class_names):
    """[(class names str [clips], scores [clips])] of the highest scores, then the next: three, or one a class."""
    order = rank(scores)[:, :3]
    names, values = np.asarray(class_names, dtype=object)[order], np.take_along_axis(scores, order, axis=1)
    return list(zip(names.T, values.T, strict=True))


def bootstrap_interval(correct, recordings, *, resamples=2000, seed=0):
    """95 % percentile interval of accuracy, by drawing recordings with replacement.

    Recordings with the same numbers of clips and of hits are interchangeable. One multinomial draw
    of these kinds of recordings replaces a draw per recording: same distribution, less memory.

    Args:
      correct: bool [clips].
      recordings: str [clips].
      resamples: number of draws.
      seed: of the draws.

    Returns:
      [low, high]; [0, 1] for a single recording, which says nothing about another. Where all clips are right, or none
      is, every draw is alike: the exact interval of as many recordings, all right or all wrong, takes its place.

    Source: Efron and Tibshirani 1993, ch. 13; a cluster bootstrap, the ratio of sums in each draw. Clopper and Pearson
    1934 (the exact interval).
    """
    _, place = np.unique(recordings, return_inverse=True)
    clips, hits = np.bincount(place), np.bincount(place, weights=correct)
    if len(clips) < 2:
        return [0.0, 1.0]
    if np.all(correct) or not np.any(correct):
        low = 0.025 ** (1 / len(clips))
        return [low, 1.0] if np.all(correct) else [0.0, 1 - low]
    kinds, occurrences = np.unique(np.stack([hits, clips], axis=1), axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(clips), occurrences / len(clips), size=resamples)  # [resamples, kinds]
    totals = drawn @ kinds  # [resamples, (hits, clips)]
    return np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5]).tolist()


def calibration(labels, scores):
    """How far a score can be taken for a probability.

    Args:
      labels: int [clips].
      scores: float32 [clips, classes], probabilities.

    Returns:
      `ece`, the expected calibration error: mean over clips of |accuracy - confidence| of their bin,
      confidence being the highest score; `bins`, 15 of equal width, open below and closed above, each
      with `low`, `high`, `count` and the means `confidence` and `accuracy` (None when empty);
      `brier`, the mean squared distance to the one-hot label, from 0 to 2; `log_loss` in nats, scores
      below float32's epsilon raised to it. Both are of the scores as they are, even where a row does
      not sum to 1, as those of an int8 file.

    Source: Guo, Pleiss, Sun, Weinberger 2017 (ECE); Brier 1950.
    """
    scores = scores.astype(np.float64)
    found = reliability(scores.max(axis=1), scores.argmax(axis=1) == labels)
    return {"ece": found["ece"], **_proper_scores(labels, scores), "bins": found["bins"]}


def reliability(confidence, correct):
    """`ece` and `bins` of float64 [answers] and whether each is right, bool [answers]; see `calibration`."""
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    count = np.bincount(place, minlength=CALIBRATION_BINS)
    sums = [np.bincount(place, weights=values, minlength=CALIBRATION_BINS) for values in (confidence, correct)]
    means = [_ratio(total, count) for total in sums]
    bins = [
        {"low": low, "high": high, "count": int(n), "confidence": _number(trust), "accuracy": _number(share)}
        for low, high, n, trust, share in zip(edges[:-1].tolist(), edges[1:].tolist(), count, *means, strict=True)
    ]
    return {"ece": float(np.abs(sums[1] - sums[0]).sum() / len(correct)), "bins": bins}


def _proper_scores(labels, scores):
    """Brier score and log loss of float64 [clips, classes]."""
    classes = range(scores.shape[1])
    with warnings.catch_warnings():  # scikit-learn warns of rows that miss a sum of 1 by float32's rounding
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one", UserWarning)
        brier = sklearn_metrics.brier_score_loss(labels, scores.clip(0, 1), labels=classes, scale_by_half=False)
        floored = scores.clip(np.finfo(np.float32).eps, 1)
        return {"brier": brier, "log_loss": float(sklearn_metrics.log_loss(labels, floored, labels=classes))}


def summary(correct, recordings, *, resamples=2000, seed=0):
    """The dict of `accuracy`, its interval, `n_clips` and `n_recordings`, of bool [clips] and str [clips]."""
    return {
        "accuracy": float(correct.mean()),
        "accuracy_interval": bootstrap_interval(correct, recordings, resamples=resamples, seed=seed),
        "n_clips": len(correct),
        "n_recordings": len(np.unique(recordings)),
    }


def per_class(targets, decided, scores):
    """Figures of each class, of bool [clips, classes] twice and scores: {name: [classes]}, NaN where undefined."""
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(
        targets, decided, labels=range(scores.shape[1]), zero_division=np.nan
    )
    return {
        "precision": precision,
        "recall": recall,
        "f1": np.where(support > 0, f1, np.nan),  # scikit-learn has 0 for a class that is predicted and never true
        "average_precision": average_precisions(targets, scores),
        "support": support,
    }


def average_precisions(targets, scores):
    """float64 [classes] of bool [clips, classes] and scores; NaN, without a warning, of a class without clips."""
    score = sklearn_metrics.average_precision_score
    columns = zip(targets.T, scores.T, strict=True)
    return np.array([score(positive, column) if positive.any() else np.nan for positive, column in columns])


def mean(values):
    """Mean over the classes that are not NaN; None where all are."""
    return None if np.isnan(values).all() else float(np.nanmean(values))


def by_label(classes, class_names):
    """{label: figures of it} of what `per_class` returns, NaN as None."""
    rows = zip(*classes.values(), strict=True)
    return {
        name: {**{key: _number(value) for key, value in zip(classes, row, strict=True)}, "support": int(row[-1])}
        for name, row in zip(class_names, rows, strict=True)
    }


def groups(salience, clips):
    """(name, bool [clips]) of each salience that occurs."""
    if salience is None:
        return []
    values = pd.array(salience, dtype="Int64").to_numpy(np.int64, na_value=0)
    if len(values) != clips:
        raise InputError(f"salience must have a value per clip. Received: {len(values)} for {clips} clips")
    return [(name, values == value) for name, value in SALIENCE.items() if (values == value).any()]


def _ratio(part, whole):
    """The ratio, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _number(value):
    return None if np.isnan(value) else float(value)


def _check_labels(labels, clips, classes):
    if labels.shape != (clips,) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be integers [clips]. Received: {labels.dtype} {list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"labels must be from 0 to {classes - 1}. Received: {labels.min()} to {labels.max()}")


def check_scores(clips, scores, recordings, class_names):
    """Raise InputError where scores [clips, classes], recordings [clips] and class_names are not of one test."""
    classes = len(class_names)
    if clips == 0:
        raise InputError("there are no clips to measure; the test fold is empty")
    if len(set(class_names)) != classes:
        raise InputError("class_names must differ from one another")
    if scores.shape != (clips, classes):
        raise InputError(f"scores must be [{clips} clips, {classes} classes]. Received: {list(scores.shape)}")
    if recordings.shape != (clips,):
        raise InputError(f"recordings must be [{clips} clips]. Received: {list(recordings.shape)}")
    if not np.isfinite(scores).all():
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        raise InputError(f"scores must be finite. Received: {len(bad)} clips with NaN or infinity, first clip {bad[0]}")
    if scores.min() < -1e-3 or scores.max() > 1 + 1e-3:  # float rounding and quantized outputs pass
        raise InputError(
            f"scores must be probabilities from 0 to 1. Received: {scores.min():.3g} to {scores.max():.3g}"
        )
