"""Which figures and pictures a test has: by what the label of a clip says."""

from urbansound.report import metrics, multilabel, plots
from urbansound.targets import MULTILABEL


def evaluate(kind, targets, scores, recordings, class_names, salience=None, decided=None):
    """Every figure of one test: `metrics.evaluate` or `multilabel.evaluate`.

    Args:
      kind: the Targets, what a label says.
      targets: float32 [clips, classes].
      scores: float32 [clips, classes].
      recordings: str [clips].
      class_names: str [classes].
      salience: see there.
      decided: bool [clips, classes], the classes that were predicted; None: what the scores say without thresholds.
        Where a clip has one class, it is that of the highest score.
    """
    if kind is MULTILABEL:
        decided = kind.decide(scores) if decided is None else decided
        return multilabel.evaluate(targets, scores, recordings, class_names, salience, decided=decided)
    return metrics.evaluate(targets.argmax(axis=1), scores, recordings, class_names, salience)


def summary(kind, targets, scores, recordings):
    """The figure that models are compared by, its interval and the counts of clips and recordings, by their names."""
    if kind is MULTILABEL:
        return multilabel.summary(targets, scores, recordings)
    return metrics.summary(targets.argmax(axis=1) == scores.argmax(axis=1), recordings)


def overview(kind, targets, scores, class_names):
    """(name, Figure) of the picture that shows how the classes are told apart."""
    if kind is MULTILABEL:
        classes = metrics.per_class(targets >= 0.5, kind.decide(scores), scores)
        return "classes", plots.class_bars(metrics.by_label(classes, class_names))
    counts = metrics.confusion(targets.argmax(axis=1), scores.argmax(axis=1), len(class_names))
    return "confusion", plots.confusion_matrix(counts, class_names)
