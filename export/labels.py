"""labels.json: a model's class names with the scores from which it is believed, for programs that run its files."""

import json

NAME = "labels.json"


def text(classifier):
    """The file's text, JSON: `labels`, class names in the order of the scores, and `thresholds`.

    `thresholds` is what the run's thresholds.json holds (`urbansound.inference.calibration.fit`): `classes` {label:
    threshold}, `none` …; null where the run has none.

    Args:
      classifier: a Classifier.
    """
    content = {"labels": list(classifier.class_names), "thresholds": classifier.thresholds}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
