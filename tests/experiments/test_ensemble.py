"""Runs combined: the mean of their scores, measured like any run; what does not go together is refused."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from architecture_checks import noise
from small_run import create, run_of

from running import TINY, command
from urbansound.errors import InputError
from urbansound.experiments.ensemble import combine, settings_of
from urbansound.inference.classifier import Classifier
from urbansound.models import ensemble
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


def test_each_member_is_measured_by_itself(members, both):
    each = json.loads(both.file("metrics.json").read_text())["members"]
    own = [json.loads(run.file("metrics.json").read_text())["accuracy"] for run in members]
    assert each == pytest.approx({"cnn": own[0], "cepstrum": own[1]})
    assert "members" not in json.loads(members[0].file("metrics.json").read_text())


def test_it_is_a_run_like_any_other(both, members):
    assert both.config.model.model == "committee"
    assert both.architectures == ["cnn", "cepstrum"]
    assert both.training_seconds == pytest.approx(sum(run.training_seconds for run in members))
    assert json.loads(both.file("metrics.json").read_text())["n_clips"] > 0
    page = both.file("report.html").read_text()
    assert "cnn, cepstrum" in page
    assert "Learning curves" not in page
    again = command("evaluate", f"--run_dir={both.path}")
    assert again.returncode == 0, again.stderr


def test_runs_of_ensembles_combine_with_others(train, both, home):
    """The mean of runs, not of networks: a run with a cepstrum, an ensemble, a run of the same architecture."""
    with_cepstrum = train("with_cepstrum", "--cepstrum", "--seed=1")
    runs = [with_cepstrum, both, Run.open(home / "cnn")]
    run = combine(runs, settings_of(runs), home / "all")
    assert run.architectures == ["cepstrum", "cnn", "cnn", "cepstrum", "cnn"]
    assert len(ensemble.members(run.load_model())) == len(runs)
    assert list(run.members.architectures) == ["cepstrum+cnn", "cnn+cepstrum", "cnn"]
    log_mels = noise(4, run.config.audio.frames, 16)
    expected = np.mean([run.load_model().predict(log_mels, verbose=0) for run in runs], axis=0)
    np.testing.assert_allclose(run.load_model().predict(log_mels, verbose=0), expected, atol=1e-6)


def test_windows_of_another_length_are_refused(both):
    with pytest.raises(InputError, match="an ensemble is made of trained runs"):
        Classifier.from_run(both, window_seconds=1.0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"n_mels": 12, "short_clips": "zeros"}, r"has another front-end than .* \(--n_mels, --short_clips\)"),
        ({"test_fold": 2}, "label or split the clips differently"),
    ],
)
def test_runs_that_do_not_go_together_are_refused(settings, reason, tone_folder, tmp_path):
    first, other = run_of(tone_folder, tmp_path, "first"), run_of(tone_folder, tmp_path, "other", **settings)
    assert settings_of([first]).audio == first.config.audio
    with pytest.raises(InputError, match=reason):
        settings_of([first, other])


def test_runs_of_other_classes_are_refused(tone_folder, tmp_path):
    first = run_of(tone_folder, tmp_path, "first")
    other = create(tmp_path / "other", first.config, ["high", "low", "medium"], first.clips, [])
    with pytest.raises(InputError, match="has other classes than"):
        settings_of([first, other])


def test_runs_that_label_a_clip_differently_are_refused(tone_folder, tmp_path):
    first = run_of(tone_folder, tmp_path, "first")
    clips = first.clips
    clips.loc[0, "label"] = "low" if clips.label[0] != "low" else "high"
    other = create(tmp_path / "other", first.config, first.class_names, clips, [])
    with pytest.raises(InputError, match="label or split the clips differently"):
        settings_of([first, other])


def test_a_run_that_is_named_twice_is_refused(tone_folder, tmp_path):
    first = run_of(tone_folder, tmp_path, "first")
    (tmp_path / "link").symlink_to(first.path)
    with pytest.raises(InputError, match=r"link is named twice|first is named twice"):
        settings_of([first, Run.open(tmp_path / "link")])


def test_a_committee_that_is_killed_before_its_model_is_written_leaves_nothing(members, tmp_path, monkeypatch):
    def killed(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            combine(members, settings_of(members), tmp_path / "both")
    assert list(tmp_path.iterdir()) == []
    assert combine(members, settings_of(members), tmp_path / "both").load_model() is not None


@pytest.mark.parametrize("runs", [(), ("one",)])
def test_one_run_is_no_ensemble(runs):
    done = command("committee", f"--run_dirs={','.join(runs)}")
    assert done.returncode == 2
    assert "say which runs" in done.stderr


def test_train_does_not_make_an_ensemble_of_runs():
    done = command("train", "--model=committee")
    assert done.returncode == 2
    assert "committee" in done.stderr.splitlines()[-1]
