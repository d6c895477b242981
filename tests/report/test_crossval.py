"""Pooling: means, deviations and counts against numpy and pandas, leaks by hand, the page and the table."""

import numpy as np
import pandas as pd
import pytest

from urbansound.report import crossval
from urbansound.report.predictions import predictions_table
from urbansound.targets import SINGLE

NAMES = ["bark", "horn", "siren", "shot"]


def outcome(fold, clips, right, random=False, trained=(), seed=0):
    """A run on `clips` clips, two of a recording; the first `right` clips are classified rightly."""
    generator = np.random.default_rng(seed)
    labels = np.arange(clips) % 4
    scores = generator.uniform(0, 0.1, (clips, 4)).astype(np.float32)
    answers = np.where(np.arange(clips) < right, labels, (labels + 1) % 4)
    scores[np.arange(clips), answers] += 1
    scores /= scores.sum(axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "path": [f"{fold}/{i}.wav" for i in range(clips)],
            "label": np.array(NAMES)[labels],
            "fold": fold,
            "recording": [f"{fold}-{i // 2}" for i in range(clips)],
            "salience": pd.array([1, 2] * (clips // 2), dtype="Int64"),
        }
    )
    members = {"cnn": right / clips, "cepstrum": 0.5}
    return crossval.Outcome(
        fold, random, NAMES, predictions_table(table, scores, NAMES), set(trained), 1.5, members, SINGLE
    )


@pytest.fixture
def outcomes():
    return {
        "fold_1": outcome(1, 20, 15),
        "fold_2": outcome(2, 40, 36, seed=1),
        "fold_3": outcome(3, 8, 2, seed=2),
        "random_1": outcome(1, 12, 12, random=True, trained={"1-0", "1-5", "9-9"}),
        "random_2": outcome(2, 8, 6, random=True, trained={"2-0", "1-5"}),
    }


def test_mean_and_deviation_are_over_folds_and_the_rest_over_pooled_clips(outcomes):
    results, predictions = crossval.pool(outcomes, "random")
    accuracies = [15 / 20, 36 / 40, 2 / 8]
    assert [row["accuracy"] for row in results["folds"]] == pytest.approx(accuracies)
    assert results["mean_accuracy"] == pytest.approx(np.mean(accuracies))
    assert results["std_accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    assert len(predictions) == results["n_clips"] == 68
    assert results["accuracy"] == pytest.approx((15 + 36 + 2) / 68)
    counts = pd.crosstab(predictions.label, predictions.predicted).loc[NAMES, NAMES].to_numpy()
    np.testing.assert_array_equal(results["confusion"], counts)
    f1 = 2 * np.diagonal(counts) / (counts.sum(axis=0) + counts.sum(axis=1))
    assert results["macro_f1"] == pytest.approx(f1.mean())
    of_group = predictions[predictions.salience == 2]
    assert results["background"]["accuracy"] == pytest.approx((of_group.label == of_group.predicted).mean())


def test_random_runs_stay_out_of_the_official_figures_and_leaks_are_counted(outcomes):
    results, _ = crossval.pool(outcomes, "random")
    without, _ = crossval.pool({name: run for name, run in outcomes.items() if not run.random}, "fixed_epochs")
    assert results["accuracy_interval"] == without["accuracy_interval"]
    random = results["random"]
    assert [row["accuracy"] for row in random["splits"]] == [1, 0.75]
    assert random["mean_accuracy"] == random["mean_members"]["cnn"] == 0.875
    assert results["mean_members"] == pytest.approx({"cnn": results["mean_accuracy"], "cepstrum": 0.5})
    assert random["std_accuracy"] == pytest.approx(np.std([1, 0.75], ddof=1))
    assert (random["leaked_recordings"], random["leaked_clips"], random["n_clips"]) == (3, 6, 20)
    assert "random" not in without


def test_members_that_not_every_run_has_get_no_mean(outcomes):
    outcomes["fold_2"].members.clear()
    results, _ = crossval.pool(outcomes, "random")
    assert results["mean_members"] == {}
    assert results["random"]["mean_members"]["cepstrum"] == 0.5


def test_one_fold_has_no_deviation(outcomes):
    results, _ = crossval.pool({"fold_1": outcomes["fold_1"]}, "default")
    assert results["std_accuracy"] is None
    assert "(one fold)" in crossval.crossval_table(results)


def test_table_and_page_show_folds_and_leak(outcomes, tmp_path):
    results, _ = crossval.pool(outcomes, "random")
    table = crossval.crossval_table(results)
    assert "63.3 % (standard deviation 34.0 over 3 folds)" in table
    assert "members        cnn 63.3 %, cepstrum 50.0 %" in table
    leak = "6 of 20 test clips come from 3 recordings that were trained on"
    assert f"random split   87.5 % (standard deviation 17.7 over 2 splits): {leak}" in table
    crossval.write(tmp_path, results, ("cepstrum", "cnn"), {"data": {"dataset": "folder"}}, ["made up"])
    page = (tmp_path / "report.html").read_text()
    assert page.index("made up") < page.index(leak)
    assert "The headline is of official folds." in page
    assert "accuracy of all clips pooled, 95" in page
    assert "folder: cepstrum + cnn, cross-validation" in page
    assert "Each fold tested once, then random splits, which leak" in page
    assert "random 2" in page
    assert page.count("cepstrum 50.0 %") == 1
    for name in ("folds", "confusion_matrix", "class_bars", "calibration"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
