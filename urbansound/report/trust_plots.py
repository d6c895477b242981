"""Pictures of how far scores can be trusted: calibration, coverage, precision and recall by score."""

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from urbansound.report.style import BLUE, GREY, INK, PALE, axis_labels, legend_below, new_figure, styled
from urbansound.report.tables import percent, points

COLUMNS = 5
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}  # of a number that a line may run through
FEW = 10  # answers in a bin whose share says little
# What is counted by its confidence: the confidence, and the share that is compared with it.
RELIABILITY = {
    "clips": ("confidence (highest score)", "accuracy"),
    "scores": ("confidence (a class's score)", "share that is of the class"),
}


@styled
def calibration(values):
    """Reliability diagram: accuracy by confidence, and how many clips have that confidence.

    Args:
      values: what `metrics.calibration` or `multilabel.calibration` returns.
    """
    of = values.get("of", "clips")
    confidence, share = RELIABILITY[of]
    filled = [b for b in values["bins"] if b["count"]]
    middles = [(b["low"] + b["high"]) / 2 for b in filled]
    width = 0.86 / len(values["bins"])
    few = [b["count"] < FEW for b in filled]
    figure = new_figure(4.6, 5)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    colours = [PALE if is_few else BLUE for is_few in few]
    axes.bar(middles, [b["accuracy"] for b in filled], width, color=colours)
    legend = [Patch(color=BLUE, label=f"{of} of that confidence, their number above")]
    legend += [Patch(color=PALE, label=f"fewer than {FEW} {of}")] if any(few) else []
    for middle, b in zip(middles, filled, strict=True):  # which also tells a bin of 0 % from an empty one
        number = f"{b['count']}" if b["count"] < 1000 else f"{b['count'] / 1000:.0f}k"
        axes.annotate(
            number, (middle, b["accuracy"]), (0, 2), textcoords="offset points", ha="center", fontsize=6.5, bbox=BOX
        )
    legend += axes.plot([0, 1], [0, 1], "--", color=INK, lw=1, label="where confidence is true")
    axes.set_ylim(0, 1.06)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel(share)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_title(f"Calibration: off by {points(values['ece'])} on average")
    counts.bar(middles, [b["count"] for b in filled], width, color=GREY)
    counts.set_ylabel(of)
    counts.set_xlim(0, 1)
    counts.set_xlabel(confidence)
    counts.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    counts.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for panel in (axes, counts):
        panel.grid(axis="y")
    figure.legend(handles=legend, loc="outside lower center")
    return figure


@styled
def coverage(points, thresholds=None):
    """Accuracy of the clips of the highest scores, by their share of all clips.

    Args:
      points: what `trust.coverage` returns.
      thresholds: what `trust.measure` returns, whose clips that are not "none of these" are marked; None: no mark.
    """
    figure = new_figure(4.6, 3.7)
    axes = figure.subplots()
    axes.plot([p["coverage"] for p in points], [p["accuracy"] for p in points], color=BLUE, marker="o", ms=3)
    if thresholds is not None and thresholds["none"]["accepted"]:
        none = thresholds["none"]
        label = (
            "all that are not “none of these”: a rule of all scores, not of\nthe highest, so it may lie off the curve"
        )
        axes.plot(none["accepted"], none["accuracy"], "D", color=INK, ms=6, clip_on=False, zorder=3, label=label)
    axes.set(
        xlim=(0, 1.02), ylim=(0, 1.02), xlabel="share of the clips, those of the highest scores", ylabel="accuracy"
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid()
    axes.set_title("Accuracy of the surest answers")
    if axes.get_legend_handles_labels()[0]:
        legend_below(axes)
    return figure


@styled
def precision_recall(curves, thresholds=None):
    """Precision by recall, a panel per class, each class's threshold marked.

    Of thresholds with the same recall the curve has the one with the highest precision; that of validation clips may
    be a lower one, and its mark below the curve.

    Args:
      curves: what `trust.precision_recall` returns.
      thresholds: what `trust.measure` returns; None: no marks.
    """
    columns = min(COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = new_figure(0.5 + 1.7 * columns, 0.9 + 1.6 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (label, curve), title in zip(grid.flat, curves.items(), axis_labels(curves), strict=False):
        axes.set_title(title, fontsize=min(9, 9 * 22 / max(len(title), 1)))
        axes.grid()
        if not curve["recall"]:
            axes.text(0.5, 0.5, "no test clips", ha="center", color=GREY, fontsize=8)
        axes.plot(curve["recall"], curve["precision"], color=BLUE, label="highest precision at each recall")
        if thresholds is not None and curve["recall"]:
            _mark_threshold(axes, thresholds["classes"][label])
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    for axes in grid.flat[max(len(curves) - columns, 0) : len(curves)]:  # the lowest panel of each column
        axes.tick_params(labelbottom=True)
    grid[0, 0].set(xlim=(0, 1.03), ylim=(0, 1.03), xticks=np.linspace(0, 1, 3), yticks=np.linspace(0, 1, 3))
    for axis in (grid[0, 0].xaxis, grid[0, 0].yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    figure.supxlabel("recall", fontsize=9)
    figure.supylabel("precision", fontsize=9)
    entries = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=2)
    return figure


def _mark_threshold(axes, at):
    """Mark what a class's threshold does on the test clips; say so where no clip reaches it."""
    if at["precision"] is None:
        axes.text(0.5, 0.06, f"no clip reaches {percent(at['threshold'])}", ha="center", color=INK, fontsize=8)
        return
    label = "the class's threshold, chosen by other clips"
    axes.plot(at["recall"], at["precision"], "D", color=INK, ms=5, clip_on=False, zorder=3, label=label)
