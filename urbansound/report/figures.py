"""Which figures and pictures a test has: by what the label of a clip says."""

import dataclasses
from collections.abc import Callable

from urbansound import targets as kinds
from urbansound.report import metrics, multilabel, plots


@dataclasses.dataclass(frozen=True)
class _Figures:
    """Functions of (targets, scores, …), see those of the same names below."""

    evaluate: Callable
    summary: Callable
    overview: Callable


def evaluate(targets_of, targets, scores, recordings, class_names, salience=None, decided=None):
    """Every figure of one test: `metrics.evaluate` or `multilabel.evaluate`.

    Args:
      targets_of: the Targets, what a label says.
      targets: float32 [clips, classes].
      scores: float32 [clips, classes].
      recordings: str [clips].
      class_names: str [classes].
      salience: see there.
      decided: bool [clips, classes], the classes that were predicted; None: what the scores say without thresholds.
    """
    decided = targets_of.decide(scores) if decided is None else decided
    return _OF[targets_of].evaluate(targets, scores, recordings, class_names, salience, decided)


def summary(targets_of, targets, scores, recordings):
    """The figure that models are compared by, its interval and the counts of clips and recordings, by their names."""
    return _OF[targets_of].summary(targets, scores, recordings)


def overview(targets_of, targets, scores, class_names):
    """(name, Figure) of the picture that shows how the classes are told apart."""
    return _OF[targets_of].overview(targets, scores, class_names)


def _evaluate_single(targets, scores, recordings, class_names, salience, decided):
    return metrics.evaluate(targets.argmax(axis=1), scores, recordings, class_names, salience)


def _evaluate_multilabel(targets, scores, recordings, class_names, salience, decided):
    return multilabel.evaluate(targets, scores, recordings, class_names, salience, decided=decided)


def _confusion(targets, scores, class_names):
    counts = metrics.confusion(targets.argmax(axis=1), scores.argmax(axis=1), len(class_names))
    return "confusion", plots.confusion_matrix(counts, class_names)


def _class_bars(targets, scores, class_names):
    classes = metrics.per_class(targets >= 0.5, kinds.MULTILABEL.decide(scores), scores)
    return "classes", plots.class_bars(metrics.by_label(classes, class_names))


_OF = {
    kinds.SINGLE: _Figures(
        _evaluate_single,
        lambda targets, scores, recordings: metrics.summary(
            targets.argmax(axis=1) == scores.argmax(axis=1), recordings
        ),
        _confusion,
    ),
    kinds.MULTILABEL: _Figures(_evaluate_multilabel, multilabel.summary, _class_bars),
}
