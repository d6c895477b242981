"""Writing files so that a crash leaves the old one or the new one, never half of either."""

import contextlib
import json
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Yield a path next to `path` to write to; it takes `path`'s place when the block succeeds.

    The ending is kept, since writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path, text):
    """Write `text` to `path` in one step."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write `value` to `path` as indented JSON, NaN refused, in one step."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_csv(path, table):
    """Write a DataFrame to `path` without its index, in one step."""
    with replacing(path) as part:
        table.to_csv(part, index=False)
