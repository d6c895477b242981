"""Scores of any audio files: a row per file, faults in a table of their own."""

import numpy as np
import pandas as pd

from urbansound.data import audio_files, cache
from urbansound.inference.classifier import score_clips
from urbansound.progress import bar
from urbansound.report.metrics import rank
from urbansound.report.trust import known

PLACES = ("label", "second", "third")
NONE = "none of these"  # the label of a sound that is taken for no class


def predict(classifier, files, threshold=None):
    """Scores of audio files of any length, format and rate.

    Args:
      classifier: a Classifier.
      files: their paths.
      threshold: a file whose largest score is below it is labelled NONE; None: as the classifier's thresholds say,
        where it has any. Its scores and the names of the second and third class stay.

    Returns:
      (table, faults): a row per readable file in order: path, label, score, second, second_score,
      third, third_score (as far as there are classes); and a DataFrame of path, fault of the others. Paths that
      are not UTF-8 are as `audio_files.as_text` has them.
    """
    faults, names = {}, [audio_files.as_text(file) for file in files]

    def readable():
        for index, waveform, fault in cache.decoded(files, classifier.audio.sample_rate):
            if fault.numpy():
                faults[int(index)] = fault.numpy().decode()
            else:
                yield index, waveform

    with bar("scoring files") as on_progress:
        scores = score_clips(readable(), len(files), classifier, on_progress=on_progress)
    table = _top(names, scores, classifier.class_names)
    if threshold is not None:
        table.loc[table.score < threshold, "label"] = NONE
    elif classifier.thresholds is not None:
        table.loc[known(scores, classifier.thresholds) < classifier.thresholds["none"], "label"] = NONE
    table = table.drop(index=list(faults))
    broken = pd.DataFrame([(names[i], fault) for i, fault in sorted(faults.items())], columns=["path", "fault"])
    return table.reset_index(drop=True), broken


def _top(files, scores, class_names):
    order = rank(scores)
    names = np.asarray(class_names, dtype=object)[order]
    ranked = np.take_along_axis(scores, order, axis=1)
    table = pd.DataFrame({"path": files})
    for place, name in enumerate(PLACES[: len(class_names)]):
        table[name] = names[:, place]
        table["score" if place == 0 else f"{name}_score"] = ranked[:, place]
    return table
