"""Scores that can be taken for probabilities, and the scores from which an answer is believed."""

import dataclasses

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

from urbansound.report.trust import known, log_scores
from urbansound.targets import MULTILABEL, THRESHOLD, Targets

BOUNDS = (0.05, 20.0)  # of a temperature
SPREAD = 1.0  # deviation of the temperature's logarithm around 0 before any clip is seen
ACCEPTED = 0.9  # share of known sounds that "none of these" is not said of
BY_THRESHOLDS = "no class's score is at least its threshold"
METHOD = "logistic regression of log scores against generated noise, hum and silence"


@dataclasses.dataclass(frozen=True)
class Clips:
    """Clips that the networks of a model were not trained on.

    Attributes:
      scores: float [networks, windows, classes], each network's of the windows of all clips, not calibrated.
      shares: float [networks], the weight of each in the mean; they add up to 1.
      owners: int [windows], the clip of each window, rising from 0; a clip's score is the mean over its windows.
      targets: float32 [clips, classes], 1 for each class of a clip.
      recordings: str [clips].
      background: float [networks, sounds, classes], each network's scores of sounds that belong to no class.
      kind: what a clip's label says, and so what scores are.
    """

    scores: np.ndarray
    shares: np.ndarray
    owners: np.ndarray
    targets: np.ndarray
    recordings: np.ndarray
    background: np.ndarray
    kind: Targets

    @classmethod
    def joined(cls, parts):
        """The clips of several runs whose models have the same form."""
        offsets = np.cumsum([0, *(len(part.targets) for part in parts[:-1])])
        return cls(
            np.concatenate([part.scores for part in parts], axis=1),
            parts[0].shares,
            np.concatenate([part.owners + offset for part, offset in zip(parts, offsets, strict=True)]),
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.recordings for part in parts]),
            np.concatenate([part.background for part in parts], axis=1),
            parts[0].kind,
        )

    def scores_at(self, temperature):
        """Scores float64 [clips, classes] of the model whose networks' logits are divided by a temperature."""
        windows = np.tensordot(self.shares, self.kind.tempered(self.scores, temperature), axes=1)
        _, starts, counts = np.unique(self.owners, return_index=True, return_counts=True)
        return np.add.reduceat(windows, starts, axis=0) / counts[:, np.newaxis]

    def background_at(self, temperature):
        """The same of the background, float64 [sounds, classes]."""
        return np.tensordot(self.shares, self.kind.tempered(self.background, temperature), axes=1)


def fit(clips, class_names, precision, source):
    """A temperature and the thresholds of the scores that it gives.

    Args:
      clips: Clips.
      class_names: str [classes].
      precision: that every class's threshold is chosen for.
      source: which clips these are, in words.

    Returns:
      A dict for JSON: `temperature`; `classes` {label: threshold} (see `class_thresholds`); `none`, the least value of
      `trust.known` that a sound of the classes has; `method`, how that tells; where clips have one class each `weights`
      {label: weight} and `bias`, which that function takes; `precision`; `accepted`, the share of clips that `none`
      accepts; `found` {label: {`precision`, `recall`} of these clips at the threshold, both None where no clip has the
      label}; `source`, `n_clips`, `n_recordings`.
    """
    found = temperature(clips)
    scores = clips.scores_at(found)
    of_classes = class_thresholds(scores, clips.targets >= 0.5, precision)
    classes = {label: threshold for label, (threshold, *_) in zip(class_names, of_classes, strict=True)}
    if clips.kind is MULTILABEL:
        rule = _by_thresholds(scores, classes)
    else:
        rule = _by_background(scores, clips.background_at(found), class_names)
    return {
        "temperature": found,
        "classes": classes,
        **rule,
        "precision": precision,
        "found": {
            label: {"precision": reached, "recall": recall}
            for label, (_, reached, recall) in zip(class_names, of_classes, strict=True)
        },
        "source": source,
        "n_clips": len(clips.targets),
        "n_recordings": len(np.unique(clips.recordings)),
    }


def _by_thresholds(scores, classes):
    """The rule of "none of these" where each class has a score by itself."""
    accepted = float(np.mean(known(scores, {"classes": classes}) >= 0))
    return {"none": 0.0, "method": BY_THRESHOLDS, "accepted": accepted}


def _by_background(scores, background, class_names):
    """The rule of "none of these" where the scores of a clip are of one class among all."""
    weights, bias = fit_known(scores, background)
    rule = {"weights": dict(zip(class_names, weights, strict=True)), "bias": bias}
    values = known(scores, rule)
    none = none_threshold(values)
    return {"none": none, **rule, "method": METHOD, "accepted": float(np.mean(values >= none))}


def temperature(clips):
    """The temperature, within BOUNDS, that makes the targets of Clips most likely, given that it is about 1.

    Clips of one recording are right or wrong together, so each recording weighs the same. What is minimised is the sum
    over recordings of their clips' mean negative log-likelihood, and (ln T / SPREAD)² / 2, which keeps T finite where
    every clip is right; 20 recordings outweigh it.

    Source: Guo, Pleiss, Sun, Weinberger 2017.
    """
    _, place, counts = np.unique(clips.recordings, return_inverse=True, return_counts=True)

    def loss(logarithm):
        doubt = -clips.kind.likelihood(clips.scores_at(np.exp(logarithm)), clips.targets)
        return np.sum(doubt / counts[place]) + (logarithm / SPREAD) ** 2 / 2

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def class_thresholds(scores, targets, precision):
    """The lowest score of each class from which the wanted share of clips has its label.

    Where no threshold has that share, it is the one of the highest share, of equals the lowest. A class without
    clips has the threshold of all classes' scores together.

    Args:
      scores: float [clips, classes].
      targets: bool [clips, classes], whether a clip has the class.
      precision: the wanted share, 0 to 1.

    Returns:
      [(threshold, precision, recall)] for each class; None for both shares where no clip has its label.
    """
    if not targets.any():
        return [(THRESHOLD, None, None)] * len(targets.T)
    pooled, _, _ = _threshold(targets.ravel(), scores.ravel(), precision)
    return [
        _threshold(of_class, column, precision) if of_class.any() else (pooled, None, None)
        for of_class, column in zip(targets.T, scores.T, strict=True)
    ]


def fit_known(scores, background):
    """Logistic regression that tells clips of the classes from other sounds by the logarithms of their scores.

    Both kinds weigh the same in sum, however many there are.

    Args:
      scores: float [clips, classes], calibrated.
      background: float [sounds, classes], calibrated.

    Returns:
      (weights: a float per class, bias), see `trust.known`.
    """
    kinds = np.repeat([1, 0], [len(scores), len(background)])
    regression = LogisticRegression(class_weight="balanced", max_iter=1000)
    regression.fit(log_scores(np.concatenate([scores, background])), kinds)
    return regression.coef_[0].tolist(), float(regression.intercept_[0])


def none_threshold(values):
    """The highest threshold that accepts ACCEPTED or more of clips, by their values of `trust.known`, float [clips]."""
    return float(np.sort(values)[int((1 - ACCEPTED) * len(values) + 1e-9)])


def _threshold(positive, scores, wanted):
    precisions, recalls, thresholds = precision_recall_curve(positive, scores)
    precisions, recalls = precisions[:-1], recalls[:-1]  # the last point has no threshold
    enough = np.flatnonzero((precisions >= min(wanted, precisions[recalls > 0].max())) & (recalls > 0))
    place = enough[0]  # thresholds rise: the lowest has the highest recall
    return float(thresholds[place]), float(precisions[place]), float(recalls[place])
