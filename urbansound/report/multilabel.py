"""From targets and scores to figures where a clip may be of several classes: average precision first.

A class counts as predicted where its score is at least its threshold. scikit-learn computes what it has a function
for, but the interval.
"""

import numpy as np
from sklearn import metrics as sklearn_metrics

from urbansound.errors import InputError
from urbansound.report import metrics
from urbansound.report.trust import precision_recall

DRAWS_AT_ONCE = 100  # of the bootstrap: what bounds its memory


def evaluate(targets, scores, recordings, class_names, salience=None, *, decided, resamples=2000, seed=0):
    """Every figure of one test, ready for JSON.

    What is undefined is None, and macro means are over the classes that have test clips, as in `metrics.evaluate`.

    Args:
      targets: float32 [clips, classes], 1 for each class of a clip.
      scores: float32 [clips, classes], probabilities of each class by itself.
      recordings: str [clips]; clips of one recording are not independent.
      class_names: str [classes].
      salience: int or missing [clips], 1 foreground, 2 background; None: not known.
      decided: bool [clips, classes], the classes that were predicted.
      resamples: draws of the bootstrap.
      seed: of these draws.

    Returns:
      A dict of plain Python values, shares from 0 to 1: `macro_average_precision` and its `…_interval` [low, high],
      `n_clips`, `n_recordings`, `chance_average_precision` (of scores that say nothing: the mean share of clips that a
      class has), `macro_f1`, `micro_f1` (of all classes' answers together), `exact_match` (clips whose classes are
      all right), `per_class` as in `metrics.evaluate`, `calibration` (see `calibration`), `precision_recall` (see
      `trust`); `foreground` and `background`, where there are such clips.

    Raises:
      InputError: as `metrics.evaluate`; targets or answers of other shapes.
    """
    targets, decided = np.asarray(targets) >= 0.5, np.asarray(decided, bool)
    scores, recordings = np.asarray(scores), np.asarray(recordings, str)
    if not targets.shape == decided.shape == scores.shape:
        shapes = ", ".join(str(list(values.shape)) for values in (targets, decided, scores))
        raise InputError(f"targets, decided and scores must be [clips, classes] alike. Received: {shapes}")
    metrics.check_scores(len(targets), scores, recordings, class_names)
    classes = metrics.per_class(targets, decided, scores)
    result = {
        **summary(targets, scores, recordings, resamples=resamples, seed=seed),
        "chance_average_precision": metrics.mean(np.where(targets.any(axis=0), targets.mean(axis=0), np.nan)),
        "macro_f1": metrics.mean(classes["f1"]),
        "micro_f1": float(sklearn_metrics.f1_score(targets, decided, average="micro", zero_division=0)),
        "exact_match": float((targets == decided).all(axis=1).mean()),
        "per_class": metrics.by_label(classes, class_names),
        "calibration": calibration(targets, scores),
        "precision_recall": precision_recall(targets, scores, class_names),
    }
    for name, group in metrics.groups(salience, len(targets)):
        result[name] = summary(targets[group], scores[group], recordings[group], resamples=resamples, seed=seed)
    return result


def summary(targets, scores, recordings, *, resamples=2000, seed=0):
    """The dict of `macro_average_precision`, its interval, `n_clips` and `n_recordings`; arguments as in `evaluate`."""
    interval = bootstrap_interval(targets, scores, recordings, resamples=resamples, seed=seed)
    return {
        "macro_average_precision": macro_average_precision(targets, scores),
        "macro_average_precision_interval": interval,
        "n_clips": len(targets),
        "n_recordings": len(np.unique(recordings)),
    }


def macro_average_precision(targets, scores):
    """Mean of average precision over the classes that clips have; None where no clip has any."""
    targets = np.asarray(targets) >= 0.5
    return metrics.mean(metrics.average_precisions(targets, np.asarray(scores)))


def bootstrap_interval(targets, scores, recordings, *, resamples=2000, seed=0):
    """95 % percentile interval of macro average precision, by drawing recordings with replacement.

    Args:
      targets: float or bool [clips, classes].
      scores: float [clips, classes].
      recordings: str [clips].
      resamples: number of draws.
      seed: of the draws.

    Returns:
      [low, high]; a class that a draw has no clip of does not count in it. [0, 1] for a single recording, which says
      nothing about another, and where no clip has a class.

    Source: as `metrics.bootstrap_interval`.
    """
    targets, scores = np.asarray(targets) >= 0.5, np.asarray(scores)
    _, place = np.unique(recordings, return_inverse=True)
    count = place.max() + 1
    if count < 2 or not targets.any():
        return [0.0, 1.0]
    generator = np.random.default_rng(seed)
    order, values = np.argsort(-scores, axis=0, kind="stable"), []
    for first in range(0, resamples, DRAWS_AT_ONCE):
        draws = min(DRAWS_AT_ONCE, resamples - first)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=draws)[:, place]  # [draws, clips]
        of_classes = [
            _weighted_average_precision(targets[row, i], scores[row, i], drawn[:, row]) for i, row in enumerate(order.T)
        ]
        known = np.stack(of_classes)
        counts = np.maximum((~np.isnan(known)).sum(axis=0), 1)
        values.append(np.nansum(known, axis=0) / counts)
    return np.percentile(np.concatenate(values), [2.5, 97.5]).tolist()


def _weighted_average_precision(positive, scores, weights):
    """Average precision [draws] of clips in the order of falling scores, with weights [draws, clips]; NaN: undefined.

    Clips of equal scores come together, as in scikit-learn.
    """
    last = np.append(scores[1:] != scores[:-1], True)  # of equal scores
    found = np.cumsum(weights * positive, axis=1)[:, last]
    seen = np.cumsum(weights, axis=1)[:, last]
    total = found[:, -1]
    gained = np.diff(found, prepend=0, axis=1)
    precision = found / np.maximum(seen, 1)
    return np.divide((gained * precision).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)


def calibration(targets, scores):
    """How far a score can be taken for the probability of its class, over all scores of all clips.

    Args:
      targets: bool [clips, classes].
      scores: float32 [clips, classes], probabilities.

    Returns:
      As `metrics.calibration`: `ece`, the expected calibration error, mean over scores of |share of them whose class
      is there - score| of their bin; `bins`; `brier`, the mean squared distance of a score to 0 or 1; `log_loss`, the
      mean over scores in nats. `of`: what is counted in the bins.
    """
    truth, values = targets.ravel(), scores.astype(np.float64).ravel()
    floored = values.clip(np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps)
    return {
        **metrics.reliability(values, truth),
        "brier": float(np.mean((values - truth) ** 2)),
        "log_loss": float(-np.mean(np.where(truth, np.log(floored), np.log1p(-floored)))),
        "of": "scores",
    }
