"""labels.json: a model's class names with the scores from which it is believed, for programs that run its files."""

import json
from pathlib import Path

from urbansound.files import write_text

NAME = "labels.json"


def write(folder, classifier):
    """Write labels.txt, a class name per line, and labels.json into a folder."""
    write_text(Path(folder) / "labels.txt", "".join(f"{label}\n" for label in classifier.class_names))
    write_text(Path(folder) / NAME, text(classifier))


def text(classifier):
    """The file's text, JSON: `labels`, class names in the order of the scores, and `thresholds`.

    `thresholds` is what the run's thresholds.json holds (`urbansound.inference.calibration.fit`): `classes` {label:
    threshold}, `none` …; null where the run has none.

    Args:
      classifier: a Classifier.
    """
    content = {"labels": list(classifier.class_names), "thresholds": classifier.thresholds}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
