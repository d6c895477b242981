"""A run's calibration from its validation clips to its answers, and runs that have none."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from running import TINY, command
from urbansound.data import prepare
from urbansound.errors import InputError
from urbansound.experiments import ensemble
from urbansound.inference import calibration, evaluation
from urbansound.inference.classifier import Classifier
from urbansound.report import trust
from urbansound.run import Run


@pytest.fixture
def run(tone_run, tmp_path):
    shutil.copytree(tone_run / "run", tmp_path / "run")
    return Run.open(tmp_path / "run")


def scores_of(run, split, **options):
    _, entries, _ = prepare.clips_of(run, split)
    return evaluation.score_entries(entries, Classifier.from_run(run, **options))


def test_training_fits_a_temperature_by_the_validation_clips(run):
    found, metrics = run.thresholds, json.loads(run.file("metrics.json").read_text())
    clips = evaluation.out_of_training(run, "validation")
    assert clips.recordings.tolist() == run.clips.recording[run.clips.split == "validation"].tolist()
    # Of clips of several windows too; float32 scores of another batch size.
    np.testing.assert_allclose(clips.scores_at(1), scores_of(run, "validation", calibrated=False), atol=1e-5)
    assert found["temperature"] == pytest.approx(calibration.temperature(clips), rel=1e-3)
    assert (found["n_clips"], found["source"]) == (len(clips.targets), "validation clips")
    assert metrics["temperature"] == found["temperature"] != 1
    assert metrics["thresholds"]["none"]["threshold"] == found["none"]
    page = run.file("report.html").read_text()
    assert "none of these" in page
    titles = re.findall(r"<(?:h2|figcaption)>(.*?)</", page)
    assert len(set(titles)) == len(titles) > 8
    assert {"Precision by recall", "Thresholds"} <= set(titles)
    assert [title for title in titles if title.startswith("Log-mels of the ")]
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    counts = run.clips.split.value_counts()
    assert facts["Training clips"] == f"{counts['train']}, and {counts['validation']} for validation"
    assert facts["Test clips"].startswith(f"{counts['test']} from ")
    assert "Clips" not in facts
    assert run.file("coverage.png").exists()
    assert metrics["precision_recall"].keys() == set(run.class_names)


def test_the_page_says_whose_weights_a_run_starts_from(run, monkeypatch):
    assert "Starts from" not in evaluation._facts(run, 1)
    monkeypatch.setattr(evaluation.models, "origins", lambda names, config: ["A", *names])
    assert evaluation._facts(run, 1)["Starts from"] == f"A; {run.architectures[0]}"


def test_a_run_s_scores_are_calibrated_wherever_its_model_is_loaded(run):
    raw, own = scores_of(run, "test", calibrated=False), scores_of(run, "test")
    expected = evaluation.out_of_training(run, "test").scores_at(run.temperature)
    np.testing.assert_allclose(own, expected, atol=1e-5)
    assert np.abs(own - raw).max() > 0.01
    written = pd.read_csv(run.file("predictions.csv"))[[f"score_{name}" for name in run.class_names]]
    np.testing.assert_allclose(written, own, atol=1e-5)


def test_windows_of_another_length_have_the_temperature_too(run):
    waveform = np.random.default_rng(0).normal(0, 0.1, (1, 2000)).astype(np.float32)
    raw, own = (Classifier.from_run(run, 0.25, calibrated=on).score(waveform).numpy() for on in (False, True))
    powers = raw.astype(np.float64) ** (1 / run.temperature)
    np.testing.assert_allclose(own, powers / powers.sum(), atol=1e-5)


def test_a_second_evaluation_changes_nothing(run):
    before = {name: run.file(name).read_bytes() for name in ("thresholds.json", "metrics.json", "predictions.csv")}
    evaluation.evaluate(run)
    assert {name: run.file(name).read_bytes() for name in before} == before


def test_a_run_without_thresholds_answers_as_it_did(run):
    run.file("thresholds.json").unlink()
    assert (run.thresholds, run.temperature) == (None, 1.0)
    np.testing.assert_array_equal(scores_of(run, "test"), scores_of(run, "test", calibrated=False))
    assert Classifier.from_run(run).thresholds is None
    done = command("predict", f"--run_dir={run.path}", "--format=jsonl", run.clips.path[0])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] in run.class_names


def labels_of(run, paths, *flags):
    done = command("predict", f"--run_dir={run.path}", "--format=jsonl", *flags, *paths)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(row["second"] in run.class_names for row in rows)
    return [row["label"] for row in rows], np.array([row["score"] for row in rows])


def test_predict_says_none_of_these_where_the_rule_does_not_accept(run):
    paths = run.clips.path[run.clips.split == "test"]
    labels, _ = labels_of(run, paths)
    accepted = trust.known(scores_of(run, "test"), run.thresholds) >= run.thresholds["none"]
    assert [label == "none of these" for label in labels] == (~accepted).tolist()
    metrics = json.loads(run.file("metrics.json").read_text())
    assert metrics["thresholds"]["none"]["accepted"] == accepted.mean() > 0.5


@pytest.mark.parametrize("threshold", [0, 0.9, 1])
def test_a_threshold_of_one_s_own_takes_the_rule_s_place(run, threshold):
    labels, scores = labels_of(run, run.clips.path[:20], f"--threshold={threshold}")
    assert [label == "none of these" for label in labels] == (scores < threshold).tolist()
    if threshold == 1:
        assert (scores < 1).any()


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": None},
        {"temperature": float("nan")},
        {"temperature": True},
        {"none": None},
        {"bias": "0"},
        {"weights": None},
        {"weights": {"high": 1, "low": float("inf"), "middle": 1}},
        {"classes": []},
        {"classes": {"high": 0.5}},
        {"classes": {"high": 0.5, "low": "0.5", "middle": 0.5}},
        {"classes": {"low": 0.5, "high": 0.5, "middle": 0.5}},
    ],
    ids=str,
)
def test_damaged_thresholds_are_refused_in_a_line(run, change):
    run.file("thresholds.json").write_text(json.dumps({**run.thresholds, **change}))
    with pytest.raises(InputError, match=r"thresholds\.json: .*delete it"):
        run.load_model()


def test_a_run_that_no_clip_validates_says_that_it_is_not_calibrated(tone_folder, tmp_path):
    which = ("--dataset=folder", f"--data_dir={tone_folder}", "--val_fraction=0", "--epochs=1", "--run_dir=run")
    done = command("train", *which, *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "temperature   not fitted, no clip validates" in done.stdout
    assert not (tmp_path / "run" / "thresholds.json").exists()
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["temperature"] is metrics["thresholds"] is None


def test_members_of_an_ensemble_are_calibrated_together(tone_folder, tmp_path):
    which = ("--dataset=folder", f"--data_dir={tone_folder}", "--cepstrum", "--epochs=2", "--run_dir=run")
    done = command("train", *which, *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run.open(tmp_path / "run")
    clips = evaluation.out_of_training(run, "test")
    assert clips.shares.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(scores_of(run, "test"), clips.scores_at(run.temperature), atol=1e-5)
    shutil.copytree(run.path, tmp_path / "other")
    members = [run, Run.open(tmp_path / "other")]
    both = ensemble.combine(members, ensemble.settings_of(members), tmp_path / "both")
    evaluation.evaluate(both)
    # Its members are calibrated; their mean gets a temperature of its own.
    clips = evaluation.out_of_training(both, "validation")
    np.testing.assert_allclose(clips.scores_at(1), scores_of(run, "validation"), atol=1e-5)
    assert clips.shares.tolist() == [0.25] * 4
    assert both.temperature == pytest.approx(calibration.temperature(clips), rel=1e-3)
