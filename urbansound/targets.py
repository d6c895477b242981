"""What the label of a clip says: one class, or any number of classes. All that follows from which of the two it is.

A label is text: the name of a class, or for MULTILABEL names with SEPARATOR between, in the order of the classes. Its
target is float32 [classes]: 1 for each class that it names, 0 for the others.
"""

import dataclasses
from abc import ABC, abstractmethod

import numpy as np

SEPARATOR = ";"
NONE = "none of these"  # the label of a sound that is taken for no class
THRESHOLD = 0.5  # of every class, where no thresholds were chosen
LEAST_SCORE = 1e-12  # whose logit is taken


@dataclasses.dataclass(frozen=True)
class Targets(ABC):
    """One of the two kinds.

    Attributes:
      name: what --targets calls it.
      activation: Keras's name of the function that makes scores of logits.
      loss: name of the class of keras.losses that it is trained by.
      measure: the figure that models are compared by, by its name in metrics.json.
      scores: what scores are, in a sentence.
    """

    name: str
    activation: str
    loss: str
    measure: str
    scores: str

    def matrix(self, labels, class_names):
        """Targets float32 [clips, classes] of labels str [clips]."""
        places = {name: place for place, name in enumerate(class_names)}
        result = np.zeros((len(labels), len(class_names)), np.float32)
        for row, label in enumerate(labels):
            result[row, [places[name] for name in self.names(label)]] = 1
        return result

    def labels(self, decided, class_names):
        """Labels, a list of str [clips], of bool [clips, classes]; "" where no class is decided for."""
        names = np.asarray(class_names, object)
        return [SEPARATOR.join(names[row]) for row in decided]

    @abstractmethod
    def names(self, label):
        """The classes that a label names, a tuple of str."""

    @abstractmethod
    def nothing(self, classes):
        """The value, of each class, in the target of a sound that is none of so many classes."""

    @abstractmethod
    def decide(self, scores, thresholds=None):
        """The classes that scores speak for: bool [clips, classes].

        Args:
          scores: float [clips, classes].
          thresholds: None, or a dict that has `classes` {label: threshold}, see `inference.calibration.fit`.
        """

    @abstractmethod
    def logits(self, scores):
        """Logits float64 of scores [..., classes], but for what `tempered` does not depend on."""

    @abstractmethod
    def tempered(self, scores, temperature):
        """Scores float64 of the same shape whose logits are divided by a temperature."""

    @abstractmethod
    def likelihood(self, scores, targets):
        """Log-likelihood float64 [clips] of targets [clips, classes] by scores [clips, classes]."""


class _Single(Targets):
    def names(self, label):
        return (label,)

    def nothing(self, classes):
        return 1 / classes

    def decide(self, scores, thresholds=None):
        """The class of the highest score, of equals the first; thresholds play no part."""
        return np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, np.newaxis]

    def logits(self, scores):
        return np.log(np.maximum(np.asarray(scores, np.float64), LEAST_SCORE))

    def tempered(self, scores, temperature):
        powers = self.logits(scores) / temperature
        powers = np.exp(powers - powers.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def likelihood(self, scores, targets):
        return (targets * self.logits(scores)).sum(axis=1)


class _Multilabel(Targets):
    def names(self, label):
        return tuple(label.split(SEPARATOR)) if label else ()

    def nothing(self, classes):
        return 0.0

    def decide(self, scores, thresholds=None):
        """Every class whose score is at least its threshold."""
        least = THRESHOLD if thresholds is None else np.array(list(thresholds["classes"].values()))
        return np.asarray(scores, np.float64) >= least

    def logits(self, scores):
        scores = np.clip(np.asarray(scores, np.float64), LEAST_SCORE, 1 - LEAST_SCORE)
        return np.log(scores) - np.log1p(-scores)

    def tempered(self, scores, temperature):
        return 1 / (1 + np.exp(-self.logits(scores) / temperature))

    def likelihood(self, scores, targets):
        scores = np.clip(np.asarray(scores, np.float64), LEAST_SCORE, 1 - LEAST_SCORE)
        return (targets * np.log(scores) + (1 - targets) * np.log1p(-scores)).sum(axis=1)


SINGLE = _Single(
    name="single",
    activation="softmax",
    loss="CategoricalCrossentropy",
    measure="accuracy",
    scores="Probability of each class; they sum to 1.",
)
MULTILABEL = _Multilabel(
    name="multilabel",
    activation="sigmoid",
    loss="BinaryCrossentropy",
    measure="macro_average_precision",
    scores="Probability that each class is there, whatever the others are.",
)
KINDS = {kind.name: kind for kind in (SINGLE, MULTILABEL)}


def of(name):
    """The Targets that --targets calls `name`."""
    return KINDS[name]
