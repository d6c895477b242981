"""Size against accuracy: what runs, and means of several runs' scores, reach; a table, and a picture of it.

python tests/benchmarks/sizes.py --run=cnn=runs/us8k --run=teacher=runs/yamnet --run=both=runs/us8k,runs/yamnet
    [--picture=sizes.png]

After the name stands a run or a cross-validation, whose folds are averaged; of several, whatever their front-ends, the
mean of the scores is taken, fold by fold, and their parameters are added. Names that end in * are open circles.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pandas as pd
from absl import app, flags
from matplotlib.ticker import EngFormatter, LogLocator, MultipleLocator, NullLocator, PercentFormatter

from urbansound.report.style import BLUE, INK, new_figure, save, styled
from urbansound.run import Run

RUNS = flags.DEFINE_multi_string("run", None, "NAME=RUN,RUN,…", required=True)
NEAR, LINE = 1.2, 0.01  # of two texts: ratio of parameters (its logarithm), accuracy
PICTURE = flags.DEFINE_string("picture", None, "PNG file to draw")


def main(argv):
    """Print the table, then one line of JSON."""
    del argv
    if unnamed := [named for named in RUNS.value if "=" not in named]:
        sys.exit(f"error: --run={unnamed[0]}: pass --run=NAME=RUN,RUN,…")
    rows = [row(*named.split("=", 1)) for named in RUNS.value]
    print("| | parameters | folds | mean |\n|---|---|---|---|")
    for name, parameters, accuracies in rows:
        folds = ", ".join(f"{100 * accuracy:.1f}" for accuracy in accuracies)
        print(f"| {name} | {parameters / 1000:,.0f} k | {folds} | {np.mean(accuracies):.1%} |")
    print(json.dumps({name: accuracies for name, _, accuracies in rows}))
    if PICTURE.value:
        save(picture(rows), PICTURE.value)


def row(name, paths):
    """(name, parameters, accuracy of each fold) of one run or cross-validation, or of several with commas between."""
    folders = [sorted(Path(path).glob("fold_*")) or [Path(path)] for path in paths.split(",")]
    if len({len(each) > 1 and tuple(folder.name for folder in each) for each in folders}) > 1:
        sys.exit(f"error: {paths}: pass all single runs, or all cross-validations of the same folds")
    accuracies = [accuracy(members) for members in zip(*folders, strict=True)]
    parameters = sum(Run.open(each[0]).load_model(calibrated=False).count_params() for each in folders)
    return name, parameters, accuracies


def accuracy(members):
    """Accuracy of the mean of some runs' scores on their test clips."""
    tables = [pd.read_csv(member / "predictions.csv", keep_default_na=False).set_index("path") for member in members]
    names = (members[0] / "labels.txt").read_text().splitlines()
    columns = [f"score_{name}" for name in names]
    scores = np.mean([table.loc[tables[0].index, columns].to_numpy(float) for table in tables], axis=0)
    return float(np.mean(np.array(names)[scores.argmax(axis=1)] == tables[0].label.to_numpy()))


@styled
def picture(rows):
    """A Figure: a point per row, parameters on a logarithmic axis; a line goes from the worst fold to the best."""
    figure = new_figure(7, 4)
    axes = figure.subplots()
    smallest, largest, written = min(row[1] for row in rows), max(row[1] for row in rows), []
    for name, parameters, accuracies in sorted(rows, key=lambda row: np.mean(row[2])):
        mean, inside = np.mean(accuracies), "white" if name.endswith("*") else BLUE
        axes.plot([parameters] * 2, [min(accuracies), max(accuracies)], color=BLUE, alpha=0.25, linewidth=2)
        axes.plot(parameters, mean, "o", color=BLUE, markersize=7, markerfacecolor=inside)
        height = mean  # of the text, above those that it would touch
        for other, below in written:
            if abs(np.log(parameters / other)) < NEAR and height - below < LINE:
                height = below + LINE
        written.append((parameters, height))
        text = f"{name.removesuffix('*')}  {100 * mean:.1f} %"
        side = -1 if parameters > smallest**0.4 * largest**0.6 else 1  # towards where there is room
        aligned = {"horizontalalignment": "left" if side > 0 else "right", "verticalalignment": "center"}
        aligned["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
        axes.annotate(text, (parameters, height), (side * 8, 0), textcoords="offset points", color=INK, **aligned)
    axes.set_xscale("log")
    axes.set_xlim(smallest / 1.5, largest * 1.5)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.yaxis.set_major_locator(MultipleLocator(0.05))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set(xlabel="parameters", ylabel="accuracy", title="Accuracy on recordings that were not trained on")
    axes.grid(axis="y")
    return figure


if __name__ == "__main__":
    app.run(main)
