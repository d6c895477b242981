"""Pictures of a run as matplotlib Figures: drawn without pyplot, so nothing global is touched.

Colours are Okabe and Ito's, told apart by colour-blind readers; nothing is said by colour alone.
"""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from urbansound.files import replacing
from urbansound.report.tables import percent, shorten

BLUE, ORANGE, RED, GREY, INK = "#0072B2", "#E69F00", "#D55E00", "#767676", "#222222"
DOTS_PER_INCH = 120
LABEL_WIDTH = 24
TRIAL_COLUMNS = 4
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "white",
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "text.color": INK,
}
styled = matplotlib.rc_context(_STYLE)


def save(figure, path):
    """Write a Figure to `path`, in the format of its ending, in one step."""
    with replacing(path) as part:
        figure.savefig(part)


def pixels(figure):
    """A Figure as uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@styled
def learning_curves(history):
    """Loss, accuracy and learning rate by epoch, the epoch of the lowest validation loss marked.

    Args:
      history: DataFrame with epoch (from 1), loss, accuracy, val_loss, val_accuracy (shares),
        learning_rate.
    """
    figure = _figure(10, 3.4)
    panels = figure.subplots(1, 3, width_ratios=[4, 4, 3])
    marker = "o" if len(history) < 12 else None
    best = history["val_loss"].idxmin() if history["val_loss"].notna().any() else None
    for axes, name, title in zip(panels, ("loss", "accuracy"), ("Loss", "Accuracy"), strict=False):
        axes.plot(history["epoch"], history[name], "--", color=ORANGE, marker=marker, ms=3, label="training")
        if best is not None:
            axes.plot(history["epoch"], history[f"val_{name}"], color=BLUE, marker=marker, ms=3, label="validation")
            epoch, value = history.loc[best, ["epoch", f"val_{name}"]]
            axes.axvline(epoch, color=GREY, lw=1, ls=":", zorder=0)
            text = f"{value:.3f}" if name == "loss" else percent(value)
            axes.plot(epoch, value, "D", color=INK, ms=5, label=f"lowest loss, epoch {epoch:.0f}: {text}")
        axes.set_title(title)
        axes.legend(loc="upper right" if name == "loss" else "lower right")
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(0, 1)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    panels[2].plot(history["epoch"], history["learning_rate"], color=GREY, marker=marker, ms=3)
    panels[2].set_title("Learning rate")
    panels[2].set_ylim(bottom=0)
    panels[2].yaxis.set_major_locator(MaxNLocator(5))
    panels[2].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    for axes in panels:
        axes.grid(axis="y")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


@styled
def confusion_matrix(confusion, class_names):
    """Counts of clips by true and predicted class; the shade is the share of the true class.

    Args:
      confusion: int [classes, classes], rows are true.
      class_names: str [classes].
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes, labels = len(counts), _labels(class_names)
    cell = 0.55 if classes <= 15 else 0.24
    size = max(classes * cell, 2) + 2
    figure = _figure(size, size - 0.4)
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
    axes.set_title("Clips by true and predicted class (shade: share of the row)")
    return figure


@styled
def calibration(values):
    """Reliability diagram: accuracy by confidence, and how many clips have that confidence.

    Args:
      values: what `metrics.calibration` returns.
    """
    filled = [b for b in values["bins"] if b["count"]]
    middles = [(b["low"] + b["high"]) / 2 for b in filled]
    width = 0.86 / len(values["bins"])
    figure = _figure(4.6, 5)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    axes.bar(middles, [b["accuracy"] for b in filled], width, color=BLUE, label="clips of that confidence")
    axes.plot([0, 1], [0, 1], "--", color=INK, lw=1, label="where confidence is true")
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_title(f"Calibration: off by {percent(values['ece'])} on average")
    axes.legend(loc="upper left")
    counts.bar(middles, [b["count"] for b in filled], width, color=GREY)
    counts.set_ylabel("clips")
    counts.set_xlim(0, 1)
    counts.set_xlabel("confidence (highest score)")
    counts.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    counts.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for panel in (axes, counts):
        panel.grid(axis="y")
    return figure


@styled
def class_bars(per_class):
    """F1 of every class as a bar, best first, with its precision and recall.

    Args:
      per_class: {label: {precision, recall, f1, support}}, None where undefined.
    """
    rows = sorted(per_class.items(), key=lambda row: (row[1]["f1"] is None, -(row[1]["f1"] or 0)))
    places = np.arange(len(rows))
    figure = _figure(7, 1.3 + 0.26 * len(rows))
    axes = figure.subplots()
    column = {name: [_or_nan(row[name]) for _, row in rows] for name in ("precision", "recall", "f1")}
    axes.barh(places, column["f1"], 0.62, color="#9CC8E3", label="F1")
    axes.plot(column["precision"], places, "o", color=BLUE, ms=5, label="precision")
    axes.plot(column["recall"], places, "|", color=RED, ms=11, mew=2.5, label="recall")
    axes.set_yticks(places, _labels([label for label, _ in rows]))
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
    """Accuracy by signal-to-noise ratio, a curve per kind of noise, beside the clean clips'.

    Args:
      measured: what `robustness.measure` returns, some of it with noise.
    """
    figure = _figure(7, 3.6)
    axes = figure.subplots()
    noisy = measured[measured.noise.notna()]
    for (name, rows), colour, marker in zip(noisy.groupby("noise"), (BLUE, ORANGE), "os", strict=False):
        rows = rows.sort_values("snr_db")
        axes.plot(rows.snr_db, rows.accuracy, color=colour, marker=marker, label=name)
        axes.fill_between(rows.snr_db, rows.low, rows.high, color=colour, alpha=0.12, lw=0)
    clean = measured.accuracy[0]
    axes.axhline(clean, color=INK, lw=1, ls="--", label=f"clean: {percent(clean)}")
    axes.invert_xaxis()
    axes.set_xticks(sorted(set(noisy.snr_db)), [f"{level:g}" for level in sorted(set(noisy.snr_db))])
    axes.set_xlabel("signal-to-noise ratio, dB")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid(axis="y")
    axes.set_title("Accuracy in noise, with 95 % intervals")
    axes.legend(loc="lower left")
    return figure


@styled
def folds(results):
    """Accuracy of every fold with its interval, their mean, and random splits where there were any.

    Args:
      results: what `crossval.pool` returns.
    """
    rows = [(f"fold {row['fold']}", row, BLUE) for row in results["folds"]]
    for row in results.get("random", {"splits": []})["splits"]:
        rows.append((f"random split {row['fold']}, leaks", row, RED))
    figure = _figure(7, 1.2 + 0.3 * len(rows))
    axes = figure.subplots()
    for place, (_, row, colour) in enumerate(rows):
        low, high = row["accuracy_interval"]
        axes.plot([low, high], [place, place], color=colour, lw=2)
        axes.plot(row["accuracy"], place, "o", color=colour, ms=7)
        text = percent(row["accuracy"])
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0}  # or the line of the mean runs through it
        axes.annotate(text, (row["accuracy"], place), (0, 6), textcoords="offset points", ha="center", bbox=box)
    mean = results["mean_accuracy"]
    axes.axvline(mean, color=INK, lw=1, ls="--", label=f"mean of folds: {percent(mean)}")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.8)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_title("Accuracy and its 95 % interval")
    figure.legend(loc="outside lower right")
    return figure


@styled
def trials(found, names):
    """Validation accuracy of a search's trials in their order, then by each setting's value.

    Args:
      found: what `trials.search` returns.
      names: the settings that were searched.
    """
    measured = found[found.accuracy.notna()]
    rows = -(-(len(names) + 1) // TRIAL_COLUMNS)
    figure = _figure(2.9 * min(len(names) + 1, TRIAL_COLUMNS) + 0.5, 2.6 * rows)
    grid = figure.subplots(rows, min(len(names) + 1, TRIAL_COLUMNS), sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, ("trial", *names), strict=False):
        axes.set_title(name)
        places, texts = _places(measured[name])
        if texts is not None:
            axes.set_xticks(range(len(texts)), texts, rotation=0 if len(texts) < 5 else 40)
        elif (places > 0).all() and places.max() > 20 * places.min() and name != "trial":
            axes.set_xscale("log")
        whole = (measured.state == "done").to_numpy()
        axes.plot(places[whole], measured.accuracy[whole], "o", color=BLUE, ms=5, label="done")
        axes.plot(places[~whole], measured.accuracy[~whole], "x", color=GREY, ms=5, label="ended early, fewer splits")
        first = (measured.trial == 0).to_numpy()
        axes.plot(places[first], measured.accuracy[first], "D", color=ORANGE, ms=6, label="as given")
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.grid(axis="y")
    for axes in grid.flat[len(names) + 1 :]:
        axes.set_visible(False)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("Accuracy on validation clips, mean over splits", fontsize=9)
    return figure


def _places(values):
    """(where each value lies on its axis, what stands below the places; None where they are numbers)."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
    if not np.isnan(numbers).any() and values.nunique() > 6:
        return numbers, None
    choices = sorted(values.unique(), key=lambda value: (isinstance(value, str), value))
    return values.map(choices.index).to_numpy(float), [
        value if isinstance(value, str) else f"{value:.3g}" for value in choices
    ]


@styled
def log_mel_grid(log_mels, predictions, frame_seconds, mel_hz, *, columns=4):
    """Log-mels of some clips, each with its label and what was predicted.

    A wrong prediction has a cross, bold letters and a dashed frame; a right one a tick. Shades span
    each clip's own energies.

    Args:
      log_mels: float32 [clips, frames, n_mels].
      predictions: DataFrame, a row per log-mel, with label, predicted, score, correct.
      frame_seconds: time from one frame to the next.
      mel_hz: float [n_mels], centre of each band in Hz, rising.
      columns: panels in a row.
    """
    log_mels = np.asarray(log_mels)
    clips, frames, n_mels = log_mels.shape
    ticks = [hz for hz in (100, 300, 1000, 3000, 10000) if mel_hz[0] <= hz <= mel_hz[-1]]
    rows = -(-clips // columns)
    figure = _figure(2.7 * min(columns, clips) + 0.4, 2.25 * rows + 0.4)
    grid = figure.subplots(rows, min(columns, clips), sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[clips:]:
        axes.set_visible(False)
    for axes, log_mel, row in zip(grid.flat, log_mels, predictions.itertuples(), strict=False):
        low, high = np.percentile(log_mel, [2, 99.9])
        extent = (0, frames * frame_seconds, -0.5, n_mels - 0.5)
        axes.imshow(log_mel.T, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high, extent=extent)
        _title_prediction(axes, row)
    grid[0, 0].set_yticks(np.interp(ticks, mel_hz, np.arange(n_mels)), [f"{hz:,}" for hz in ticks])
    for axes in grid[:, 0]:
        axes.set_ylabel("Hz")
    for axes in grid.flat[max(clips - columns, 0) : clips]:  # the lowest panel of each column
        axes.tick_params(labelbottom=True)
    figure.supxlabel("seconds", fontsize=9)
    figure.suptitle("Label above, prediction and its confidence below; ✗ and a dashed frame: wrong", fontsize=9)
    return figure


def _title_prediction(axes, row):
    label, predicted = _labels([row.label, row.predicted])
    sign, weight = ("✓", "normal") if row.correct else ("✗", "bold")
    axes.set_title(f"{label}\n{sign} {predicted}, {100 * row.score:.0f} %", fontsize=8.5, fontweight=weight)
    axes.spines[:].set_visible(True)
    if not row.correct:
        axes.spines[:].set(color=RED, linewidth=2.5, linestyle=(0, (3, 1.5)))


def _figure(width, height):
    """An empty Figure of that many inches whose parts make room for one another."""
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def _labels(names):
    """Names short enough for an axis, dollar signs kept from starting a formula."""
    return [shorten(str(name), LABEL_WIDTH).replace("$", r"\$") for name in names]


def _or_nan(value):
    return float("nan") if value is None else value
