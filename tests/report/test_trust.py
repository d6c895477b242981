"""Coverage and thresholds by counting."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from urbansound.report import trust
from urbansound.targets import SINGLE

SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]], np.float32)
LABELS = np.array([0, 1, 1, 0])  # the two surest are right
ANSWERS = SINGLE.matrix(LABELS, [0, 1]), SINGLE.decide(SCORES)
THRESHOLDS = {
    "none": 0.2, "weights": {"dog": -0.5, "siren": -1.5}, "bias": -2.0,
    "classes": {"dog": 0.65, "siren": 0.85}, "precision": 0.9,
    "temperature": 0.5, "source": "validation clips", "n_clips": 10, "n_recordings": 5,
}  # fmt: skip


def test_accuracy_of_the_surest_clips():
    points = trust.coverage(LABELS, SCORES)
    assert [(p["coverage"], p["accuracy"]) for p in points] == [(0.25, 1.0), (0.5, 1.0), (0.75, 2 / 3), (1.0, 0.5)]
    assert [p["score"] for p in points] == pytest.approx([0.9, 0.8, 0.7, 0.6])


def test_of_many_clips_there_are_twenty_points_the_last_of_all():
    generator = np.random.default_rng(0)
    scores, labels = generator.dirichlet(np.ones(3), 1000), generator.integers(0, 3, 1000)
    points = trust.coverage(labels, scores)
    assert len(points) == trust.STEPS
    assert points[-1]["coverage"] == 1
    assert points[-1]["accuracy"] == pytest.approx(np.mean(scores.argmax(axis=1) == labels))
    for point in points:  # the random scores tie nowhere
        taken = scores.max(axis=1) >= point["score"]
        assert taken.mean() == point["coverage"]
        assert np.mean(scores[taken].argmax(axis=1) == labels[taken]) == pytest.approx(point["accuracy"])


def test_known_is_a_logistic_of_log_scores():
    values = trust.known(SCORES, THRESHOLDS)
    for value, (dog, siren) in zip(values, SCORES.astype(np.float64), strict=True):
        assert value == pytest.approx(1 / (1 + math.exp(2 + 0.5 * math.log(dog) + 1.5 * math.log(siren))), rel=1e-12)
    # What an int8 file rounds to 0 counts as a quarter of its step.
    zero, quarter = trust.known(np.array([[1.0, 0.0], [1.0, 1 / 512]]), THRESHOLDS)
    assert zero == quarter


def test_thresholds_on_test_clips():
    values = trust.known(SCORES, THRESHOLDS)  # 0.82, 0.30, 0.50, 0.31
    result = trust.measure(*ANSWERS, SCORES.astype(np.float64), {**THRESHOLDS, "none": float(values[2])})
    assert result["none"] == {"threshold": values[2], "accepted": 0.5, "accuracy": 0.5}
    assert result["classes"]["dog"] == {"threshold": 0.65, "precision": 0.5, "recall": 0.5}
    assert result["classes"]["siren"] == {"threshold": 0.85, "precision": None, "recall": 0.0}
    assert (result["temperature"], result["wanted_precision"]) == (0.5, 0.9)


def test_what_nothing_is_above_is_none():
    result = trust.measure(*ANSWERS, SCORES, {**THRESHOLDS, "none": 0.99})
    assert result["none"] == {"threshold": 0.99, "accepted": 0.0, "accuracy": None}


@pytest.mark.parametrize("clips", [4, 60, 2000])
def test_precision_by_recall_is_scikit_learn_s(clips):
    generator = np.random.default_rng(clips)
    labels, scores = np.arange(clips) % 2, np.round(generator.dirichlet(np.ones(3), clips), 3)  # some tie
    curves = trust.precision_recall(labels[:, np.newaxis] == np.arange(3), scores, ["a", "b", "never"])
    assert curves["never"] == {"threshold": [], "precision": [], "recall": []}
    for place, name in enumerate("ab"):
        true = labels == place
        points = list(zip(*curves[name].values(), strict=True))
        assert 0 < len(points) <= trust.CURVE_POINTS
        for threshold, precision, recall in points:
            above = scores[:, place] >= threshold
            assert precision == pytest.approx(np.mean(true[above]))
            assert recall == pytest.approx(np.sum(true & above) / true.sum())
        assert points[-1][2] == 1
        if true.sum() <= trust.CURVE_POINTS:  # all points at which another clip is found: the area is the whole one
            steps = np.diff([0, *(recall for *_, recall in points)])
            area = np.sum(steps * [precision for _, precision, _ in points])
            assert area == pytest.approx(average_precision_score(true, scores[:, place]))


def test_a_threshold_lies_on_the_curve_or_below_it():
    generator = np.random.default_rng(0)
    scores, truth = generator.uniform(size=(40, 1)), generator.uniform(size=(40, 1)) < 0.4
    (curve,) = trust.precision_recall(truth, scores, ["dog"]).values()
    below = 0
    for threshold in np.linspace(0.1, 0.9, 50):
        thresholds = {**THRESHOLDS, "classes": {"dog": threshold}, "weights": {"dog": 1.0}}
        at = trust.measure(truth, truth, scores, thresholds)["classes"]["dog"]
        best = curve["precision"][np.argmin(np.abs(np.array(curve["recall"]) - at["recall"]))]
        assert at["recall"] == 0 or at["precision"] <= best
        below += at["precision"] < best - 0.01
    assert below > 5  # so the picture's legend calls the curve the highest precision at each recall
