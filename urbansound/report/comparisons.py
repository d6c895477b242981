"""Pictures of several runs: the folds of a cross-validation, the trials of a search."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from urbansound.report.style import BLUE, GREY, INK, ORANGE, RED, new_figure, styled
from urbansound.report.tables import in_words, measure_of, percent

TRIAL_COLUMNS = 4


@styled
def folds(results):
    """Accuracy (or what models are compared by) of every fold with its interval, their mean, and random splits if any.

    Args:
      results: what `crossval.pool` returns.
    """
    measure = measure_of(results["folds"][0])
    rows = [(f"fold {row['fold']}", row, BLUE) for row in results["folds"]]
    for row in results.get("random", {"splits": []})["splits"]:
        rows.append((f"random split {row['fold']}, leaks", row, RED))
    figure = new_figure(7, 1.2 + 0.3 * len(rows))
    axes = figure.subplots()
    for place, (_, row, colour) in enumerate(rows):
        low, high = row[f"{measure}_interval"]
        axes.plot([low, high], [place, place], color=colour, lw=2)
        axes.plot(row[measure], place, "o", color=colour, ms=7, clip_on=False)
        text = percent(row[measure])
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0}  # or the line of the mean runs through it
        axes.annotate(text, (row[measure], place), (0, 6), textcoords="offset points", ha="center", bbox=box)
    mean = results[f"mean_{measure}"]
    axes.axvline(mean, color=INK, lw=1, ls="--", label=f"mean of folds: {percent(mean)}")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.8)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_title(f"{in_words(measure).capitalize()} and its 95 % interval")
    figure.legend(loc="outside lower right")
    return figure


@styled
def trials(found, names):
    """Validation accuracy (or what models are compared by) of a search's trials in order, then by each setting's value.

    Args:
      found: what `trials.search` returns.
      names: the settings that were searched.
    """
    measure = measure_of(found)
    measured = found[found[measure].notna()]
    values = measured[measure]
    rows = -(-(len(names) + 1) // TRIAL_COLUMNS)
    figure = new_figure(2.9 * min(len(names) + 1, TRIAL_COLUMNS) + 0.5, 2.6 * rows)
    grid = figure.subplots(rows, min(len(names) + 1, TRIAL_COLUMNS), sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, ("trial", *names), strict=False):
        axes.set_title(name)
        places, texts = _places(measured[name])
        if texts is not None:
            axes.set_xticks(range(len(texts)), texts, rotation=0 if len(texts) < 5 else 40)
        elif (places > 0).all() and places.max() > 20 * places.min() and name != "trial":
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # the scale's own write formulas
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.errorbar(places, values, measured.deviation.astype(float), fmt="none", ecolor=GREY, elinewidth=1, zorder=1)
        whole = (measured.state == "done").to_numpy()
        axes.plot(places[whole], values[whole], "o", color=BLUE, ms=5, label="done")
        axes.plot(places[~whole], values[~whole], "x", color=GREY, ms=5, label="ended early, fewer splits")
        first = (measured.trial == 0).to_numpy()
        axes.plot(places[first], values[first], "D", color=ORANGE, ms=6, label="as given")
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.grid(axis="y")
    for axes in grid.flat[len(names) + 1 :]:
        axes.set_visible(False)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    bars = "; bars: its standard deviation over them" if measured.deviation.notna().any() else ""
    figure.suptitle(f"{in_words(measure).capitalize()} on validation clips, mean over splits{bars}", fontsize=9)
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
