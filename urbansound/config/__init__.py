"""Every setting of a run: frozen dataclasses, checked when made, to and from JSON."""

import dataclasses

from urbansound.config.augmentation import AugmentConfig
from urbansound.config.distillation import DistillConfig
from urbansound.config.sections import AudioConfig, DataConfig, ModelConfig, TrainConfig
from urbansound.config.setting import base_type, check_field, setting
from urbansound.errors import InputError

# Settings that say where files lie and change nothing else: a run's may be said anew.
PLACES = ("data_dir", "cache_dir", "noise_dir", "unlabelled_dir", "teacher")

__all__ = [
    "PLACES",
    "AudioConfig",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "DistillConfig",
    "ModelConfig",
    "TrainConfig",
    "base_type",
    "check_field",
    "section_from_dict",
    "setting",
]


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of one run. Field names are unique over all sections, since flags are flat."""

    audio: AudioConfig = dataclasses.field(default_factory=AudioConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    distill: DistillConfig = dataclasses.field(default_factory=DistillConfig)

    def __post_init__(self):
        if self.train.batch_size % self.augment.views:
            raise InputError(
                "batch_size must be a multiple of views. "
                f"Received: batch_size={self.train.batch_size}, views={self.augment.views}"
            )
        if not self.data.validates and (self.train.keep == "best" or self.train.early_stopping):
            raise InputError(
                "--keep=best and --early_stopping need clips to validate on: pass --val_fold or --val_fraction above 0"
            )
        if self.model.targets == "multilabel" and self.train.class_weights != "none":
            raise InputError(
                "--class_weights=balanced weighs clips by their one class; with --targets=multilabel pass "
                "--class_weights=none"
            )

    def check_used(self):
        """Raise InputError where a new run would have a setting without its effect; older runs may have such."""
        self.distill.check_used()
        if self.augment.noise_dir is not None and not self.augment.uses_noise:
            raise InputError("--noise_dir is not used: pass --noise_probability or --noise_alone above 0 too")
        if self.augment.noise_alone and self.train.class_weights != "none":
            raise InputError(
                "--class_weights=balanced weighs clips by their one class, and noise has all alike: with --noise_alone "
                "pass --class_weights=none"
            )

    def with_settings(self, **values):
        """A Config with these settings, by their flat names, instead of its own.

        Raises:
          InputError: a value is out of its limits, or two don't go together.
        """
        sections = {}
        for section in dataclasses.fields(self):
            own = {name: values[name] for name in values if name in section.type.__dataclass_fields__}
            sections[section.name] = dataclasses.replace(getattr(self, section.name), **own)
        return Config(**sections)

    def flat(self):
        """{flat name: value} of all settings."""
        return {name: value for section in dataclasses.asdict(self).values() for name, value in section.items()}

    def differences(self, other):
        """Flat names of the settings that `other` has otherwise."""
        values = other.flat()
        return [name for name, value in self.flat().items() if value != values[name]]

    def places(self, values):
        """Those of `values`, settings by their flat names, that only say anew where files lie: PLACES.

        A noise_dir or a teacher where there was none is another training. A data_dir is kept though it is the same:
        relative to another folder, or in a moved run, it is another place.
        """
        own = self.flat()
        given = {name: values[name] for name in PLACES if values.get(name)}
        return {name: new for name, new in given.items() if name == "data_dir" or (own[name] and new != own[name])}

    @classmethod
    def from_dict(cls, sections):
        """The Config of plain JSON values, {section: {setting: value}}, as `dataclasses.asdict` makes them of one.

        Raises:
          InputError: something else, or a section or setting that this version does not know.
        """
        known = {field.name: field.type for field in dataclasses.fields(cls)}
        if not isinstance(sections, dict) or set(sections) | {"distill"} != set(known):  # which older runs lack
            raise InputError(f"config must hold the sections {', '.join(known)}")
        return cls(**{name: section_from_dict(known[name], values) for name, values in sections.items()})


def section_from_dict(section, values):
    """The section (a class, such as AudioConfig) of plain JSON values; what they lack is as it was before that setting.

    Raises:
      InputError: a setting that this version does not know, or a value out of its limits.
    """
    fields = {field.name: field.metadata["absent"] for field in dataclasses.fields(section)}
    if not isinstance(values, dict):
        raise InputError(f"config section {section.__name__} must be an object. Received: {str(values)[:50]}")
    unknown = set(values) - set(fields)
    if unknown:
        raise InputError(f"config section {section.__name__} has unknown settings: {', '.join(sorted(unknown))}")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return section(**{**fields, **given})
