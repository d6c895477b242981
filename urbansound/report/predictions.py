"""The table of predictions: a row per test clip, enough to compute every figure again."""

import numpy as np
import pandas as pd

from urbansound.errors import InputError
from urbansound.report.metrics import best_three

CLIP_COLUMNS = ["path", "label", "fold", "recording", "salience"]


def predictions_table(clips, scores, class_names, predicted=None):
    """The scores of each clip, its three highest by name.

    Args:
      clips: DataFrame with path, label, fold, recording, salience.
      scores: float32 [clips, classes].
      class_names: str [classes].
      predicted: str [clips], labels as those of the clips; None: the class of the highest score.

    Returns:
      DataFrame in the order of `clips`: path, label, fold, recording, salience; predicted, correct,
      score; second, second_score, third, third_score (as far as there are classes); then
      score_<class> for every class. Scores are float32, written in full.

    Raises:
      InputError: scores are not [clips, classes].
    """
    scores = np.asarray(scores)
    if scores.shape != (len(clips), len(class_names)):
        raise InputError(
            f"scores must be [{len(clips)} clips, {len(class_names)} classes]. Received: {list(scores.shape)}"
        )
    (best, highest), *others = best_three(scores, class_names)
    table = clips[CLIP_COLUMNS].reset_index(drop=True)
    table["predicted"] = best if predicted is None else list(predicted)
    table["correct"] = table["predicted"] == table["label"]
    table["score"] = highest
    for place, (names, values) in zip(("second", "third"), others, strict=False):
        table[place], table[f"{place}_score"] = names, values
    of_classes = pd.DataFrame(scores, columns=[f"score_{name}" for name in class_names])
    return pd.concat([table, of_classes], axis=1)


def worst_mistakes(predictions, n):
    """The rows of `n` clips to look at: wrong answers, highest score first; then right ones, lowest score first.

    Args:
      predictions: DataFrame with correct and score, as `predictions_table` makes it.
      n: number of rows at most.
    """
    right = predictions["correct"].astype(bool)
    wrong = predictions[~right].sort_values("score", ascending=False, kind="stable")
    unsure = predictions[right].sort_values("score", kind="stable")
    return pd.concat([wrong, unsure]).head(n)


def mistakes_title(rows):
    """What `worst_mistakes` returned, a DataFrame with correct, in words: where mistakes are few, other clips too."""
    right = rows["correct"].astype(bool)
    return " and the ".join(["worst mistakes"] * (not right.all()) + ["least sure right answers"] * bool(right.any()))
