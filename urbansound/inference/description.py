"""What an exported model says of itself, as JSON inside the file, so that `scorer` needs nothing else."""

import dataclasses
import json

from urbansound.config import AudioConfig, section_from_dict
from urbansound.errors import InputError

NAME = "urbansound.json"  # among a .tflite's associated files and a SavedModel's assets
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Description:
    """How sound becomes a model's input, and what its scores are of."""

    audio: AudioConfig  # clip_samples is the window
    short_clips: str  # what becomes of a sound shorter than a window: "repeat" or "zeros"
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, classifier):
        """The Description of a Classifier."""
        return cls(classifier.audio, classifier.short_clips, classifier.class_names)

    def to_json(self):
        """Its text."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text):
        """The Description in `text`, str or bytes.

        Raises:
          InputError: it is no description, or one of a newer form.
        """
        try:
            values = json.loads(text)
            form, audio = values.pop("format"), section_from_dict(AudioConfig, values.pop("audio"))
            names = tuple(values.pop("class_names"))
            if form != FORMAT or not names or not all(isinstance(name, str) for name in names):
                raise ValueError
            return cls(audio, class_names=names, **values)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(f"its {NAME} is none that this version reads; export the model again") from None
