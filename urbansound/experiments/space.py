"""A search space: which settings a search tries, and the values that each may take."""

import dataclasses
import tomllib

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from urbansound import models
from urbansound.config import Config, DataConfig, base_type, check_field
from urbansound.errors import InputError
from urbansound.files import read_text

# Trials may differ only in how they learn, or their scores can't be compared.
FIXED = {field.name for field in dataclasses.fields(DataConfig)} - {"short_clips"} | {"seed", "targets"}


def load(path, config):
    """The space in a TOML file.

    A line is a list of choices, `top_db = [45, 60, "none"]`, or a range,
    `learning_rate = {low = 5e-4, high = 5e-3, log = true}`.

    Args:
      path: the file.
      config: a Config whose own values must lie in the space, so that a search begins with them.

    Returns:
      {setting's name: Optuna distribution}.

    Raises:
      InputError: no such file, not TOML, a setting that doesn't exist or must not change, a value
        out of its limits.
    """
    try:
        lines = tomllib.loads(read_text(path))
    except InputError as error:
        raise InputError(f"{error}; a search needs the file of its space") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    if not lines:
        raise InputError(f"{path}: no setting to search")
    try:
        space = {name: _distribution(name, values) for name, values in lines.items()}
        for name, value in start(space, config).items():
            _check_holds(name, space[name], value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return space


def start(space, config):
    """{setting's name: the value that it has in `config`}, for every setting of the space."""
    values = config.flat()
    return {name: values[name] for name in space}


def _distribution(name, values):
    """The distribution of one line, every value of which the setting may have."""
    field = _field(name)
    kind, optional = base_type(field.type)
    if isinstance(values, list) and values:
        choices = [None if value == "none" and optional else value for value in values]
        choices = [float(value) if kind is float and type(value) is int else value for value in choices]
        for value in choices:
            check_field(field, value)
            if name == "model":
                models.architecture(value)
        return CategoricalDistribution(choices)
    ranges = {int: IntDistribution, float: FloatDistribution}
    is_range = isinstance(values, dict) and {"low", "high"} <= set(values) <= {"low", "high", "log"}
    if kind not in ranges or not is_range:
        raise InputError(f"{name} must be a list of choices, or of a number a range {{low = …, high = …, log = true}}")
    for value in (values["low"], values["high"]):
        check_field(field, value)
    if not isinstance(values.get("log", False), bool):
        raise InputError(f"{name}: log must be true or false. Received: {values['log']}")
    try:
        return ranges[kind](values["low"], values["high"], log=values.get("log", False))
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None


def _field(name):
    for section in dataclasses.fields(Config):
        field = section.type.__dataclass_fields__.get(name)
        if field is not None and name in FIXED:
            raise InputError(f"{name} can't be searched: trials must learn from and be measured on the same clips")
        if field is not None:
            return field
    raise InputError(f"no setting is called {name}; python -m urbansound.train --helpshort lists them")


def _check_holds(name, distribution, value):
    if isinstance(distribution, CategoricalDistribution):
        holds = value in distribution.choices
    else:
        holds = value is not None and distribution.low <= value <= distribution.high
    if not holds:
        raise InputError(
            f"{name} lacks {'none' if value is None else value}, the value it has now, which trial 0 tries; add it, "
            f"or pass --{name} with a value of the space"
        )
