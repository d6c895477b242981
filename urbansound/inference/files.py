"""Scores of any audio files: a row per file, faults in a table of their own."""

import math
import os

import pandas as pd

from urbansound import targets
from urbansound.audio.sndfile import promised_samples
from urbansound.audio.stream import open_stream
from urbansound.data import audio_files, cache
from urbansound.errors import InputError
from urbansound.inference.classifier import score_sounds
from urbansound.inference.listeners import STANDARD_INPUT
from urbansound.progress import bar
from urbansound.report.metrics import best_three
from urbansound.report.trust import of_classes
from urbansound.targets import NONE

PLACES = ("best", "second", "third")
# Files that are decoded as a whole.
SHORT_SAMPLES = 2**21  # of all channels
SHORT_BYTES = 2**23


def predict(scorer, files, hop, threshold=None):
    """Scores of audio files of any length, format and rate, in memory that does not grow with their length.

    Args:
      scorer: a Scorer.
      files: what `open_stream` takes, paths or "-".
      hop: samples from one window's start to the next's.
      threshold: of all classes; a file of which no score is at least that is labelled NONE; None: as the model's
        thresholds say, where it has any. The scores and their classes stay.

    Returns:
      (table, faults): a row per whole file in order: path, label, best, score, second, second_score, third, third_score
      (as far as there are classes; best is the class of the highest score, whatever the label); and a DataFrame of
      path, fault of the others. Paths that are not UTF-8 are as `audio_files.as_text` has them.
    """
    faults, names, described = {}, [audio_files.as_text(file) for file in files], scorer.described
    with bar("scoring files", unit="file") as on_progress:
        sounds = _sounds(files, described.audio.sample_rate, faults, on_progress)
        scores = score_sounds(sounds, len(files), described, hop, scorer.score)
    table = _top(names, scores, described.class_names)
    thresholds = described.thresholds
    if threshold is not None:
        thresholds = {"classes": dict.fromkeys(described.class_names, threshold), "none": 0.0}
    table.insert(1, "label", _labels(scores, described, thresholds))
    table = table.drop(index=list(faults))
    broken = pd.DataFrame([(names[row], fault) for row, fault in sorted(faults.items())], columns=["path", "fault"])
    return table.reset_index(drop=True), broken


def _labels(scores, described, thresholds):
    """The label of each row of scores, list of str; NONE where the thresholds, or None, say that it is of no class."""
    kind = targets.of(described.targets)
    labels = kind.labels(kind.decide(scores, thresholds), described.class_names)
    if thresholds is not None:
        known = of_classes(scores, thresholds)
        labels = [label if is_known else NONE for label, is_known in zip(labels, known, strict=True)]
    return [label or NONE for label in labels]


def _sounds(files, sample_rate, faults, on_progress):
    """(row, blocks) of each file for `score_sounds`; faults gets {row: why it is not whole}."""
    short = [row for row, file in enumerate(files) if _is_short(file)]
    decoded = cache.decoded([files[row] for row in short], sample_rate) if short else ()
    for done, (index, waveform, fault) in enumerate(decoded, start=1):
        if fault.numpy():
            faults[short[int(index)]] = fault.numpy().decode()
        else:
            yield short[int(index)], [waveform.numpy()]
        on_progress(done, len(files))
    for done, row in enumerate(sorted(set(range(len(files))) - set(short)), start=len(short)):
        try:
            with open_stream(files[row], sample_rate) as stream:
                yield row, _blocks(stream, sample_rate, lambda share, done=done: on_progress(done + share, len(files)))
            fault = stream.fault
        except InputError as error:
            fault = str(error)
        if fault:
            faults[row] = fault


def _is_short(file):
    """Whether a file is decoded as a whole: several at once, which takes less time than block by block."""
    if file == STANDARD_INPUT or not os.path.isfile(file):
        return False
    try:
        with open(file, "rb") as opened:
            return os.path.getsize(file) <= SHORT_BYTES and 0 < promised_samples(opened) <= SHORT_SAMPLES
    except OSError:
        return False  # whatever it is, `open_stream` will say


def _blocks(stream, sample_rate, on_progress):
    """The blocks of a Stream; on_progress is called with the share of it that has been read, 0 to 1."""
    read = 0
    for block in stream.blocks():
        yield block
        read += len(block)
        on_progress(round(min(read / sample_rate / (stream.seconds or math.inf), 1.0), 2))


def _top(files, scores, class_names):
    table = pd.DataFrame({"path": files})
    for place, (names, values) in zip(PLACES, best_three(scores, class_names), strict=False):
        table[place] = names
        table["score" if place == "best" else f"{place}_score"] = values
    return table
