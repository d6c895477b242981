"""The formats that a run can be exported to.

To add one: a file with its Format, and a line in OWN. From another package: an entry point of the group
GROUP that names the Format.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from urbansound.errors import InputError
from urbansound.registry import Registry

GROUP = "urbansound.export_formats"
# In the order of the report.
OWN = {
    "saved_model": "export.serving.files:SAVED_MODEL",
    "float32": "export.tflite.files:FLOAT32",
    "float16": "export.tflite.files:FLOAT16",
    "int8": "export.tflite.files:INT8",
    "int8_spectrogram": "export.tflite.files:INT8_SPECTROGRAM",
}
_REGISTRY = Registry("formats", GROUP, OWN)
names = _REGISTRY.names


@dataclasses.dataclass(frozen=True)
class Job:
    """What a format is written from.

    Attributes:
      classifier: the Classifier.
      folder: the export's folder.
      name: of the model, in file names and requests.
      data_sets: that it and its teachers were trained on, values of DataConfig.dataset, its own first.
      calibration: float32 [clips, clip_samples], windows of training clips.
    """

    classifier: object
    folder: Path
    name: str
    data_sets: list[str]
    calibration: np.ndarray


@dataclasses.dataclass(frozen=True)
class Written:
    """One exported format.

    Attributes:
      path: of the file, or of the SavedModel's folder.
      score_windows: function of windows float32 [n, clip_samples] that returns scores float32 [n, classes] by it.
      others: paths that belong to it and are deleted with it.
    """

    path: Path
    score_windows: Callable
    others: tuple[Path, ...] = ()


@dataclasses.dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
      name: what --formats calls it.
      unfit: function of a Classifier that returns why it can't be made of it, in one line; None where it can.
      write: function of a Job that writes it and returns Written.
    """

    name: str
    unfit: Callable
    write: Callable


def chosen(wanted, classifier):
    """The Formats to write.

    Args:
      wanted: their names; None: all that can be made of the classifier, the others named on stdout.
      classifier: a Classifier.

    Raises:
      InputError: one that is wanted can't be made.
    """
    formats = [_REGISTRY.get(name) for name in names() if wanted is None or name in wanted]
    reasons = {form.name: form.unfit(classifier) for form in formats}
    for name, reason in reasons.items():
        if reason and wanted is not None:
            raise InputError(f"{name} can't be made: {reason}")
        if reason:
            print(f"{name} is left out: {reason}")
    return [form for form in formats if not reasons[form.name]]
