"""Accuracy of the mean of several runs' scores on their test clips, whatever their front-ends.

python tests/benchmarks/average.py --runs=runs/yamnet,runs/distilled

A run may be a cross-validation: its runs are taken fold by fold. Prints a line per fold and the mean, then one line of
JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from absl import app, flags

RUNS = flags.DEFINE_list("runs", [], "directories of trained runs, or of cross-validations")


def main(argv):
    """Print the accuracies."""
    del argv
    folders = [sorted(Path(path).glob("fold_*")) or [Path(path)] for path in RUNS.value]
    if not folders or len({tuple(folder.name for folder in each) for each in folders if len(each) > 1}) > 1:
        sys.exit("error: pass --runs=RUN,RUN, all single runs or all cross-validations of the same folds")
    figures = {}
    for members in zip(*folders, strict=True):
        tables = [
            pd.read_csv(member / "predictions.csv", keep_default_na=False).set_index("path") for member in members
        ]
        names = (members[0] / "labels.txt").read_text().splitlines()
        columns = [f"score_{name}" for name in names]
        scores = np.mean([table.loc[tables[0].index, columns].to_numpy(float) for table in tables], axis=0)
        label = tables[0].label.to_numpy()
        figures[members[0].name] = float(np.mean(np.array(names)[scores.argmax(axis=1)] == label))
    for name, accuracy in figures.items():
        print(f"{name}  {accuracy:.1%}")
    print(f"mean  {np.mean(list(figures.values())):.1%}")
    print(json.dumps(figures))


if __name__ == "__main__":
    app.run(main)
