"""Reading a table of clips; every fault is named by its file and the row that a spreadsheet shows."""

import csv
import itertools
import os

import pandas as pd

from urbansound.errors import InputError


def header(path):
    """The names of a CSV file's columns, as a list; see `read`."""
    rows = _rows(path, most=1)
    return [name.strip() for name in rows[0]] if rows else []


def read(path, required, optional=None, may_be_empty=()):
    """The cells of a CSV file as text, without the spaces around them.

    Args:
      path: UTF-8 file with a header; blank lines are passed over.
      required: columns that have to be there.
      optional: further columns that may be there, all others being a fault; None: any.
      may_be_empty: those of `required` whose cells may be; no other's.

    Returns:
      DataFrame of str, its index the row in the file (the header is row 1).

    Raises:
      InputError: no such file, not CSV or UTF-8, columns missing, unknown or twice there, a row
        with too few or too many cells, an empty cell, no rows.
    """
    rows = _rows(path)
    header = [name.strip() for name in rows[0]] if rows else []
    _check_header(path, header, required, optional)
    body = {number: [cell.strip() for cell in row] for number, row in enumerate(rows[1:], start=2) if row}
    for number, row in body.items():
        if len(row) != len(header):
            raise InputError(
                f"{path}: row {number}: {len(row)} cells under {len(header)} columns; "
                "give every column one, and put cells with commas in quotes"
            )
    if not body:
        raise InputError(f"{path}: no clips; add a row for each")
    table = pd.DataFrame.from_dict(body, orient="index", columns=header, dtype=str).rename_axis("row")
    for column in set(required) - set(may_be_empty):
        check_filled(path, table[column])
    return table


def _rows(path, most=None):
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a device or pipe may have no end
            raise InputError(f"{path}: not a file; name a CSV file")
        with open(path, newline="", encoding="utf-8-sig") as file:
            return list(itertools.islice(csv.reader(file), most))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); name a CSV file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not CSV in UTF-8 ({error}); save it again as such") from None


def _check_header(path, header, required, optional):
    allowed = None if optional is None else [*required, *optional]
    advice = "" if allowed is None else f"; columns may be {', '.join(allowed)}"
    for fault, names in (
        ("misses the column", [name for name in required if name not in header]),
        ("unknown column", [name for name in header if allowed is not None and name not in allowed]),
        ("twice the column", sorted({name for name in header if header.count(name) > 1})),
    ):
        if names:
            raise InputError(f"{path}: {fault} {', '.join(repr(name) for name in names)}{advice}")


def check_filled(path, cells):
    """Raise InputError for the first of `cells` (a column as `read` gives it) that is empty or "nan"."""
    empty = cells[cells.str.lower().isin(["", "nan"])]
    if len(empty):
        raise InputError(f"{path}: row {empty.index[0]}: no {cells.name}; fill it in or remove the row")


def whole_numbers(path, cells, minimum, maximum=None):
    """A column of text as int64.

    Raises:
      InputError: a cell is not a whole number from `minimum` to `maximum` (None: any).
    """
    limits = f"from {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    for row, cell in cells.items():
        # No data set numbers anything in more digits; beyond 18 they would not fit in 64 bits.
        fits = cell.isascii() and cell.isdigit() and len(cell) <= 18
        if not fits or int(cell) < minimum or (maximum is not None and int(cell) > maximum):
            raise InputError(f"{path}: row {row}: {cells.name} must be a whole number {limits}. Received: '{cell}'")
    return cells.astype("int64")


def check_one_fold(path, clips):
    """Raise InputError for the first recording of `clips` (columns recording, fold) that lies in two folds."""
    first = clips.drop_duplicates("recording").reset_index(names="row").set_index("recording")
    elsewhere = clips[clips.fold != clips.recording.map(first.fold)]
    if len(elsewhere):
        clip = elsewhere.iloc[0]
        other = first.loc[clip.recording]
        raise InputError(
            f"{path}: recording '{clip.recording}' is in fold {other.fold} (row {other.row}) and in fold {clip.fold} "
            f"(row {elsewhere.index[0]}), so that it would be trained on and tested on; give it one fold"
        )
