"""Figures of clips of several classes against scikit-learn, the interval against a plain bootstrap."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from urbansound.errors import InputError
from urbansound.report import figures, multilabel
from urbansound.report.crossval import Outcome, crossval_table, pool
from urbansound.report.page import write
from urbansound.report.pictures import of_figures
from urbansound.report.predictions import predictions_table, worst_mistakes
from urbansound.report.tables import headline, metrics_table
from urbansound.targets import MULTILABEL
from urbansound.text import columns

NAMES = ["bark", "horn", "siren", "never"]


def make(clips=240, seed=0):
    """(targets, scores, recordings): 0 to 3 of 3 classes, the last has no clip; scores in steps, so that some tie."""
    generator = np.random.default_rng(seed)
    targets = (generator.uniform(size=(clips, 4)) < [0.5, 0.3, 0.15, 0]).astype(np.float32)
    scores = 1 / (1 + np.exp(-generator.normal(2.5 * targets - 1.2, 1)))
    return targets, (np.round(50 * scores) / 50).astype(np.float32), generator.integers(60, size=clips).astype(str)


@pytest.fixture
def example():
    return make()


def test_figures_are_scikit_learn_s(example):
    targets, scores, recordings = example
    decided = scores >= [0.4, 0.5, 0.6, 0.5]
    result = multilabel.evaluate(targets, scores, recordings, NAMES, decided=decided)
    some = slice(0, 3)
    average = sklearn_metrics.average_precision_score(targets[:, some], scores[:, some], average=None)
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(targets[:, some], decided[:, some])
    for i, name in enumerate(NAMES[some]):
        row = result["per_class"][name]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision[i], recall[i], f1[i]))
        assert (row["average_precision"], row["support"]) == (pytest.approx(average[i]), support[i])
    assert result["per_class"]["never"]["average_precision"] is None
    assert result["macro_average_precision"] == pytest.approx(average.mean())
    assert result["macro_f1"] == pytest.approx(f1.mean())
    assert result["micro_f1"] == pytest.approx(sklearn_metrics.f1_score(targets, decided, average="micro"))
    assert result["exact_match"] == pytest.approx(sklearn_metrics.accuracy_score(targets, decided))
    assert result["chance_average_precision"] == pytest.approx(targets[:, some].mean())
    assert (result["n_clips"], result["n_recordings"]) == (240, len(set(recordings)))
    assert next(iter(result)) == "macro_average_precision"
    assert not {"accuracy", "confusion", "coverage", "top3_accuracy"} & set(result)


def test_calibration_is_over_all_scores(example):
    targets, scores, recordings = example
    result = multilabel.evaluate(targets, scores, recordings, NAMES, decided=scores >= 0.5)["calibration"]
    truth, values = targets.ravel(), scores.ravel().astype(np.float64)
    assert result["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(truth, values))
    assert result["log_loss"] == pytest.approx(sklearn_metrics.log_loss(truth, values.clip(1e-7, 1 - 1e-7)), rel=1e-5)
    place = np.clip(np.ceil(values * 15).astype(int) - 1, 0, 14)
    error = sum(abs((truth - values)[place == i].sum()) for i in range(15)) / len(values)
    assert result["ece"] == pytest.approx(error)
    assert sum(row["count"] for row in result["bins"]) == len(values)


def test_the_interval_is_that_of_a_plain_bootstrap_over_recordings(example):
    targets, scores, recordings = example
    names, generator, values = np.unique(recordings), np.random.default_rng(9), []
    rows = {name: np.flatnonzero(recordings == name) for name in names}
    for _ in range(400):
        drawn = np.concatenate([rows[name] for name in generator.choice(names, len(names))])
        values.append(multilabel.macro_average_precision(targets[drawn], scores[drawn]))
    low, high = multilabel.bootstrap_interval(targets, scores, recordings, resamples=2000)
    # The ends of 400 draws are off by some 0.003.
    assert (low, high) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.012)
    assert low < multilabel.macro_average_precision(targets, scores) < high


def test_a_draw_of_weights_is_scikit_learn_s_weighted_average_precision(example):
    targets, scores, _ = example
    weights = np.random.default_rng(3).integers(0, 4, (5, len(scores)))
    order = np.argsort(-scores[:, 0], kind="stable")
    found = multilabel._weighted_average_precision(targets[order, 0], scores[order, 0], weights[:, order])
    expected = [
        sklearn_metrics.average_precision_score(targets[:, 0], scores[:, 0], sample_weight=row) for row in weights
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_interval_of_one_recording_says_nothing(example):
    targets, scores, _ = example
    assert multilabel.bootstrap_interval(targets, scores, ["a"] * len(scores)) == [0.0, 1.0]
    assert multilabel.bootstrap_interval(0 * targets, scores, np.arange(len(scores))) == [0.0, 1.0]


def test_bad_input_is_named(example):
    targets, scores, recordings = example
    with pytest.raises(InputError, match=r"targets, decided and scores must be .* alike"):
        multilabel.evaluate(targets[:, :2], scores, recordings, NAMES, decided=scores > 0)
    with pytest.raises(InputError, match="recordings must be"):
        multilabel.evaluate(targets, scores, recordings[:3], NAMES, decided=scores > 0)


def table_of(example, fold=1):
    targets, scores, recordings = example
    labels = MULTILABEL.labels(targets > 0, NAMES)
    paths = [f"{i}.wav" for i in range(len(labels))]
    clips = pd.DataFrame({"path": paths, "label": labels, "fold": fold, "recording": recordings, "salience": pd.NA})
    return predictions_table(clips, scores, NAMES, MULTILABEL.labels(MULTILABEL.decide(scores), NAMES))


def test_predictions_are_sets_of_labels(example):
    targets, scores, _ = example
    table = table_of(example)
    assert np.mean(table.correct) == pytest.approx(np.mean(((scores >= 0.5) == (targets > 0)).all(axis=1)))
    assert "" in set(table.predicted)
    assert "bark;horn" in set(table.predicted)


def test_page_and_pictures_leave_out_what_there_is_none_of(example, tmp_path):
    targets, scores, recordings = example
    result = figures.evaluate(MULTILABEL, targets, scores, recordings, NAMES)
    pictures = of_figures(tmp_path, result)
    assert [picture.path.name for picture in pictures] == ["class_bars.png", "calibration.png", "precision_recall.png"]
    mistakes = worst_mistakes(table_of(example), 200)
    write(tmp_path / "p.html", title="t", metrics=result, facts={}, pictures=pictures, mistakes=mistakes)
    page = (tmp_path / "p.html").read_text()
    assert "</strong> macro average precision, 95 % interval" in page.replace("\n", "")
    for absent in ("Confusion", "taken for", "accuracy", "Accuracy"):
        assert absent not in page.replace("accuracy and", "")
    assert "none of these" in page
    lines = metrics_table(result).splitlines()
    assert max(map(columns, lines)) <= 100
    assert any(line.startswith("macro AP      ") and headline(result) in line for line in lines)
    assert any(line.startswith("exact match   ") for line in lines)


def test_folds_are_pooled_by_their_own_answers():
    outcomes = {}
    for fold in (1, 2):
        example = make(80, seed=fold)
        table = table_of(example, fold)
        if fold == 2:  # by other thresholds
            table["predicted"] = MULTILABEL.labels(example[1] >= 0.3, NAMES)
        outcomes[f"fold_{fold}"] = Outcome(fold, False, NAMES, table, set(), 1.0, {}, MULTILABEL)
    results, predictions = pool(outcomes, "default")
    targets, scores = (np.concatenate([make(80, seed)[i] for seed in (1, 2)]) for i in (0, 1))
    assert results["macro_average_precision"] == pytest.approx(multilabel.macro_average_precision(targets, scores))
    decided = np.concatenate([scores[:80] >= 0.5, scores[80:] >= 0.3])
    assert results["micro_f1"] == pytest.approx(sklearn_metrics.f1_score(targets, decided, average="micro"))
    rows = [row["macro_average_precision"] for row in results["folds"]]
    assert results["mean_macro_average_precision"] == pytest.approx(np.mean(rows))
    assert "fold  macro AP" in crossval_table(results)
    assert len(predictions) == 160
