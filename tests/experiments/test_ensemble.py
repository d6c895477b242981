"""Runs combined: the mean of their scores, measured and exported like any run; what does not go together is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from running import TINY, command
from urbansound.errors import InputError
from urbansound.experiments.ensemble import settings_of
from urbansound.inference.classifier import Classifier
from urbansound.run import Run


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("committee")


@pytest.fixture(scope="module")
def train(home, tone_folder):
    """A function that trains one tiny epoch into home/NAME and returns its Run."""

    def begin(name, *arguments):
        done = command(
            "train",
            *("--dataset=folder", f"--data_dir={tone_folder}", f"--cache_dir={home / 'cache'}", "--epochs=1", *TINY),
            *("--val_fraction=0", f"--run_dir={home / name}", *arguments),
        )
        assert done.returncode == 0, done.stderr
        return Run.open(home / name)

    return begin


@pytest.fixture(scope="module")
def members(train):
    return [train("cnn"), train("cepstrum", "--model=cepstrum")]


@pytest.fixture(scope="module")
def both(members, home):
    paths = ",".join(str(run.path) for run in members)
    done = command("committee", f"--run_dirs={paths}", f"--run_dir={home / 'both'}")
    assert done.returncode == 0, done.stderr
    return Run.open(home / "both")


def scores(run):
    table = pd.read_csv(run.file("predictions.csv"))
    return table[[f"score_{name}" for name in run.class_names]].to_numpy()


def test_scores_are_the_mean_of_the_members(members, both):
    expected = np.mean([scores(run) for run in members], axis=0)
    np.testing.assert_allclose(scores(both), expected, atol=1e-5)  # written with eight digits, summed in float32
    assert np.ptp(scores(members[0]) - scores(members[1])) > 0.01  # or the mean says nothing


def test_each_member_is_measured_alone(members, both):
    alone = json.loads(both.file("metrics.json").read_text())["alone"]
    own = [json.loads(run.file("metrics.json").read_text())["accuracy"] for run in members]
    assert alone == pytest.approx({"member0": own[0], "member1": own[1]})
    assert "alone" not in json.loads(members[0].file("metrics.json").read_text())
    assert "member0" in both.file("report.html").read_text()


def test_it_is_a_run_like_any_other(both, members):
    assert both.config.model.model == "committee"
    assert list(both.members.model) == ["cnn", "cepstrum"]
    assert both.training_seconds == pytest.approx(sum(run.training_seconds for run in members))
    assert json.loads(both.file("metrics.json").read_text())["n_clips"] > 0
    page = both.file("report.html").read_text()
    assert "cnn, cepstrum" in page
    assert "Learning curves" not in page
    again = command("evaluate", f"--run_dir={both.path}")
    assert again.returncode == 0, again.stderr


def test_its_files_answer_as_keras(both, home):
    out = home / "export"
    done = command("export", f"--run_dir={both.path}", f"--out={out}", "--formats=float32,int8,saved_model")
    assert done.returncode in (0, 2), done.stderr  # 2: a weak network of one epoch may lose by int8
    report = json.loads((out / "report.json").read_text())
    agreement = {row["format"]: row["top1_agreement"] for row in report["files"]}
    assert agreement["float32"] == agreement["saved_model"] == 1


def test_windows_of_another_length_are_refused(both):
    with pytest.raises(InputError, match="a committee is made of trained runs"):
        Classifier.from_run(both, window_seconds=1.0)


def test_runs_that_hear_otherwise_are_refused(train, members):
    other = train("other_mels", "--n_mels=12")
    with pytest.raises(InputError, match=r"hears otherwise than .*\(--n_mels\)"):
        settings_of([members[0], other])


def test_runs_of_another_split_are_refused(train, members):
    other = train("other_fold", "--test_fold=2")
    with pytest.raises(InputError, match="split the clips differently"):
        settings_of([members[0], other])


@pytest.mark.parametrize("runs", [(), ("one",)])
def test_one_run_is_no_committee(runs):
    done = command("committee", f"--run_dirs={','.join(runs)}")
    assert done.returncode == 2
    assert "say which runs" in done.stderr


def test_train_says_how_a_committee_is_made():
    done = command("train", "--model=committee")
    assert done.returncode == 2
    assert "python -m urbansound.committee" in done.stderr
