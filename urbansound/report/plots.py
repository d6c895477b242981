"""Pictures of a run as matplotlib Figures, drawn without pyplot, so nothing global is touched.

Those of several runs are drawn in comparisons.py, those of trust in scores in trust_plots.py.
"""

import textwrap

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from urbansound.report.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    RED,
    axis_labels,
    legend_below,
    new_figure,
    styled,
)
from urbansound.report.tables import in_words, measure_of, percent
from urbansound.targets import NONE
from urbansound.text import columns as columns_of

TITLE = {"fontsize": 10, "fontweight": "bold"}
CHARACTERS_PER_INCH = 13  # of the pictures' font in 9 points


@styled
def learning_curves(history, keep="best"):
    """Loss, accuracy (or what models are compared by) and learning rate by epoch, a row of panels per stage.

    The epoch that each stage kept is marked.

    Args:
      history: DataFrame with epoch (from 1 in each stage), loss, accuracy, val_loss, val_accuracy
        (shares), learning_rate; and stage, the stage's name, where there may be several.
      keep: "best": the epoch of the lowest validation loss was kept; "last": the last one.
    """
    measure = measure_of(history)
    stages = dict(list(history.groupby("stage", sort=False))) if "stage" in history else {"": history}
    figure = new_figure(9.2, 3.8 * len(stages))
    rows = figure.subfigures(len(stages), 1, squeeze=False)[:, 0]
    for row, (name, epochs) in zip(rows, stages.items(), strict=True):
        if len(stages) > 1:
            row.suptitle(name, x=0.01, ha="left", fontsize=11)
        loss, accuracy, rate = row.subplots(1, 3, width_ratios=[4, 4, 3])
        _curves(loss, epochs, "loss", "{:.3f}".format, keep)
        _curves(accuracy, epochs, measure, percent, keep)
        loss.set(title="Loss", ylim=(0, None))
        accuracy.set(title=in_words(measure).capitalize(), ylim=(0, 1))
        accuracy.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        rate.plot(epochs["epoch"], epochs["learning_rate"], color=GREY, marker=_marker(epochs), ms=3)
        rate.set(title="Learning rate", ylim=(0, None))
        rate.yaxis.set_major_locator(MaxNLocator(5))
        rate.yaxis.set_major_formatter(FuncFormatter(_decimal))
        for axes in (loss, accuracy, rate):
            axes.grid(axis="y")
            axes.set_xlabel("epoch")
            axes.set_xticks(_epoch_ticks(len(epochs)))
        for axes in (loss, accuracy):
            legend_below(axes, fontsize=9)
    return figure


def _decimal(value, _):
    """'0.00008', which the format g writes as 8e-05."""
    return np.format_float_positional(float(f"{value:.3g}"), trim="-")


def _epoch_ticks(count):
    """About six epochs from 1 to `count`, the first one among them."""
    if count == 1:
        return [1]
    ticks = MaxNLocator(6, integer=True).tick_values(1, count)
    return [1, *(tick for tick in ticks if 1 + (ticks[1] - ticks[0]) / 2 <= tick <= count)]


def _curves(axes, epochs, name, as_text, keep):
    """Column `name` of training and of validation, its value of the epoch that was kept marked."""
    marker = _marker(epochs)
    axes.plot(epochs["epoch"], epochs[name], "--", color=ORANGE, marker=marker, ms=3, label="training")
    if epochs["val_loss"].notna().any():
        axes.plot(epochs["epoch"], epochs[f"val_{name}"], color=BLUE, marker=marker, ms=3, label="validation")
        row = epochs["val_loss"].idxmin() if keep == "best" else epochs.index[-1]
        epoch, value = epochs.loc[row, ["epoch", f"val_{name}"]]
        axes.axvline(epoch, color=GREY, lw=1, ls=":", zorder=0)
        axes.plot(epoch, value, "D", color=INK, ms=5, label=f"epoch {epoch:.0f}, kept: {as_text(value)}")


def _marker(epochs):
    return "o" if len(epochs) < 12 else None


@styled
def confusion_matrix(confusion, class_names):
    """Counts of clips by true and predicted class; the shade is the share of the true class.

    Args:
      confusion: int [classes, classes], rows are true.
      class_names: str [classes].
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes, labels = len(counts), axis_labels(class_names)
    cell = 0.55 if classes <= 15 else 0.24
    size = max(classes * cell, 2) + 2
    figure = new_figure(size, size - 0.4)
    axes = figure.subplots()
    font = 9 if classes <= 15 else 6.5
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    for true, predicted in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[true, predicted] > 0.6 else INK
        count = f"{counts[true, predicted]}"
        small = min(font, 72 * cell / (0.75 * len(count)))
        axes.text(predicted, true, count, ha="center", va="center", color=colour, fontsize=small)
    turned = {"rotation": 90} if classes > 15 else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(classes), labels, fontsize=font, **turned)
    axes.set_yticks(range(classes), labels, fontsize=font)
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.grid(which="minor")
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    # Of the figure, and in two lines: a matrix of two classes is narrower than either title.
    figure.suptitle("Clips by true and predicted class\n(shade: share of the row)", x=0.01, ha="left", **TITLE)
    return figure


@styled
def class_bars(per_class):
    """F1 of every class as a bar, best first, with its precision and recall.

    Args:
      per_class: {label: {precision, recall, f1, support}}, None where undefined.
    """
    labels = dict(zip(per_class, axis_labels(per_class), strict=True))
    rows = sorted(per_class.items(), key=lambda row: (row[1]["f1"] is None, -(row[1]["f1"] or 0)))
    places = np.arange(len(rows))
    figure = new_figure(7, 1.3 + 0.26 * len(rows))
    axes = figure.subplots()
    column = {name: [_or_nan(row[name]) for _, row in rows] for name in ("precision", "recall", "f1")}
    axes.barh(places, column["f1"], 0.62, color=PALE, label="F1")
    axes.plot(column["precision"], places, "o", color=BLUE, ms=5, label="precision")
    axes.plot(column["recall"], places, "|", color=RED, ms=11, mew=2.5, label="recall")
    axes.set_yticks(places, [labels[label] for label, _ in rows])
    for place, (_, row) in zip(places, rows, strict=True):
        text = f"{row['support']} clips" if row["support"] else "no test clips"
        axes.text(1.03, place, text, va="center", fontsize=8, color=GREY)
    axes.set_xlim(0, 1.015)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@styled
def robustness(measured):
    """Accuracy, or what models are compared by, by signal-to-noise ratio: a curve per kind of noise, and clean clips.

    Args:
      measured: what `robustness.measure` returns, some of it with noise.
    """
    measure = measure_of(measured)
    figure = new_figure(7, 3.6)
    axes = figure.subplots()
    noisy = measured[measured.noise.notna()]
    for (name, rows), colour, marker in zip(noisy.groupby("noise"), (BLUE, ORANGE), "os", strict=False):
        rows = rows.sort_values("snr_db")
        axes.plot(rows.snr_db, rows[measure], color=colour, marker=marker, label=name)
        axes.fill_between(rows.snr_db, rows.low, rows.high, color=colour, alpha=0.12, lw=0)
    clean = measured[measure][0]
    axes.axhline(clean, color=INK, lw=1, ls="--", label=f"clean: {percent(clean)}")
    axes.invert_xaxis()
    axes.set_xticks(sorted(set(noisy.snr_db)), [f"{level:g}" for level in sorted(set(noisy.snr_db))])
    axes.set_xlabel("signal-to-noise ratio, dB")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid(axis="y")
    axes.set_title(f"{in_words(measure).capitalize()} in noise, with 95 % intervals")
    legend_below(axes, 4)
    return figure


@styled
def log_mel_grid(log_mels, predictions, class_names, frame_seconds, mel_hz, *, columns=4):
    """Log-mels of some clips, each with its label and what was predicted.

    A wrong prediction has a cross, bold letters and a dashed frame; a right one a tick. Shades span
    each clip's own energies. A frame is drawn from its start to the next frame's, a band at its centre
    in Hz; the axis is linear up to 1 kHz and logarithmic above, as Slaney's mel scale is.

    Args:
      log_mels: float32 [clips, frames, n_mels].
      predictions: DataFrame, a row per log-mel, with label, predicted, score, correct.
      class_names: str [classes].
      frame_seconds: time from one frame to the next.
      mel_hz: float [n_mels], centre of each band in Hz, rising.
      columns: panels in a row.
    """
    log_mels, mel_hz = np.asarray(log_mels), np.asarray(mel_hz)
    clips, frames, _ = log_mels.shape
    seconds = frame_seconds * (np.arange(frames) + 0.5)
    labels = dict(zip(class_names, axis_labels(class_names), strict=True))
    joined = [name for name in (*predictions.label, *predictions.predicted) if name not in labels]
    labels |= dict(zip(joined, axis_labels([name or NONE for name in joined]), strict=True))
    rows = -(-clips // columns)
    width = 2.7 * min(columns, clips) + 0.4
    figure = new_figure(width, 2.25 * rows + 0.4)
    grid = figure.subplots(rows, min(columns, clips), sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[clips:]:
        axes.set_visible(False)
    for axes, log_mel, row in zip(grid.flat, log_mels, predictions.itertuples(), strict=False):
        draw_log_mel(axes, log_mel, seconds, mel_hz)
        _title_prediction(axes, row, labels[row.label], labels[row.predicted])
    for axes in grid.flat:
        axes.set(xlabel=None, ylabel=None)
    for axes in grid[:, 0]:
        axes.set_ylabel("Hz")
    for axes in grid.flat[max(clips - columns, 0) : clips]:  # the lowest panel of each column
        axes.tick_params(labelbottom=True)
    figure.supxlabel("seconds", fontsize=9)
    legend = "Label above, prediction and its confidence below; ✗ and a dashed frame: wrong"
    figure.suptitle(textwrap.fill(legend, int(width * CHARACTERS_PER_INCH)), fontsize=9)
    return figure


def draw_log_mel(axes, log_mel, seconds, mel_hz):
    """Draw float [frames, n_mels] on axes, at times and centres of bands; shades span nearly all of its energies."""
    from librosa.display import specshow  # imports pyplot, which nothing else here needs

    low, high = np.percentile(log_mel, [2, 99.9])
    places = {"x_coords": seconds, "y_coords": mel_hz, "x_axis": "s", "y_axis": "mel"}
    specshow(log_mel.T, **places, ax=axes, cmap="magma", vmin=low, vmax=high)


def _title_prediction(axes, row, label, predicted):
    sign, weight = ("✓", "normal") if row.correct else ("✗", "bold")
    lines = (label, f"{sign} {predicted}, {100 * row.score:.0f} %")
    size = 8.5 * min(1, 26 / max(map(columns_of, lines)))  # of more characters than 26, smaller ones
    axes.set_title("\n".join(lines), fontsize=size, fontweight=weight)
    axes.spines[:].set_visible(True)
    if not row.correct:
        axes.spines[:].set(color=RED, linewidth=2.5, linestyle=(0, (3, 1.5)))


def _or_nan(value):
    return float("nan") if value is None else value
