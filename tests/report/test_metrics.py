"""Figures against examples worked out by hand, scipy, and their definitions written as loops in float64.

scikit-learn is what the product computes with, so it is no reference here.
"""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from urbansound.errors import InputError
from urbansound.report import metrics

NAMES = ["dog", "siren", "drill", "horn", "rain"]
# Both sides compute in float64 from the same float32 scores; the order of sums differs.
CLOSE = {"rel": 1e-9, "abs": 1e-12}


def make_test(clips=300, classes=5, seed=0, ties=False):
    """(labels, scores, recordings): softmax scores that favour the label, about 4 clips a recording."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, clips)
    logits = rng.normal(size=(clips, classes)) * 1.5 + 1.5 * np.eye(classes)[labels]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        scores = np.round(scores, 1)
    recordings = np.array([f"r{i}" for i in rng.integers(0, clips // 4, clips)])
    return labels, scores.astype(np.float32), recordings


@pytest.fixture
def example():
    return make_test()


def by_hand(labels, predicted, name):
    """(precision, recall, F1, support) of class `name` by counting."""
    hits = sum(p == name and t == name for t, p in zip(labels, predicted, strict=True))
    called, support = sum(predicted == name), sum(labels == name)
    return hits / called, hits / support, 2 * hits / (called + support), support


def average_precision_by_definition(positive, scores):
    """Sum over thresholds of (recall gained) * precision; every distinct score is a threshold."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        recall = (taken & positive).sum() / positive.sum()
        total += (recall - before) * (taken & positive).sum() / taken.sum()
        before = recall
    return total


def test_a_small_test_by_hand():
    scores = np.array([[0.8, 0.2, 0], [0.5, 0.25, 0.25], [0.375, 0.5, 0.125], [0, 0.25, 0.75], [0.5, 0.25, 0.25]])
    result = metrics.evaluate([0, 0, 1, 2, 2], scores.astype(np.float32), list("abcde"), ["dog", "siren", "rain"])
    assert result["confusion"] == [[2, 0, 0], [0, 1, 0], [1, 0, 1]]
    dog, siren, rain = result["per_class"].values()
    # Ranked by the dog's score: dog, then one dog and one rain with equal scores (2 of 3), so 1/2 * 1 + 1/2 * 2/3.
    expected = {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "average_precision": 5 / 6, "support": 2}
    assert dog == pytest.approx(expected, **CLOSE)
    assert siren == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "average_precision": 1.0, "support": 1}
    # By the rain's: rain first, then a dog and the other rain together: 1/2 * 1 + 1/2 * 2/3.
    expected = {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "average_precision": 5 / 6, "support": 2}
    assert rain == pytest.approx(expected, **CLOSE)
    assert result["accuracy"] == 0.8
    assert result["majority_accuracy"] == 0.4
    assert result["macro_f1"] == pytest.approx((0.8 + 1 + 2 / 3) / 3, **CLOSE)
    assert result["macro_average_precision"] == pytest.approx((5 / 6 + 1 + 5 / 6) / 3, **CLOSE)
    assert "top3_accuracy" not in result


def test_counts_and_classes_agree_with_counting(example):
    labels, scores, recordings = example
    result = metrics.evaluate(labels, scores, recordings, NAMES)
    predicted = scores.argmax(axis=1)
    expected = [by_hand(labels, predicted, i) for i in range(5)]
    for place, key in enumerate(("precision", "recall", "f1", "support")):
        assert [row[key] for row in result["per_class"].values()] == pytest.approx(
            [e[place] for e in expected], **CLOSE
        )
    pairs = list(zip(labels, predicted, strict=True))
    assert result["confusion"] == [[pairs.count((true, said)) for said in range(5)] for true in range(5)]
    assert result["accuracy"] == sum(true == said for true, said in pairs) / 300
    assert result["macro_f1"] == pytest.approx(np.mean([e[2] for e in expected]), **CLOSE)
    in_top3 = [sum(row > row[label]) < 3 for label, row in zip(labels, scores, strict=True)]
    assert result["top3_accuracy"] == pytest.approx(np.mean(in_top3), **CLOSE)
    assert result["majority_accuracy"] == np.bincount(labels).max() / 300
    assert (result["n_clips"], result["n_recordings"]) == (300, len(set(recordings)))


def test_average_precision_of_a_ranked_list():
    # Manning, Raghavan, Schuetze 2008, 8.4: the mean of the precision at each hit; hits at ranks 1, 3 and 5.
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.55])
    result = metrics.evaluate([0, 1, 0, 1, 0], np.stack([scores, 1 - scores], axis=1), list("abcde"), ["x", "y"])
    assert result["per_class"]["x"]["average_precision"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3, **CLOSE)


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_agrees_with_its_definition(ties):
    labels, scores, recordings = make_test(ties=ties)
    result = metrics.evaluate(labels, scores, recordings, NAMES)
    expected = [average_precision_by_definition(labels == i, scores[:, i]) for i in range(5)]
    assert [row["average_precision"] for row in result["per_class"].values()] == pytest.approx(expected, **CLOSE)
    assert result["macro_average_precision"] == pytest.approx(np.mean(expected), **CLOSE)


def test_brier_and_log_loss_by_hand():
    # Brier 1950's form for several classes: right with 0.75 of 1, wrong with 0.5 of 1; from 0 to 2.
    scores = np.array([[0.75, 0.25, 0], [0.25, 0.5, 0.25]], np.float32)
    result = metrics.calibration(np.array([0, 2]), scores)
    first, second = 0.25**2 + 0.25**2, 0.25**2 + 0.5**2 + 0.75**2
    assert result["brier"] == pytest.approx((first + second) / 2, **CLOSE)
    assert result["log_loss"] == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2, **CLOSE)
    assert metrics.calibration(np.array([1]), np.array([[1, 0]], np.float32))["brier"] == 2


def test_brier_and_log_loss_are_of_scores_that_do_not_sum_to_1():
    scores = np.array([[0.5, 0.25], [0.125, 0.75]], np.float32)  # as an int8 file rounds, only more
    result = metrics.calibration(np.array([0, 1]), scores)
    assert result["brier"] == pytest.approx((0.5**2 + 0.25**2 + 0.125**2 + 0.25**2) / 2, **CLOSE)
    assert result["log_loss"] == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2, **CLOSE)


def test_brier_and_log_loss_agree_with_a_loop_over_clips(example):
    labels, scores, _ = example
    rows = list(zip(labels, scores.astype(float).tolist(), strict=True))
    squares = [sum((score - (i == label)) ** 2 for i, score in enumerate(row)) for label, row in rows]
    result = metrics.calibration(labels, scores)
    assert result["brier"] == pytest.approx(sum(squares) / 300, **CLOSE)
    assert result["log_loss"] == pytest.approx(-sum(math.log(row[label]) for label, row in rows) / 300, **CLOSE)


def test_log_loss_is_finite_for_a_label_without_score():
    scores = np.array([[1, 0], [1, 0]], np.float32)
    assert metrics.calibration(np.array([0, 1]), scores)["log_loss"] == pytest.approx(-np.log(2**-23) / 2)


def test_calibration_agrees_with_a_loop_over_clips(example):
    labels, scores, _ = example
    bins = [[] for _ in range(15)]
    for label, row in zip(labels, scores.astype(float), strict=True):
        bins[math.ceil(row.max() * 15) - 1].append((row.max(), row.argmax() == label))
    gaps = [len(b) * abs(np.mean([c for c, _ in b]) - np.mean([h for _, h in b])) for b in bins if b]
    result = metrics.calibration(labels, scores)
    assert result["ece"] == pytest.approx(sum(gaps) / 300, **CLOSE)
    assert [b["count"] for b in result["bins"]] == [len(b) for b in bins]
    assert [b["accuracy"] is None for b in result["bins"]] == [not b for b in bins]


def test_calibration_of_certain_and_of_empty_bins():
    scores = np.array([[1, 0], [1, 0], [1, 0], [1, 0]], np.float32)
    result = metrics.calibration(np.array([0, 0, 0, 1]), scores)
    assert result["ece"] == 0.25
    assert result["bins"][14] == {"low": 14 / 15, "high": 1.0, "count": 4, "confidence": 1.0, "accuracy": 0.75}
    assert result["bins"][0]["confidence"] is None


def test_interval_agrees_with_a_loop_that_draws_recordings(example):
    labels, scores, recordings = example
    correct = scores.argmax(axis=1) == labels
    rng = np.random.default_rng(9)
    names, means = np.unique(recordings), []
    by_name = {name: correct[recordings == name] for name in names}
    for _ in range(3000):
        drawn = rng.choice(names, len(names))
        means.append(np.concatenate([by_name[name] for name in drawn]).mean())
    # 0.006: standard error of a 2.5 % quantile of 3,000 draws whose spread is 0.03, four times over, both sides.
    expected = np.percentile(means, [2.5, 97.5])
    assert metrics.bootstrap_interval(correct, recordings, resamples=3000) == pytest.approx(expected, abs=0.006)


def test_interval_of_single_clip_recordings_is_binomial():
    correct = np.arange(200) < 140
    low, high = metrics.bootstrap_interval(correct, np.arange(200).astype(str), resamples=20000)
    # One hit more or less: quantiles of a binomial step by 1 / 200.
    assert [low, high] == pytest.approx(stats.binom.ppf([0.025, 0.975], 200, 0.7) / 200, abs=1 / 200 + 1e-9)


def test_interval_is_wider_when_clips_share_recordings():
    correct = np.repeat(np.arange(40) < 28, 5)  # every recording all right or all wrong
    shared = metrics.bootstrap_interval(correct, np.repeat(np.arange(40), 5).astype(str))
    apart = metrics.bootstrap_interval(correct, np.arange(200).astype(str))
    ratio = (shared[1] - shared[0]) / (apart[1] - apart[0])
    assert ratio == pytest.approx(math.sqrt(5), rel=0.15)  # design effect; 15 %: steps of 1/40 and random draws


def test_interval_of_clips_that_are_all_right_or_all_wrong_is_that_of_their_recordings():
    recordings = np.repeat(np.arange(59), 3).astype(str)
    for right, expected in ((True, stats.binomtest(59, 59)), (False, stats.binomtest(0, 59))):
        interval = metrics.bootstrap_interval(np.full(177, right), recordings)
        assert interval == pytest.approx(list(expected.proportion_ci(0.95, "exact")))


def test_interval_is_repeatable_and_open_for_one_recording(example):
    labels, scores, recordings = example
    correct = scores.argmax(axis=1) == labels
    assert metrics.bootstrap_interval(correct, recordings, seed=3) == metrics.bootstrap_interval(
        correct, recordings, seed=3
    )
    assert metrics.bootstrap_interval(correct, np.full(300, "one")) == [0.0, 1.0]


def test_absent_classes_are_null_and_outside_the_macro_means(example):
    labels, scores, recordings = example
    scores = np.concatenate([scores, np.zeros((300, 2), np.float32)], axis=1)
    scores[:30] = np.eye(7, dtype=np.float32)[5]  # predicted, but no clip has the label; class 6 neither
    result = metrics.evaluate(labels, scores, recordings, [*NAMES, "ghost", "void"])
    assert result["per_class"]["ghost"] == {
        "precision": 0.0, "recall": None, "f1": None, "average_precision": None, "support": 0,
    }  # fmt: skip
    assert result["per_class"]["void"]["precision"] is None
    expected = np.mean([by_hand(labels, scores.argmax(axis=1), i)[2] for i in range(5)])
    assert result["macro_f1"] == pytest.approx(expected, **CLOSE)
    json.dumps(result, allow_nan=False)


def test_a_class_that_is_never_predicted_has_f1_zero():
    result = metrics.evaluate([0, 1], np.array([[0.9, 0.1], [0.8, 0.2]], np.float32), ["a", "b"], ["x", "y"])
    assert result["per_class"]["y"]["precision"] is None
    assert result["per_class"]["y"]["f1"] == 0.0
    assert "top3_accuracy" not in result


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_salience_groups_are_measured_apart(example, missing):
    labels, scores, recordings = example
    salience = pd.Series([1] * 100 + [2] * 150 + [missing] * 50, dtype="Int64")
    result = metrics.evaluate(labels, scores, recordings, NAMES, salience)
    correct = scores.argmax(axis=1) == labels
    assert result["foreground"]["accuracy"] == correct[:100].mean()
    assert result["background"]["n_clips"] == 150
    assert result["background"]["n_recordings"] == len(set(recordings[100:250]))
    assert "foreground" not in metrics.evaluate(labels, scores, recordings, NAMES, [missing] * 300)


def test_result_is_plain_json(example):
    result = metrics.evaluate(*example, NAMES, np.ones(300, int))
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_many_clips_without_shared_recordings_stay_cheap():
    correct = np.arange(200_000) % 3 > 0
    low, high = metrics.bootstrap_interval(correct, np.arange(200_000).astype(str))
    assert low < 2 / 3 < high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 1]}, "scores must be"),
        ({"labels": [0.0, 1.0, 2.0]}, "labels must be integers"),
        ({"labels": [0, 1, 5]}, "labels must be from 0 to 4"),
        ({"labels": [0, -1, 2]}, "labels must be from 0 to 4"),
        ({"labels": []}, "no clips"),
        ({"scores": np.zeros((3, 4))}, "scores must be"),
        ({"scores": np.full((3, 5), np.nan)}, "scores must be finite"),
        ({"scores": np.full((3, 5), -2.0)}, "probabilities"),
        ({"recordings": ["a", "b"]}, "recordings must be"),
        ({"class_names": ["a"] * 5}, "differ"),
        ({"salience": [1, 2]}, "salience must have"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {
        "labels": [0, 1, 2], "scores": np.full((3, 5), 0.2), "recordings": ["a", "b", "c"], "class_names": NAMES,
    }  # fmt: skip
    with pytest.raises(InputError, match=message):
        metrics.evaluate(**{**good, **change})
