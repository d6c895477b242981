"""One absl flag per setting of `config`; the only module that knows both.

`define()` at a command's module level, `config_from(flags.FLAGS)` in its main.
"""

import dataclasses
import typing

from absl import flags

from urbansound import models
from urbansound.config import Config, DataConfig, base_type
from urbansound.data import datasets
from urbansound.errors import InputError

NONE = "none"
# Settings whose choices `config` does not know, since other packages may bring some.
NAMES = {"model": models.names, "dataset": datasets.names}


class _SettingParser(flags.ArgumentParser):
    """Text to a setting's type; "none" for optional ones, commas for tuples."""

    def __init__(self, kind, optional):
        super().__init__()
        self._kind = kind
        self._optional = optional
        self.syntactic_help = f"{_type_name(kind)}{f', or {NONE}' if optional else ''}"

    def parse(self, argument):
        """The value; absl passes defaults through here too, so values of the type are kept."""
        if not isinstance(argument, str):
            return argument
        if self._optional and argument.lower() == NONE:
            return None
        try:
            if typing.get_origin(self._kind) is tuple:
                element = typing.get_args(self._kind)[0]
                return tuple(element(item.strip()) for item in argument.split(",") if item.strip())
            return self._kind(argument)
        except ValueError:
            raise ValueError(f"must be {self.syntactic_help}") from None

    def flag_type(self):
        """Name of the type, for --help."""
        return self.syntactic_help


class _SettingSerializer(flags.ArgumentSerializer):
    """A setting's value as `_SettingParser` reads it."""

    def serialize(self, value):
        if value is None:
            return NONE
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def define(values=flags.FLAGS):
    """Define a flag for every setting; a command that adopts this module's key flags shows them in --help."""
    for section in dataclasses.fields(Config):
        for field in dataclasses.fields(section.type):
            _define_flag(field, values)
    return values


def define_places():
    """Define the flags by which a command that takes a run is told where its clips and its cache lie now."""
    for name in ("data_dir", "cache_dir"):
        flags.DEFINE_string(name, None, f"{DataConfig.__dataclass_fields__[name].metadata['help']}; default: the run's")


def places_from(values):
    """{setting: value} of the flags that `define_places` defines, where they were given."""
    return {name: values[name].value for name in ("data_dir", "cache_dir") if values[name].value is not None}


def config_from(values):
    """The checked Config that parsed flag `values` (absl's FLAGS) ask for.

    Raises:
      InputError: a value is out of its limits, or two don't go together.
    """
    config = Config(
        **{
            section.name: section.type(**{f.name: values[f.name].value for f in dataclasses.fields(section.type)})
            for section in dataclasses.fields(Config)
        }
    )
    datasets.check(config.data)
    if config.data.csv is not None and datasets.dataset(config.data.dataset).needs != "csv":
        raise InputError(f"--dataset={config.data.dataset} reads no table: leave out --csv, or pass --dataset=csv")
    return config


def changed(values, config):
    """Names of the settings given on the command line with another value than `config` has."""
    own = config.flat().items()
    return [name for name, value in own if values[name].present and values[name].value != value]


def _define_flag(field, values):
    kind, optional = base_type(field.type)
    help_line = field.metadata["help"]
    if kind is bool:
        flags.DEFINE_boolean(field.name, field.default, help_line, values)
    elif choices := NAMES[field.name]() if field.name in NAMES else field.metadata["choices"]:
        flags.DEFINE_enum(field.name, field.default, choices, help_line, values)
    else:
        parser = _SettingParser(kind, optional)
        flags.DEFINE(parser, field.name, field.default, help_line, values, _SettingSerializer())


def _type_name(kind):
    if typing.get_origin(kind) is tuple:
        plurals = {int: "whole numbers", float: "numbers", str: "texts"}
        return f"{plurals[typing.get_args(kind)[0]]} with commas between"
    return {int: "a whole number", float: "a number", str: "text"}[kind]
