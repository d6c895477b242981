"""A setting: a dataclass field with its type, default, help and limits, which are checked when it is made."""

import dataclasses
import types
import typing

from urbansound.errors import InputError

# What the numbers of TensorFlow hold: float32, and of whole numbers uint32 (a seed).
MAX_FLOAT, MAX_INT = 3.4e38, 2**32 - 1


def setting(default, help, *, choices=None, minimum=None, above=None, maximum=None, absent=dataclasses.MISSING):
    """A dataclass field with its help line and the limits that `check_field` enforces.

    `absent` is its value in files that lack it, where that is not the default: what runs did that are older
    than the setting.
    """
    limits = {"choices": choices, "minimum": minimum, "above": above, "maximum": maximum}
    absent = default if absent is dataclasses.MISSING else absent
    return dataclasses.field(default=default, metadata={"help": help, "absent": absent, **limits})


def base_type(annotation):
    """(type, is_optional) of a field: `int | None` gives (int, True), `int` (int, False)."""
    if isinstance(annotation, types.UnionType):
        (inner,) = [arg for arg in typing.get_args(annotation) if arg is not types.NoneType]
        return inner, True
    return annotation, False


def check_field(field, value):
    """Raise InputError where `value` breaks the type or limits of a setting's dataclass field."""
    kind, optional = base_type(field.type)
    if value is None and optional:
        return
    _check_type(field.name, value, kind)
    limits = field.metadata
    if limits["choices"] is not None and value not in limits["choices"]:
        raise InputError(f"{field.name} must be one of {', '.join(limits['choices'])}. Received: {value}")
    if limits["minimum"] is not None and value < limits["minimum"]:
        raise InputError(f"{field.name} must be at least {limits['minimum']}. Received: {value}")
    if limits["above"] is not None and value <= limits["above"]:
        raise InputError(f"{field.name} must be above {limits['above']}. Received: {value}")
    if limits["maximum"] is not None and value > limits["maximum"]:
        raise InputError(f"{field.name} must be at most {limits['maximum']}. Received: {value}")


def _check_type(name, value, kind):
    if typing.get_origin(kind) is tuple:
        element = typing.get_args(kind)[0]
        if not isinstance(value, tuple):
            raise InputError(f"{name} must be a tuple. Received: {_short(value)}")
        for item in value:
            _check_type(name, item, element)
    elif kind is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MAX_FLOAT:
            raise InputError(f"{name} must be a finite number. Received: {_short(value)}")
    elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{name} must be {kind.__name__}. Received: {_short(value)}")
    elif kind is int and abs(value) > MAX_INT:
        raise InputError(f"{name} must be at most {MAX_INT}. Received: {_short(value)}")
    elif kind is str and not _is_name(value):
        raise InputError(f"{name} must be text. Received: {_short(value)}")


def _is_name(text):
    """Whether a file may be called so: those of JSON may hold zeros and lone surrogates."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _short(value):
    """A value for a message, whatever its length."""
    if isinstance(value, int) and abs(value) > 10 * MAX_INT:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


class Checked:
    """Checks types and limits of every field, then the subclass's own rules."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            check_field(field, getattr(self, field.name))
        self._check()

    def _check(self):
        """Rules between fields; subclasses raise InputError."""
