"""How far answers can be believed by their scores: accuracy by coverage, precision by recall, what thresholds do."""

import numpy as np
from scipy.special import expit
from sklearn.metrics import precision_recall_curve

STEPS = 20  # of coverage
CURVE_POINTS = 50  # of precision by recall
LEAST = 1 / 512  # of a score whose logarithm is taken


def coverage(labels, scores):
    """Accuracy of the clips of the highest scores.

    Args:
      labels: int [clips], the true classes.
      scores: float [clips, classes].

    Returns:
      [{`coverage`: share of the clips, `score`: the lowest of theirs, `accuracy`: share of right answers}] for shares
      of 1 / STEPS, 2 / STEPS … 1, as far as there are clips. 1 - accuracy is the risk.

    Source: El-Yaniv and Wiener 2010 (risk and coverage).
    """
    largest, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    order = np.argsort(-largest, kind="stable")
    hits = np.cumsum(right[order])
    counts = np.unique(np.round(np.linspace(0, len(labels), STEPS + 1)[1:]).astype(int))
    return [
        {
            "coverage": count / len(labels),
            "score": float(largest[order[count - 1]]),
            "accuracy": float(hits[count - 1] / count),
        }
        for count in counts.tolist()
        if count
    ]


def precision_recall(targets, scores, class_names):
    """Precision and recall of each class for every threshold of its score that finds one clip more.

    Args:
      targets: bool [clips, classes], whether a clip has the class.
      scores: float [clips, classes].
      class_names: str [classes].

    Returns:
      {label: {`threshold`, `precision`, `recall`: lists of equal length, recall rising to 1, at most CURVE_POINTS}};
      empty lists where no clip has the label.
    """
    return {name: _curve(targets[:, place], scores[:, place]) for place, name in enumerate(class_names)}


def _curve(positive, scores):
    if not positive.any():
        return {"threshold": [], "precision": [], "recall": []}
    precisions, recalls, thresholds = precision_recall_curve(positive, scores)
    # Thresholds rise. Of those of one recall, the highest has the highest precision.
    last = np.flatnonzero(np.diff(recalls) < 0)[::-1]
    last = last[np.unique(np.linspace(0, len(last) - 1, CURVE_POINTS).round().astype(int))]
    columns = {"threshold": thresholds, "precision": precisions, "recall": recalls}
    return {name: np.asarray(column, np.float64)[last].tolist() for name, column in columns.items()}


def log_scores(scores):
    """Natural logarithms of scores, of LEAST at least: an int8 output has steps of 1/256. Any shape to the same."""
    return np.log(np.maximum(np.asarray(scores, np.float64), LEAST))


def known(scores, thresholds):
    """How sure it is that sounds belong to any class: 1 / (1 + exp(-(bias + sum of weight * log score))).

    It was fitted to tell clips of the classes from generated noise; of other sounds it is a guess.

    Without such a rule a sound is of no class where no score is at least its class's threshold: the value is how far
    above it a score is, the largest of all classes.

    Args:
      scores: float [clips, classes], calibrated.
      thresholds: what `inference.calibration.fit` returned, of which it takes `weights` and `bias`, or `classes`.

    Returns:
      float64 [clips]. A sound below `thresholds["none"]` is none of the classes.
    """
    if "weights" not in thresholds:
        return (np.asarray(scores, np.float64) - list(thresholds["classes"].values())).max(axis=1)
    return expit(log_scores(scores) @ np.array(list(thresholds["weights"].values())) + thresholds["bias"])


def of_classes(scores, thresholds):
    """Whether sounds belong to any class by these thresholds, bool [clips]; arguments as those of `known`."""
    return known(scores, thresholds) >= thresholds["none"]


def measure(targets, decided, scores, thresholds):
    """What a run's thresholds do on its test clips.

    Args:
      targets: float [clips, classes], 1 for each class of a clip.
      decided: bool [clips, classes], the classes that were predicted.
      scores: float [clips, classes].
      thresholds: what `inference.calibration.fit` returned.

    Returns:
      A dict for JSON: `none` {`threshold`, `accepted`: share of clips whose value of `known` is at least that,
      `accuracy` of those: the share whose classes are all right}; `classes` {label: {`threshold`, `precision`, `recall`
      of the clips whose score of it is at least that}}; `wanted_precision`; `temperature`, `source`, `n_clips`,
      `n_recordings` of the fit. What is undefined is None.
    """
    truth = np.asarray(targets) >= 0.5
    accepted, right = of_classes(scores, thresholds), (truth == decided).all(axis=1)
    classes = {}
    for i, (label, threshold) in enumerate(thresholds["classes"].items()):
        above, true = scores[:, i] >= threshold, truth[:, i]
        found = int(np.sum(above & true))
        classes[label] = {
            "threshold": threshold,
            "precision": _share(found, above.sum()),
            "recall": _share(found, true.sum()),
        }
    return {
        "none": {
            "threshold": thresholds["none"],
            "accepted": _share(accepted.sum(), len(truth)),
            "accuracy": _share(np.sum(accepted & right), accepted.sum()),
        },
        "classes": classes,
        "wanted_precision": thresholds["precision"],
        **{name: thresholds[name] for name in ("temperature", "source", "n_clips", "n_recordings")},
    }


def is_of(measured, thresholds):
    """Whether what `measure` returned is of these thresholds."""
    of_classes = [row["threshold"] for row in measured["classes"].values()]
    numbers = (measured["temperature"], measured["none"]["threshold"], of_classes)
    return numbers == (thresholds["temperature"], thresholds["none"], list(thresholds["classes"].values()))


def _share(part, whole):
    return float(part / whole) if whole else None
