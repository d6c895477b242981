"""Temperatures and thresholds against other optimisers, scikit-learn, and counting."""

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score

from urbansound.inference import calibration
from urbansound.report import trust
from urbansound.report.metrics import calibration as reliability
from urbansound.targets import MULTILABEL, SINGLE

CLASSES = 4


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def make(clips=4000, temperature=0.5, seed=0, networks=1):
    """Clips of a window each, whose labels are drawn as softmax(logits / temperature) says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.2, (networks, clips, CLASSES))
    truth = softmax(logits / temperature).mean(axis=0)
    labels = (truth.cumsum(axis=1) > generator.uniform(size=(clips, 1))).argmax(axis=1)
    return clips_of(softmax(logits), labels)


def one_hot(labels, classes=CLASSES):
    return labels[:, np.newaxis] == np.arange(classes)


def labels_of(clips):
    return clips.targets.argmax(axis=1)


def clips_of(scores, labels, recordings=None, shares=None):
    """Clips of a window each; by default of a recording each, the networks sharing alike."""
    rows = np.arange(len(labels))
    recordings = rows.astype(str) if recordings is None else np.array(recordings)
    shares = np.full(len(scores), 1 / len(scores)) if shares is None else np.array(shares)
    background = np.full((len(scores), 20, scores.shape[2]), 1 / scores.shape[2])
    return calibration.Clips(scores, shares, rows, one_hot(labels, scores.shape[2]), recordings, background, SINGLE)


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("networks", [1, 3])
def test_the_temperature_that_the_labels_were_drawn_with_is_found(truth, networks):
    found = calibration.temperature(make(temperature=truth, networks=networks))
    assert found == pytest.approx(truth, rel=0.08)  # 4,000 clips: three standard errors


def test_a_single_network_s_temperature_is_scikit_learn_s_logistic_regression():
    """Of two classes, the slope of the difference of their logits, without an intercept."""
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 1.5, (3000, 2))
    labels = (softmax(logits / 0.7)[:, 1] > generator.uniform(size=3000)).astype(int)
    slope = LogisticRegression(fit_intercept=False, C=1e9).fit(logits[:, 1:] - logits[:, :1], labels).coef_[0, 0]
    found = calibration.temperature(clips_of(softmax(logits)[np.newaxis], labels))
    # Only the temperature has a prior, which weighs less than one recording in 3,000.
    assert 1 / found == pytest.approx(slope, rel=3e-3)


def test_a_recording_weighs_the_same_however_many_clips_it_has():
    clips = make(clips=300)
    scores, labels = clips.scores[0], labels_of(clips)
    labels[:100] = scores[:100].argmin(axis=1)  # which asks for a high temperature
    found = {}
    for recordings, weight in ((100 * ["one"], 0.01), ([f"x{i}" for i in range(100)], 1.0)):
        recordings = [*recordings, *(f"r{i}" for i in range(200))]
        weights = np.r_[np.full(100, weight), np.ones(200)]
        found[weight] = calibration.temperature(clips_of(clips.scores, labels, recordings))
        assert found[weight] == pytest.approx(by_grid(scores, labels, weights), rel=1e-4)
    assert found[0.01] < found[1.0]


def by_grid(scores, labels, weights):
    """The temperature of least weighted loss, by the finer of two grids."""
    low, high = np.log(0.05), np.log(20)
    for _ in range(4):
        grid = np.linspace(low, high, 201)
        losses = []
        for t in np.exp(grid):
            powers = scores ** (1 / t)
            likelihood = (powers / powers.sum(axis=1, keepdims=True))[np.arange(len(labels)), labels]
            losses.append(-(weights * np.log(likelihood)).sum() + np.log(t) ** 2 / 2)
        best = grid[np.argmin(losses)]
        step = grid[1] - grid[0]
        low, high = best - step, best + step
    return np.exp(best)


def test_where_every_clip_is_right_the_temperature_is_moderate():
    labels = np.array([0, 1, 2, 0, 1, 2])
    scores = 0.85 * np.eye(3)[labels] + 0.05
    assert 0.3 < calibration.temperature(clips_of(scores[np.newaxis], labels)) < 0.9


def test_a_fit_calibrates_scores():
    """Softmax of logits that are too small is unsure; on clips that had no part the error falls under 2 points."""
    clips = make(clips=8000, temperature=0.4)
    own, other = (clips_of(clips.scores[:, part], labels_of(clips)[part]) for part in (slice(4000), slice(4000, None)))
    calibrated = other.scores_at(calibration.temperature(own))
    assert reliability(labels_of(other), other.scores[0])["ece"] > 0.12
    assert reliability(labels_of(other), calibrated)["ece"] < 0.02
    np.testing.assert_array_equal(calibrated.argmax(axis=1), other.scores[0].argmax(axis=1))


def test_a_clip_s_score_is_the_mean_over_networks_and_windows_after_the_temperature():
    scores = np.random.default_rng(1).dirichlet(np.ones(3), (2, 6))
    owners, shares = np.array([0, 0, 0, 1, 2, 2]), np.array([0.25, 0.75])
    clips = calibration.Clips(scores, shares, owners, np.eye(3), np.array(list("abc")), scores[:, ::-1], SINGLE)
    powers = scores ** (1 / 0.4)
    windows = np.einsum("n,nwc->wc", shares, powers / powers.sum(axis=2, keepdims=True))
    expected = [windows[:3].mean(axis=0), windows[3], windows[4:].mean(axis=0)]
    np.testing.assert_allclose(clips.scores_at(0.4), expected, rtol=1e-12)
    np.testing.assert_allclose(clips.background_at(0.4), windows[::-1], rtol=1e-12)
    both = calibration.Clips.joined([clips, clips])
    np.testing.assert_allclose(both.background_at(0.4), [*windows[::-1], *windows[::-1]], rtol=1e-12)
    np.testing.assert_allclose(both.scores_at(0.4), [*expected, *expected], rtol=1e-12)
    np.testing.assert_array_equal(both.targets, np.tile(np.eye(3), (2, 1)))


@pytest.mark.parametrize("wanted", [0.6, 0.8, 0.9])
def test_a_threshold_is_the_lowest_of_its_precision(wanted):
    clips = make(clips=500, seed=5)
    scores, labels = clips.scores[0], labels_of(clips)
    for label, (threshold, precision, recall) in enumerate(
        calibration.class_thresholds(scores, one_hot(labels), wanted)
    ):
        above, positive = scores[:, label] >= threshold, labels == label
        assert precision == pytest.approx(precision_score(positive, above), abs=1e-12)
        assert recall == pytest.approx(recall_score(positive, above), abs=1e-12)
        lower = [s for s in scores[:, label] if s < threshold]
        assert precision >= wanted
        assert all(precision_score(positive, scores[:, label] >= s) < wanted for s in lower)


def test_a_precision_that_can_t_be_had_becomes_the_best_there_is():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.5, 0.5]])
    labels = np.array([1, 0, 1, 0, 0])  # of class 0 from 0.9 on 0/1, 0.8 1/2, 0.7 1/3, 0.6 2/4, 0.5 3/5
    (first, *_), _ = calibration.class_thresholds(scores, one_hot(labels, 2), 0.9)
    assert first == 0.5
    assert calibration.class_thresholds(scores, one_hot(labels, 2), 0.9)[0][1:] == (0.6, 1.0)


def test_a_class_without_clips_has_the_threshold_of_all_classes():
    clips = make(clips=400, seed=2)
    scores, labels = clips.scores[0], np.where(labels_of(clips) == 2, 1, labels_of(clips))
    *_, absent, _ = calibration.class_thresholds(scores, one_hot(labels), 0.8)
    pooled, positive = scores.ravel(), (labels[:, np.newaxis] == np.arange(CLASSES)).ravel()
    assert absent[1:] == (None, None)
    assert precision_score(positive, pooled >= absent[0]) >= 0.8
    assert all(precision_score(positive, pooled >= s) < 0.8 for s in np.sort(pooled[pooled < absent[0]])[-50:])


def test_known_is_scikit_learn_s_probability_of_log_scores():
    generator = np.random.default_rng(0)
    scores, other = generator.dirichlet([0.2] * 4, 300), generator.dirichlet([5.0] * 4, 40)
    weights, bias = calibration.fit_known(scores, other)
    rows = np.log(np.maximum(np.concatenate([scores, other]), 1 / 512))
    kinds = np.r_[np.ones(300), np.zeros(40)]
    weight_of_rows = np.where(kinds == 1, 170 / 300, 170 / 40)  # both kinds as much in sum
    reference = LogisticRegression(max_iter=1000, tol=1e-10, solver="newton-cg").fit(rows, kinds, weight_of_rows)
    found = trust.known(np.concatenate([scores, other]), {"weights": dict(enumerate(weights)), "bias": bias})
    # lbfgs ends within 1e-4 of the gradient.
    np.testing.assert_allclose(found, reference.predict_proba(rows)[:, 1], atol=2e-3)
    assert found[:300].mean() > 0.9 > 0.2 > found[300:].mean()


@pytest.mark.parametrize("clips", [1, 2, 9, 10, 11, 100, 1234])
def test_none_of_these_accepts_nine_of_ten_and_no_lower_threshold_is_needed(clips):
    values = np.random.default_rng(clips).uniform(size=clips)
    accepted = np.sum(values >= calibration.none_threshold(values))
    assert accepted >= 0.9 * clips
    assert accepted - 1 < 0.9 * clips  # the next score up would accept too few


def test_a_fit_can_be_written_and_says_what_it_is():
    clips = make(clips=60, networks=2)
    found = calibration.fit(clips, list("abcd"), 0.7, "validation clips")
    assert json.loads(json.dumps(found)) == found
    assert list(found["classes"]) == list("abcd")
    assert (found["precision"], found["source"]) == (0.7, "validation clips")
    assert (found["n_clips"], found["n_recordings"]) == (60, 60)
    scores = clips.scores_at(found["temperature"])
    assert found["none"] == calibration.none_threshold(trust.known(scores, found))
    assert np.mean(trust.known(scores, found) >= found["none"]) == found["accepted"] == 0.9
    for i, (threshold, precision, recall) in enumerate(calibration.class_thresholds(scores, clips.targets >= 0.5, 0.7)):
        assert found["classes"]["abcd"[i]] == threshold
        assert found["found"]["abcd"[i]] == {"precision": precision, "recall": recall}


def several(temperature, clips=2000, classes=3, seed=4):
    """Clips of a window each and any number of classes, drawn as sigmoid(logits / temperature) says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-0.5, 1.5, (clips, classes))
    targets = expit(logits / temperature) > generator.uniform(size=logits.shape)
    rows, background = np.arange(clips), np.full((1, 20, classes), 0.5)
    scores, shares = expit(logits)[np.newaxis], np.ones(1)
    return calibration.Clips(scores, shares, rows, targets, rows.astype(str), background, MULTILABEL), logits


def test_the_temperature_of_several_classes_is_logistic_regression_of_all_of_them():
    clips, logits = several(0.6)
    model = LogisticRegression(fit_intercept=False, C=1e9).fit(logits.reshape(-1, 1), clips.targets.ravel())
    # Only the temperature has a prior, which weighs less than one recording in 2,000.
    assert 1 / calibration.temperature(clips) == pytest.approx(model.coef_[0, 0], rel=3e-3)


def test_of_several_classes_none_is_said_where_no_score_is_at_its_threshold():
    clips, _ = several(1.0, clips=400)
    found = calibration.fit(clips, list("abc"), 0.7, "validation clips")
    assert json.loads(json.dumps(found)) == found
    assert not {"weights", "bias"} & set(found)
    scores, least = clips.scores_at(found["temperature"]), list(found["classes"].values())
    decided = scores >= least
    np.testing.assert_array_equal(trust.known(scores, found) >= found["none"], decided.any(axis=1))
    assert found["accepted"] == pytest.approx(decided.any(axis=1).mean())
    for i, row in enumerate(found["found"].values()):
        assert row["precision"] == pytest.approx(precision_score(clips.targets[:, i], decided[:, i]))
        assert row["precision"] >= 0.7
    measured = trust.measure(clips.targets, decided, scores, found)
    assert measured["none"]["accuracy"] == pytest.approx(
        (decided == clips.targets).all(axis=1)[decided.any(axis=1)].mean()
    )


def test_clips_without_any_class_leave_every_threshold_as_it_was():
    clips, _ = several(1.0, clips=30)
    nothing = np.zeros((30, 3), bool)
    assert calibration.class_thresholds(clips.scores[0], nothing, 0.9) == [(0.5, None, None)] * 3
