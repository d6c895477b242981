"""Figures as text: the headline, and the table that a terminal shows."""

import json

import pandas as pd

from urbansound.files import csv_text
from urbansound.text import columns, padded, shorten, shown

LABEL_WIDTH = 40
# The figures that models are compared by, of what has several the first, with a short name.
SHORT = {"accuracy": "accuracy", "macro_average_precision": "macro AP"}
CHANCE = {
    "majority_accuracy": ("majority", "by always answering the most frequent class"),
    "chance_average_precision": ("chance AP", "by scores that say nothing"),
}
COLUMNS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
    "support": "clips",
}


def measure_of(figures):
    """Name of the figure that models are compared by, of a dict or a table of figures."""
    return next(name for name in SHORT if name in figures)


def in_words(name):
    """'macro average precision' of the name of a figure."""
    return name.replace("_", " ")


def percent(share):
    """'71.3 %' of 0.713; an en dash of None."""
    return "–" if share is None else f"{100 * share:.1f} %"  # noqa: RUF001


def points(share):
    """'14.0 points' of a difference of two shares of 0.14: it is no share of anything."""
    return f"{100 * share:.1f} points"


def headline(group):
    """'71.3 % (95 % interval 66.0 to 76.2, over 64 recordings)' of a dict with a measure, its interval and counts."""
    name = measure_of(group)
    low, high = (f"{100 * bound:.1f}" for bound in group[f"{name}_interval"])
    recordings = "1 recording" if group["n_recordings"] == 1 else f"{group['n_recordings']} recordings"
    return f"{percent(group[name])} (95 % interval {low} to {high}, over {recordings})"


def shares(members):
    """'cnn 63.4 %, cepstrum 55.2 %' of {name: share}."""
    return ", ".join(f"{name} {percent(share)}" for name, share in members.items())


def in_form(table, form, on_terminal=False):
    """A DataFrame as text.

    Args:
      table: the DataFrame.
      form: "table" for people, "csv", or "jsonl", a JSON object per row.
      on_terminal: whether a terminal gets it. Names are then written as `text.shown` has them in every form; csv
        and jsonl read back equal where it is False.
    """
    if on_terminal or form == "table":
        table = table.map(lambda value: shown(value) if isinstance(value, str) else value)
    if form == "csv":
        return csv_text(table)
    if form == "jsonl":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        return "".join(f"{json.dumps(row)}\n" for row in rows)
    if table.empty:
        return ""  # pandas would show its own words
    with pd.option_context("display.unicode.east_asian_width", True):
        return table.to_string(index=False, float_format="{:.3f}".format) + "\n"


def metrics_table(metrics):
    """A line per class and the totals, at most 100 columns wide.

    Args:
      metrics: what `metrics.evaluate` returns.

    Returns:
      Lines without one at the end, in percent but for the number of clips.
    """
    per_class = {shown(label): values for label, values in metrics["per_class"].items()}
    width = min(max(map(columns, [*per_class, "class"])), LABEL_WIDTH)
    lines = ["  ".join(["class".ljust(width), *(title.rjust(5) for title in COLUMNS.values())])]
    for label, values in per_class.items():
        cells = [cell(name, values[name]).rjust(max(len(title), 5)) for name, title in COLUMNS.items()]
        lines.append("  ".join([padded(shorten(label, width), width), *cells]))
    return "\n".join([*lines, "", *(f"{name:<13} {value}" for name, value in totals(metrics).items())])


def robustness_table(measured):
    """(caption, head, rows) of what `robustness.measure` returns, the rows as text."""
    name = measure_of(measured)
    rows = [
        (
            row["condition"],
            f"{percent(row[name])} ({100 * row['low']:.1f} to {100 * row['high']:.1f})",
            f"{row['points_lost']:.1f}",
        )
        for _, row in measured.iterrows()
    ]
    return "The same test clips, corrupted", ["condition", f"{in_words(name)} (95 % interval)", "points lost"], rows


def robustness_lines(measured):
    """The same table for a terminal."""
    _, head, rows = robustness_table(measured)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    )


def totals(metrics):
    """The figures of the whole test by name, as text."""
    rows = {SHORT[measure_of(metrics)]: headline(metrics)}
    if "members" in metrics:
        rows["members"] = shares(metrics["members"])
    for name in ("foreground", "background"):
        if name in metrics:
            rows[name] = headline(metrics[name])
    if "top3_accuracy" in metrics:
        rows["top 3"] = f"{percent(metrics['top3_accuracy'])} have their label among the three highest scores"
    rows["macro F1"] = percent(metrics["macro_f1"])
    if "micro_f1" in metrics:
        rows["micro F1"] = f"{percent(metrics['micro_f1'])} over all classes' answers together"
    if "exact_match" in metrics:
        rows["exact match"] = f"{percent(metrics['exact_match'])} have all their classes right and no other"
    rows.setdefault("macro AP", f"{percent(metrics['macro_average_precision'])} (mean average precision)")
    between = "scores and shares of right" if "of" in metrics["calibration"] else "confidence and accuracy"
    rows["calibration"] = f"{points(metrics['calibration']['ece'])} between {between} (expected calibration error)"
    if metrics.get("thresholds"):
        rows["temperature"], rows["none of these"] = _trust(metrics["thresholds"])
    elif "thresholds" in metrics:
        rows["temperature"] = "not fitted, no clip validates: --val_fraction=0.15 keeps some for it"
    for name, (title, of) in CHANCE.items():
        if name in metrics:
            rows[title] = f"{percent(metrics[name])} {of}"
    return rows


def thresholds_table(metrics):
    """(caption, head, rows) of the thresholds in what `evaluation.evaluate` returns, the rows as text."""
    rows = [
        (label, *map(percent, (row["threshold"], row["precision"], row["recall"])))
        for label, row in metrics["thresholds"]["classes"].items()
    ]
    wanted, source = percent(metrics["thresholds"]["wanted_precision"]), metrics["thresholds"]["source"]
    caption = (
        "For a program that waits for one class: the lowest score of the class at which it should act. Of the "
        f"{source} with that score or more, {wanted} had the label, or the highest share that any threshold gave. "
        "Precision: share of the test clips with that score or more that have the label. Recall: share of the test "
        "clips with the label that have that score or more"
    )
    return caption, ["class", "threshold", "precision on test clips", "recall on test clips"], rows


def _trust(thresholds):
    """What was fitted, and what becomes of the test clips, in words."""
    none = thresholds["none"]
    clips, recordings = thresholds["n_clips"], thresholds["n_recordings"]
    return (
        f"{thresholds['temperature']:.3g}, fitted to {clips} clips of {recordings} recordings ({thresholds['source']})",
        f"{percent(1 - none['accepted'])} of the test clips; of the others, {percent(none['accuracy'])} are right",
    )


def cell(name, value):
    """A value of column `name` of the per-class table as text, shares in percent without the sign."""
    if value is None:
        return percent(None)
    return str(value) if name == "support" else f"{100 * value:.1f}"
