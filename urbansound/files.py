"""Writing files so that a crash leaves the old one or the new one, never half of either."""

import contextlib
import csv
import json
import os
from pathlib import Path

import pandas as pd

# Columns of names, which are text even where they look like a number or a missing value ("None", "NA", "1e5").
NAMES = (
    *("path", "label", "recording", "predicted", "second", "third", "fault"),
    *("stage", "run_dir", "architectures", "condition"),
)


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
    write_text(path, csv_text(table))


def csv_text(table):
    """A DataFrame without its index as CSV that `pandas.read_csv` reads back equal.

    Names are written as they are, also such as a spreadsheet takes for a formula (=1+1).
    """
    text = table.to_csv(index=False)
    # To pandas, as it reads, a carriage return ends a line unless it is in quotes, in which pandas does not put it.
    return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC) if "\r" in text else text


def read_csv(path):
    """The DataFrame that `write_csv` wrote to `path`: NAMES are str, salience is Int64, only numbers may be missing."""
    types = dict.fromkeys(NAMES, str) | {"salience": "Int64"}
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    names = [name for name in NAMES if name in table]
    return table.assign(**table[names].fillna(""))
