"""How well detected events agree with known ones: event-based and segment-based F1 by sed_eval's definitions.

Tables of events have filename, onset, offset (seconds) and event_label, as sed_eval's and psds_eval's do.

Source: Mesaros, Heittola, Virtanen 2016, "Metrics for polyphonic sound event detection".
"""

import csv
import itertools

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from urbansound.errors import InputError
from urbansound.files import read_lines
from urbansound.report.event_tables import GUARDED, SED
from urbansound.report.tables import LABEL_WIDTH, percent
from urbansound.text import columns, padded, shorten, shown

MAX_SECONDS = 1e9  # of a recording, some thirty years
OWN_NAMES = {"path": "filename", "start": "onset", "end": "offset", "label": "event_label"}  # of detect's tables


def read_events(path):
    """A table of events of any length: tabs or commas, a header, in UTF-8.

    It takes 300 bytes of memory per row at most, and those of the names, each once.

    Args:
      path: of a file with filename, onset, offset, event_label, or path, start, end, label, among its columns. A row
        with a file name only is a recording without events. Blank rows are passed over.

    Returns:
      (events, files): a DataFrame of SED, times in float64; and all file names, in order.

    Raises:
      InputError: there is no such file, a column is missing, or a row has no file name or no event's times.
    """
    rows = _rows(path)
    _, header = next(rows, (1, []))
    unguarded = "filename" not in header
    names = [OWN_NAMES.get(name, name) for name in header] if unguarded else header
    if missing := [name for name in SED if name not in names]:
        raise InputError(f"{path}: has no column {missing[0]}; its first line must name {', '.join(SED)}")
    places = {name: place for place, name in enumerate(names) if name in SED}
    table = pd.DataFrame(_columns(rows, places, unguarded)).set_index("line")
    if (unnamed := table.filename == "").any():
        raise InputError(f"{path}: line {table.index[unnamed][0]}: has no file name")
    files = list(dict.fromkeys(table.filename))
    table = table.loc[(table[SED[1:]] != "").any(axis=1), SED]
    for name in ("onset", "offset"):
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    fit = (table.onset >= 0) & (table.onset <= table.offset) & (table.offset <= MAX_SECONDS) & (table.event_label != "")
    if not fit.all():
        raise InputError(
            f"{path}: line {table.index[~fit][0]}: needs an onset of 0 s or more, an offset that is not before it "
            f"(nor beyond {MAX_SECONDS:g} s), and a label"
        )
    return table.reset_index(drop=True), files


def _rows(path):
    """Yield (number of its first line, list of cells) of every row of a table that is not blank, the header first."""
    lines = read_lines(path)
    first = next(lines, "")
    reader = csv.reader(itertools.chain([first], lines), delimiter="\t" if "\t" in first else ",", strict=True)
    line = 1
    try:
        for cells in reader:
            if line == 1 or any(map(str.strip, cells)):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}: line {line}: not a table ({error})") from None


def _columns(rows, places, unguarded):
    """{column: list} of the cells at `places` {column: place} and of `line`; equal names are one object.

    Args:
      unguarded: whether names are without the apostrophe of `event_tables`.
    """
    known, columns = {}, {name: [] for name in ("line", *SED)}
    for line, cells in rows:
        columns["line"].append(line)
        for name in SED:
            text = cells[places[name]] if places[name] < len(cells) else ""
            if name in ("filename", "event_label"):
                if text not in known:
                    known[text] = _unguarded(text) if unguarded else text
                text = known[text]
            columns[name].append(text)
    return columns


def _unguarded(text):
    """A cell without the apostrophe that `event_tables` puts before what a spreadsheet takes for a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(GUARDED) else text


def event_based(reference, estimated, labels=None, *, collar=1.0, offsets=False, length_share=0.5):
    """F1 of events: one of each table agree where file and label are equal and onsets at most `collar` seconds apart.

    Each event agrees with one at most; as many pairs are formed as can be.

    Args:
      reference: DataFrame of SED, the events that are known.
      estimated: DataFrame of SED, those that were detected.
      labels: the classes; None: all of both tables.
      collar: seconds.
      offsets: whether offsets must agree, too: within `collar` or `length_share` of the known event's length,
        whichever is more.
      length_share: see `offsets`.

    Returns:
      {"micro": figures of all classes taken together, "macro": the mean of the classes' figures, "per_class": {label:
      figures}}. Figures are precision, recall and f1, and the numbers of events: matched, reference, estimated (macro
      has no numbers). As in sed_eval with empty_system_output_handling="zero_score": a class of which nothing was
      detected has a precision of 0; a class without known events has no recall and no F1 (None), and the means leave
      those out.
    """

    def matched(known, found):
        pairs = _near(known.onset.to_numpy(), found.onset.to_numpy(), collar)
        if offsets:
            lengths = (known.offset - known.onset).to_numpy()[pairs[0]]
            apart = np.abs(known.offset.to_numpy()[pairs[0]] - found.offset.to_numpy()[pairs[1]])
            pairs = pairs[:, apart <= np.maximum(collar, length_share * lengths)]
        graph = csr_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(len(known), len(found)))
        return int((maximum_bipartite_matching(graph) >= 0).sum()), len(known), len(found)

    return _figures(reference, estimated, labels, matched)


def segment_based(reference, estimated, labels=None, *, segment_seconds=1.0):
    """F1 of segments: a class is in a segment of a file where any part of one of its events is.

    Args and result are those of `event_based`; the numbers are of segments.
    """

    def matched(known, found):
        segments = [_segments(table, segment_seconds) for table in (known, found)]
        return len(np.intersect1d(*segments, assume_unique=True)), *map(len, segments)

    return _figures(reference, estimated, labels, matched)


def as_lines(figures, unit="events"):
    """What `event_based` or `segment_based` returns as lines for a terminal, one per class, shares in percent."""
    head = ["class", "F1", "precision", "recall", "known", "found", "right"]
    rows = {shown(label): values for label, values in figures["per_class"].items()}
    rows |= {f"all {unit}": figures["micro"], "mean of classes": figures["macro"]}
    width = min(max(map(columns, [head[0], *rows])), LABEL_WIDTH)
    lines = ["  ".join([padded(head[0], width), *(title.rjust(9) for title in head[1:])])]
    for label, values in rows.items():
        cells = [percent(values[name]).removesuffix(" %") for name in ("f1", "precision", "recall")]
        cells += [str(values.get(name, "")) for name in ("reference", "estimated", "matched")]
        lines.append("  ".join([padded(shorten(label, width), width), *(text.rjust(9) for text in cells)]).rstrip())
    return "\n".join(lines)


def as_report(figures):
    """What `inference.event_evaluation.measure` returns as lines for a terminal."""
    empty = figures["without_events"]
    lines = [f"recordings: {figures['recordings']}, of which {empty} {'has' if empty == 1 else 'have'} no known events"]
    if figures["left_out"]["events"]:
        events, files = figures["left_out"]["events"], figures["left_out"]["recordings"]
        left_out = "1 detected event" if events == 1 else f"{events} detected events"
        where = "1 recording that is" if files == 1 else f"{files} recordings that are"
        lines.append(f"left out: {left_out} of {where} not in --recordings")
    for result in figures["event_based"]:
        ends = "onsets and offsets" if result["offsets"] else "onsets"
        lines += ["", f"events, {ends} within {result['collar']:g} s", as_lines(result)]
    result = figures["segment_based"]
    lines += ["", f"segments of {result['segment_seconds']:g} s", as_lines(result, "segments")]
    if figures["psds"]:
        values = dict(figures["psds"])
        left_out = values.pop("left_out")
        lines += ["", "PSDS  " + ", ".join(f"{name}: {value:.3f}" for name, value in values.items())]
        if left_out:
            lines.append(f"without {left_out} known events, of classes that the model lacks or of no length")
    return "\n".join(lines)


def _figures(reference, estimated, labels, matched):
    """Figures per class and of all, by a function of two tables of one file and label: numbers of three kinds."""
    if labels is None:
        labels = sorted({*reference.event_label, *estimated.event_label})
    tables = (reference, estimated)
    groups = [dict(list(table.groupby(["filename", "event_label"]))) for table in tables]
    counts = {label: np.zeros(3, np.int64) for label in labels}
    for key in dict.fromkeys(key for group in groups for key in group):
        if key[1] in counts:
            known, found = (group.get(key, table[:0]) for group, table in zip(groups, tables, strict=True))
            counts[key[1]] += matched(known, found)
    per_class = {label: _shares(*numbers.tolist()) for label, numbers in counts.items()}
    micro = _shares(*sum(counts.values(), np.zeros(3, np.int64)).tolist())
    names = ("precision", "recall", "f1")
    macro = {name: _mean([figures[name] for figures in per_class.values()]) for name in names}
    return {"micro": micro, "macro": macro, "per_class": per_class}


def _shares(matched, reference, estimated):
    precision = matched / estimated if estimated else 0.0
    recall = matched / reference if reference else None
    f1 = None if recall is None else 2 * matched / (reference + estimated)
    numbers = {"matched": matched, "reference": reference, "estimated": estimated}
    return {"precision": precision, "recall": recall, "f1": f1} | numbers


def _mean(values):
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _near(known, found, collar):
    """Places of all pairs that are at most `collar` apart, int [2, pairs]; both float64, in any order."""
    order = np.argsort(found, kind="stable")
    sides = zip((-collar - 1e-6, collar + 1e-6), ("left", "right"), strict=True)
    first, last = (np.searchsorted(found[order], known + side, to) for side, to in sides)
    numbers = last - first
    within = np.arange(numbers.sum()) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    pairs = np.stack([np.repeat(np.arange(len(known)), numbers), order[np.repeat(first, numbers) + within]])
    return pairs[:, np.abs(known[pairs[0]] - found[pairs[1]]) <= collar]


def _segments(table, seconds):
    """Numbers of the segments that hold a part of an event, each once."""
    first = np.floor(table.onset.to_numpy() / seconds).astype(np.int64)
    last = np.ceil(table.offset.to_numpy() / seconds).astype(np.int64)
    return np.unique(np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [[]]))
