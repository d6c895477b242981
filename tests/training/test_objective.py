"""Losses against float64, the running average precision against scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from urbansound.targets import MULTILABEL, SINGLE
from urbansound.training import objective

GENERATOR = np.random.default_rng(0)
TARGETS = (GENERATOR.uniform(size=(90, 5)) < [0.5, 0.3, 0.2, 0.1, 0]).astype(np.float32)  # the last has no clip
SCORES = (GENERATOR.integers(0, 1001, (90, 5)) / 1000).astype(np.float32).clip(0.001, 0.999)


def test_several_classes_are_trained_by_their_mean_binary_cross_entropy():
    smoothed = 0.9 * TARGETS.astype(np.float64) + 0.05
    scores = SCORES.astype(np.float64)
    expected = -np.mean(smoothed * np.log(scores) + (1 - smoothed) * np.log(1 - scores))
    assert float(objective.loss(MULTILABEL, 0.1)(TARGETS, SCORES)) == pytest.approx(expected, rel=1e-4)


def test_one_class_is_trained_by_its_cross_entropy():
    one_hot = np.eye(5, dtype=np.float32)[GENERATOR.integers(0, 5, 90)]
    scores = SCORES / SCORES.sum(axis=1, keepdims=True)
    expected = -np.mean(np.sum((0.9 * one_hot + 0.02) * np.log(scores.astype(np.float64)), axis=1))
    assert float(objective.loss(SINGLE, 0.1)(one_hot, scores)) == pytest.approx(expected, rel=1e-4)
    accuracy = objective.metric(SINGLE, 5)
    accuracy.update_state(one_hot, scores)
    assert accuracy.name == "accuracy"
    assert float(accuracy.result()) == pytest.approx(np.mean(one_hot.argmax(1) == scores.argmax(1)))


def test_average_precision_of_batches_is_scikit_learn_s():
    metric = objective.metric(MULTILABEL, 5)
    assert metric.name == MULTILABEL.measure
    for _ in range(2):
        for part in (slice(0, 32), slice(32, 64), slice(64, 90)):
            metric.update_state(TARGETS[part], SCORES[part])
        expected = np.mean([average_precision_score(TARGETS[:, i], SCORES[:, i]) for i in range(4)])
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
        metric.reset_state()
    assert float(metric.result()) == 0


def test_it_runs_in_a_compiled_model():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(5, activation="sigmoid")(inputs))
    model.compile("sgd", objective.loss(MULTILABEL, 0.0), metrics=[objective.metric(MULTILABEL, 5)])
    logs = model.evaluate(GENERATOR.normal(size=(90, 3)), TARGETS, return_dict=True, verbose=0)
    assert 0 < logs["macro_average_precision"] < 1
