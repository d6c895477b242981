"""What an exported model says of itself, as text files inside it, so that `scorer` needs nothing else."""

import dataclasses
import json

from urbansound.config import AudioConfig, section_from_dict
from urbansound.errors import InputError
from urbansound.run import check_thresholds
from urbansound.targets import KINDS, SINGLE

# Among a .tflite's associated files and a SavedModel's assets.
NAME = "urbansound.json"  # how sound becomes the model's input
LABELS = "labels.txt"  # class names, a line each, in the order of the scores
BELIEF = "labels.json"  # the same with the thresholds
FORMAT = 1  # of NAME


@dataclasses.dataclass(frozen=True)
class Description:
    """How sound becomes a model's input, what its scores are of, and from which scores it is believed."""

    audio: AudioConfig  # clip_samples is the window
    short_clips: str  # what becomes of a sound shorter than a window: "repeat" or "zeros"
    class_names: tuple[str, ...]
    thresholds: dict | None = None  # see `calibration.fit`
    targets: str = SINGLE.name  # what scores are of, a name of `urbansound.targets`

    @classmethod
    def of(cls, classifier):
        """The Description of a Classifier."""
        own = classifier.audio, classifier.short_clips, classifier.class_names, classifier.thresholds
        return cls(*own, classifier.targets.name)

    def files(self):
        """{file name: text} of what goes into a model's file; without thresholds no BELIEF."""
        texts = {LABELS: self.labels_text(), NAME: self._front_end()}
        return texts if self.thresholds is None else {**texts, BELIEF: self.belief()}

    def labels_text(self):
        """The text of LABELS."""
        return "".join(f"{label}\n" for label in self.class_names)

    def belief(self):
        """The text of BELIEF, JSON: `labels`, and `thresholds`, which is null where the run has none."""
        return _json({"labels": self.class_names, "thresholds": self.thresholds})

    def _front_end(self):
        values = {"audio": dataclasses.asdict(self.audio), "short_clips": self.short_clips}
        return _json({"format": FORMAT, **values, "class_names": self.class_names, "targets": self.targets})

    @classmethod
    def read(cls, content_of):
        """The Description in a model's file.

        Args:
          content_of: function of a file's name that returns its bytes, or None where there is no such file.

        Raises:
          InputError: there is no NAME, or one of a newer form; a file is damaged.
        """
        if (text := content_of(NAME)) is None:
            raise InputError(f"has no {NAME}; export the model again")
        try:
            values = json.loads(text)
            form, audio = values.pop("format"), section_from_dict(AudioConfig, values.pop("audio"))
            names = tuple(values.pop("class_names"))
            if values.get("targets", SINGLE.name) not in KINDS:
                raise ValueError
            if form != FORMAT or not names or not all(isinstance(name, str) for name in names):
                raise ValueError
            described = cls(audio, class_names=names, **values)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(f"its {NAME} is none that this version reads; export the model again") from None
        return dataclasses.replace(described, thresholds=_thresholds(content_of(BELIEF), names))


def _thresholds(text, class_names):
    """The thresholds in the text of BELIEF; None where there is no such file or it holds none."""
    if text is None:
        return None
    try:
        thresholds = json.loads(text)["thresholds"]
        if thresholds is not None:
            check_thresholds(thresholds, class_names)
        return thresholds
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"its {BELIEF} is damaged; export the model again") from None


def _json(values):
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
