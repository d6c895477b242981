"""PSDS, the area under the curve of detections over false alarms, by sed_scores_eval from scores of windows.

Source: Bilen, Ferroni, Tuveri, Azcarreta, Krstulović 2020, "A framework for the robust evaluation of sound event
detection"; Ebbers, Serizel, Haeb-Umbach 2022, "Threshold-independent evaluation of sound event detection scores".
"""

import csv

import pandas as pd

from urbansound.errors import InputError
from urbansound.text import shown

# Those of DCASE's task 4 since 2021: the first wants exact times, the second the right classes.
SCENARIOS = {
    "scenario 1": {"dtc_threshold": 0.7, "gtc_threshold": 0.7, "alpha_ct": 0.0, "alpha_st": 1.0},
    "scenario 2": {
        "dtc_threshold": 0.1, "gtc_threshold": 0.1, "cttc_threshold": 0.3, "alpha_ct": 0.5, "alpha_st": 1.0
    },
}  # fmt: skip
MAX_FALSE_PER_HOUR = 100.0


def package():
    """The part of sed_scores_eval that computes PSDS.

    Raises:
      InputError: it is not installed.
    """
    try:
        from sed_scores_eval import intersection_based
    except ImportError:
        raise InputError(
            "PSDS needs sed_scores_eval: pip install sed_scores_eval==0.0.4, or leave out --psds"
        ) from None
    return intersection_based


def measure(reference, score_tables):
    """PSDS of two scenarios over the classes that have known events; events of a class that meet count as one.

    Args:
      reference: DataFrame of `event_tables.SED`, the known events.
      score_tables: {filename: path of a table of `score_table`} of all recordings.

    Returns:
      {"scenario 1": PSDS, "scenario 2": PSDS, "left_out": number of known events of classes that the model lacks,
      without a length, or of recordings that no sound could be read from}.

    Raises:
      InputError: sed_scores_eval is not installed; no event is left; a table can't be read.
    """
    intersection_based = package()
    tables = {name: _read(path) for name, path in score_tables.items()}
    labels = list(next(iter(tables.values())).columns[2:])
    tables = {name: table for name, table in tables.items() if len(table)}
    reference = reference.assign(event_label=reference.event_label.map(shown))
    measured = reference.event_label.isin(labels) & reference.filename.isin(tables)
    used = reference[measured & (reference.offset > reference.onset)]
    if used.empty:
        raise InputError("PSDS needs known events of the model's classes, and there are none; leave out --psds")
    labels = sorted(set(used.event_label))
    scores = {name: table[["onset", "offset", *labels]] for name, table in tables.items()}
    truth = {name: [] for name in tables}
    for (name, label), events in used.groupby(["filename", "event_label"]):
        truth[name] += [(onset, offset, label) for onset, offset in _joined(events)]
    durations = {name: float(table.offset.iloc[-1]) for name, table in tables.items()}
    result = {}
    for name, settings in SCENARIOS.items():
        value, *_ = intersection_based.psds(scores, truth, durations, **settings, max_efpr=MAX_FALSE_PER_HOUR)
        result[name] = float(value)
    return {**result, "left_out": len(reference) - len(used)}


def _joined(events):
    """[(onset, offset)] of one class's events, those that meet as one: the package takes no others."""
    result = []
    for onset, offset in sorted(zip(events.onset, events.offset, strict=True)):
        if result and onset <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], offset)
        else:
            result.append((onset, offset))
    return result


def _read(path):
    try:
        table = pd.read_csv(path, sep="\t", quoting=csv.QUOTE_MINIMAL)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a table of scores ({error}); run python -m urbansound.detect again") from None
    if list(table.columns[:2]) != ["onset", "offset"]:
        raise InputError(f"{path}: not a table of scores; run python -m urbansound.detect again")
    return table
