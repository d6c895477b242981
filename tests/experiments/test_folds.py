"""Cross-validation: what each protocol trains on, restarts, faults; one real rotation of seconds."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from small_run import config_of, create

from running import TINY, command
from urbansound import files
from urbansound.config import Config, DataConfig
from urbansound.data import prepare
from urbansound.errors import InputError
from urbansound.experiments import folds
from urbansound.files import write_csv
from urbansound.inference import calibration, evaluation
from urbansound.report import crossval as report
from urbansound.report.predictions import predictions_table
from urbansound.run import Run

CONFIG = Config(data=DataConfig(dataset="folder", data_dir="clips"))
# A test fold that these data lack: the protocol sets its own.
SETTINGS = ("--dataset=folder", "--test_fold=9", "--epochs=1", "--deterministic", *TINY)


def folds_of(configs):
    return {name: (config.data.test_fold, config.data.val_fold) for name, config in configs.items()}


def test_default_rotates_a_validation_fold_behind_the_test_fold():
    configs = folds.plan(CONFIG, [1, 2, 5], "default")
    assert folds_of(configs) == {"fold_1": (1, 2), "fold_2": (2, 5), "fold_5": (5, 1)}


def test_fixed_epochs_validates_on_nothing():
    configs = folds.plan(CONFIG, [1, 2], "fixed_epochs")
    assert folds_of(configs) == {"fold_1": (1, None), "fold_2": (2, None)}
    assert not any(config.data.validates for config in configs.values())


@pytest.mark.parametrize(("test_folds", "random_splits", "parts"), [(None, None, 2), ([4], None, 1), (None, 3, 3)])
def test_random_stands_beside_fixed_epochs(test_folds, random_splits, parts):
    configs = folds.plan(CONFIG, [2, 4], "random", test_folds, random_splits)
    fixed = folds.plan(CONFIG, [2, 4], "fixed_epochs", test_folds)
    random = [configs.pop(f"random_{part}").data for part in range(1, parts + 1)]
    assert configs == fixed
    data = next(iter(fixed.values())).data
    assert random == [dataclasses.replace(data, split="random", test_fold=part) for part in range(1, parts + 1)]


def test_a_random_split_has_ten_parts_whatever_the_folds():
    configs = folds.plan(CONFIG, list(range(1, 13)), "random")
    assert [name for name in configs if "random" in name] == [f"random_{part}" for part in range(1, 11)]


def test_some_folds_alone():
    assert list(folds.plan(CONFIG, [1, 2, 3], "default", [3])) == ["fold_3"]


@pytest.mark.parametrize(
    ("existing", "protocol", "test_folds", "message"),
    [
        ([1, 2], "default", None, "protocol default needs at least 3 folds; there are 2"),
        ([1], "fixed_epochs", None, "needs at least 2 folds; there are 1"),
        ([1, 2, 3], "default", [4], "test_folds: 4 does not exist; the folds are 1, 2, 3"),
    ],
)
def test_folds_that_do_not_fit(existing, protocol, test_folds, message):
    with pytest.raises(InputError, match=message):
        folds.plan(CONFIG, existing, protocol, test_folds)


@pytest.mark.parametrize(
    ("protocol", "settings", "message"),
    [
        ("default", {"split": "random", "val_fraction": 0.0}, "--split=random is of a single run"),
        ("fixed_epochs", {"keep": "best"}, "--protocol=fixed_epochs validates on nothing: pass --keep=last"),
        ("random", {"early_stopping": 3}, "--protocol=random validates on nothing"),
    ],
)
def test_settings_that_a_protocol_can_t_have(protocol, settings, message):
    config = CONFIG.with_settings(**{"val_fraction": 0.2, **settings})
    with pytest.raises(InputError, match=message):
        folds.plan(config, [1, 2, 3], protocol)


@pytest.fixture(scope="module")
def rotation(tone_folder, tmp_path_factory):
    """Home and finished process of a rotation over two folds and a random split, two runs at once."""
    home = tmp_path_factory.mktemp("rotation")
    protocol = ("--folds=1,2", "--protocol=random", "--random_splits=1", "--jobs=2")
    arguments = (f"--data_dir={tone_folder}", "--run_dir=cv", *protocol, *SETTINGS)
    done = command("crossval", *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    return home, arguments, done


def test_every_clip_is_tested_once(rotation):
    home, _, done = rotation
    results = json.loads((home / "cv" / "crossval.json").read_text())
    predictions = pd.read_csv(home / "cv" / "predictions.csv")
    assert sorted(predictions.path) == sorted(pd.read_csv(home / "cv" / "fold_1" / "clips.csv").path)
    assert [row["fold"] for row in results["folds"]] == [1, 2]
    assert "mean of folds" in done.stdout
    assert "random split" in done.stdout
    assert "A random split" in (home / "cv" / "random_1" / "report.html").read_text()
    assert "A random split" not in (home / "cv" / "fold_1" / "report.html").read_text()


def test_a_fold_is_calibrated_by_the_others_and_its_own_clips_have_no_part(rotation):
    home, *_ = rotation
    runs = {fold: Run.open(home / "cv" / f"fold_{fold}") for fold in (1, 2)}
    for fold, other in ((1, 2), (2, 1)):
        clips = evaluation.out_of_training(runs[other], "test")
        found = calibration.fit(clips, runs[fold].class_names, 0.9, f"test clips of fold_{other}")
        assert runs[fold].thresholds["source"] == f"test clips of fold_{other}"
        # float32 scores of another batch size.
        assert runs[fold].temperature == pytest.approx(found["temperature"], rel=1e-3)
        measured = json.loads((home / "cv" / f"fold_{fold}" / "metrics.json").read_text())
        assert measured["temperature"] == runs[fold].temperature
    assert Run.open(home / "cv" / "random_1").thresholds is None  # other splits' test clips trained it


def test_a_cross_validation_that_is_killed_between_its_calibrations_ends_the_same(rotation):
    home, arguments, _ = rotation
    whole = (home / "cv" / "crossval.json").read_bytes()
    thresholds = [(home / "cv" / f"fold_{fold}" / "thresholds.json") for fold in (1, 2)]
    before = [path.read_bytes() for path in thresholds]
    thresholds[1].unlink()  # of the second, which was measured after it was written
    done = command("crossval", *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    assert ": training" not in done.stdout
    assert [path.read_bytes() for path in thresholds] == before
    assert (home / "cv" / "crossval.json").read_bytes() == whole


def test_a_fold_that_was_measured_with_other_thresholds_is_measured_again(rotation):
    home, arguments, _ = rotation
    path = home / "cv" / "fold_2" / "metrics.json"
    before = path.read_bytes()
    metrics = json.loads(before)
    metrics["thresholds"]["none"]["threshold"] += 0.01
    path.write_text(json.dumps(metrics))
    assert command("crossval", *arguments, cwd=home).returncode == 0
    assert path.read_bytes() == before


def test_a_restart_keeps_what_is_finished_and_ends_the_rest_the_same(rotation):
    home, arguments, _ = rotation
    before = json.loads((home / "cv" / "crossval.json").read_text())
    kept = (home / "cv" / "fold_2" / "model.keras").stat().st_mtime_ns
    shutil.rmtree(home / "cv" / "fold_1")  # never begun
    (home / "cv" / "random_1" / "metrics.json").unlink()  # stopped before it was measured
    done = command("crossval", *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    assert sorted(line for line in done.stdout.splitlines() if line.endswith(": training")) == [
        "fold_1: training",
        "random_1: training",
    ]
    after = json.loads((home / "cv" / "crossval.json").read_text())
    for results in (before, after):
        for row in (*results["folds"], *results["random"]["splits"]):
            del row["minutes"]
    assert after == before
    assert (home / "cv" / "fold_2" / "model.keras").stat().st_mtime_ns == kept


def test_other_settings_are_refused(rotation):
    home, arguments, _ = rotation
    done = command("crossval", *arguments, "--epochs=2", cwd=home)
    assert done.returncode == 2
    assert "was begun with other settings (epochs)" in done.stderr


def test_a_fold_that_is_killed_before_its_report_is_not_taken_for_finished(rotation, tmp_path, monkeypatch):
    home, *_ = rotation
    shutil.copytree(home / "cv" / "fold_1", tmp_path / "fold_1")
    run = Run.open(tmp_path / "fold_1")
    for name in ("metrics.json", "predictions.csv", "report.html"):
        run.file(name).unlink()

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.chdir(home)
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "_write_report", killed)
        with pytest.raises(KeyboardInterrupt):
            evaluation.evaluate(run)
    assert not run.file("metrics.json").exists()
    evaluation.evaluate(run)
    assert all(run.file(name).exists() for name in ("metrics.json", "predictions.csv", "report.html"))


def test_a_cross_validation_that_is_under_way_is_refused_a_second_time(rotation):
    home, arguments, _ = rotation
    with files.lock(home / "cv"):
        done = command("crossval", *arguments, cwd=home)
    assert done.returncode == 2
    assert "cv: another process is at work on it" in done.stderr


def test_a_cross_validation_goes_on_where_its_clips_were_moved_to(rotation, tone_folder, tmp_path):
    home, arguments, _ = rotation
    shutil.copytree(home / "cv", tmp_path / "cv")
    shutil.copytree(tone_folder, tmp_path / "tones")
    moved = [f"--data_dir={tmp_path / 'tones'}" if "data_dir" in argument else argument for argument in arguments]
    (tmp_path / "cv" / "fold_1" / "metrics.json").unlink()
    done = command("crossval", *moved, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "tones") in (tmp_path / "cv" / "fold_1" / "predictions.csv").read_text()


def test_a_run_that_fails_is_named(rotation, tmp_path):
    home, arguments, _ = rotation
    shutil.copytree(home / "cv", tmp_path / "cv")
    (tmp_path / "cv" / "fold_2" / "metrics.json").unlink()
    (tmp_path / "cv" / "fold_2" / "labels.txt").unlink()
    done = command("crossval", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "fold_2 ended with exit code" in done.stderr


def test_classes_called_none_na_and_null_can_be_pooled(tmp_path):
    names = ["N/A", "NA", "None", "null"]
    clips = pd.DataFrame({"path": list("abcd"), "label": names, "fold": 1, "recording": names, "salience": pd.NA})
    run = create(tmp_path / "fold_1", CONFIG, names, clips.assign(split="test"), [])
    write_csv(run.file("predictions.csv"), predictions_table(clips, np.eye(4, dtype=np.float32), names))
    write_csv(run.file("history.csv"), pd.DataFrame({"stage": ["cnn"], "seconds": [60.0]}))
    run.file("metrics.json").write_text("{}")
    results, predictions = report.pool({"fold_1": folds._outcome(run)}, "fixed_epochs")
    assert results["accuracy"] == 1
    assert predictions.recording.tolist() == names


def test_clips_are_checked_once_for_all_folds_and_not_at_all_where_all_are_begun(tone_folder, tmp_path, monkeypatch):
    found, read = [], prepare.find
    monkeypatch.setattr(prepare, "find", lambda config: (found.append(config), read(config))[1])
    monkeypatch.setattr(folds, "_finish", lambda path, runs, protocol, jobs: list(runs))
    for _ in range(2):
        names = folds.cross_validate(tmp_path / "cv", config_of(tone_folder, tmp_path), "random")
        assert len(names) == 10
        assert len(found) == 1
    of_test = [Run.open(tmp_path / "cv" / name).clips.query("split == 'test'").path for name in names[:5]]
    assert sorted(np.concatenate(of_test)) == sorted(map(str, tone_folder.glob("*/*.wav")))


def test_no_test_fold_is_said_in_a_line(tone_folder, tmp_path):
    with pytest.raises(InputError, match="test_folds names no fold; the folds are 1, 2, 3, 4, 5"):
        folds.cross_validate(tmp_path / "cv", config_of(tone_folder, tmp_path), "default", test_folds=[])


def test_test_folds_must_be_numbers():
    done = command("crossval", "--test_folds=1,x")
    assert done.returncode == 2
    assert done.stderr == "error: test_folds must be whole numbers with commas between. Received: 1,x\n"
