"""An exported file on the run's test fold, held against Keras, and what it costs to run."""

from pathlib import Path

import numpy as np

from export.serving import latency
from export.tflite import profile
from urbansound import cores
from urbansound.report import figures, trust
from urbansound.report.tables import measure_of


def baseline(classifier, scores, targets, recordings):
    """The Keras model's own figures, which every file is held against.

    Args:
      classifier: the Classifier that is exported.
      scores: float32 [clips, classes], its own, of the test clips.
      targets: float32 [clips, classes].
      recordings: str [clips].

    Returns:
      What `figures.evaluate` returns, `parameters` of the model, and where it has thresholds `thresholds`, what these
      do (see `trust.measure`).
    """
    scores, kind = np.asarray(scores), classifier.targets
    decided = kind.decide(scores, classifier.thresholds)
    names = list(classifier.class_names)
    values = figures.evaluate(kind, targets, scores, recordings, names, decided=decided)
    if classifier.thresholds is not None:
        values["thresholds"] = trust.measure(targets, decided, scores, classifier.thresholds)
    return {**values, "parameters": classifier.model.count_params()}


def measure(path, format, scores, expected, targets, recordings, classifier):
    """Everything about one exported file.

    Args:
      path: of the .tflite file, or of the SavedModel's folder (the one of a version).
      format: its name.
      scores: float32 [clips, classes], what it said of the test clips.
      expected: float32 [clips, classes], what Keras said of them.
      targets: float32 [clips, classes].
      recordings: str [clips].
      classifier: the Classifier that was exported.

    Returns:
      A dict for report.json, in which the `measure` of the classifier's targets stands for accuracy. Shares from 0 to
      1: `accuracy`, `accuracy_interval` (bootstrap over recordings), `top1_agreement` (clips with Keras' label, of
      several classes with all of them and no other), `max_score_difference`, `mean_score_difference`,
      `calibration` {ece, brier, log_loss}; `accuracy_change` in percentage
      points, negative for the worse; `bytes`; milliseconds for one window in `latency_ms` {one_thread,
      all_threads}, each {median, p95, frontend, backbone}; `arena_bytes`, `operations`, `multiply_adds`
      {frontend, backbone} (see `profile`); `parameters`. None where a SavedModel has no such figure.
    """
    scores, expected, kind = np.asarray(scores), np.asarray(expected), classifier.targets
    names, share = list(classifier.class_names), kind.measure
    decided, wanted = (kind.decide(values, classifier.thresholds) for values in (scores, expected))
    own = figures.evaluate(kind, targets, scores, recordings, names, decided=decided)
    difference = np.abs(scores.astype(np.float64) - expected)
    of_keras = figures.summary(kind, targets, expected, recordings)[share]
    return {
        "format": format,
        "path": str(path),
        "bytes": _bytes(Path(path)),
        share: own[share],
        f"{share}_interval": own[f"{share}_interval"],
        f"{share}_change": 100 * (own[share] - of_keras),
        "top1_agreement": float((decided == wanted).all(axis=1).mean()),
        "max_score_difference": float(difference.max()),
        "mean_score_difference": float(difference.mean()),
        "calibration": {name: own["calibration"][name] for name in ("ece", "brier", "log_loss")},
        **_costs(Path(path), classifier),
        "parameters": classifier.model.count_params(),
    }


def too_much_lost(files, max_accuracy_drop):
    """Formats of the files whose accuracy, or other measure, fell by more than that many percentage points.

    Args:
      files: what `measure` returned, for each.
      max_accuracy_drop: percentage points.
    """
    lost = {file["format"]: -file[f"{measure_of(file)}_change"] for file in files}
    return [name for name, points in lost.items() if points > max_accuracy_drop + 1e-9]  # float's rounding


def _costs(path, classifier):
    threads = {"one_thread": 1, "all_threads": cores.usable()}
    if path.is_dir():
        samples, missing = classifier.audio.clip_samples, {"frontend": None, "backbone": None}
        times = {k: latency.measure(path, samples, n) | missing for k, n in threads.items()}
        return {"latency_ms": times, "arena_bytes": None, "operations": None, "multiply_adds": None}
    content = path.read_bytes()
    part, products = profile.front_end(content), profile.multiply_adds(content)
    before = profile.multiply_adds(part) if part else 0
    return {
        "latency_ms": {k: profile.latency(content, n) for k, n in threads.items()},
        "arena_bytes": profile.arena_bytes(content),
        "operations": profile.operations(content),
        "multiply_adds": {"frontend": before, "backbone": None if products is None else products - before},
    }


def _bytes(path):
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )
