"""Figures of made-up scores, and which texts of a picture overlap."""

import numpy as np

from urbansound.report import metrics, style

TEN = ["air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling", "engine_idling", "gun_shot",
       "jackhammer", "siren", "street_music"]  # fmt: skip
FIFTY = [f"{name}_{i}" for i in range(5) for name in TEN]
THRESHOLDS = {
    "none": {"threshold": 0.2, "accepted": 0.9, "accuracy": 0.8},
    "classes": {name: {"threshold": 0.5, "precision": 0.9, "recall": 0.4} for name in TEN[1:]}
    | {TEN[0]: {"threshold": 0.9, "precision": None, "recall": 0.0}},
}


def make_metrics(names, clips=400):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(names), clips)
    logits = rng.normal(size=(clips, len(names))) + 3 * np.eye(len(names))[labels]
    scores = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    return metrics.evaluate(labels, scores, labels.astype(str), names, resamples=10)


def overlaps(figure, texts):
    """Pairs of texts whose boxes meet."""
    style.pixels(figure)
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]
