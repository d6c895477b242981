"""Search: what ends a trial, what ends the search, and what is refused before it begins."""

import errno
import shutil

import pandas as pd
import pytest
from searches import SPACE, search, written

from urbansound.errors import InputError
from urbansound.experiments import processes, trials, worker


def test_a_search_whose_splits_have_no_seed_is_refused_before_it_begins(config, training, tmp_path):
    with pytest.raises(InputError, match="seed must be at most"):
        search(tmp_path, config.with_settings(seed=2**32 - 1))
    assert not (tmp_path / "search").exists()


def test_settings_that_fail_are_listed_and_the_rest_is_tried(config, training, tmp_path):
    error = processes.RunError("split_1 ended with exit code 2", trials.BAD_SETTINGS, "the loss became NaN")
    training.stops_at, training.error = 4, error
    found = search(tmp_path, config, n_trials=4)
    assert found.state.tolist() == ["done"] * 3 + ["failed"]
    assert found.fault.iloc[-1] == "the loss became NaN"
    assert found.trial.iloc[-1] == 1


def test_settings_that_do_not_go_together_are_a_trial_that_failed(config, training, tmp_path):
    space_file = written(tmp_path, "views = {low = 1, high = 3}\n")
    found = trials.search(tmp_path / "search", config, space_file, 6, 1)
    failed = found[found.state == "failed"]
    assert failed.views.unique().tolist() == [3]
    assert failed.fault.str.contains("batch_size must be a multiple of views").all()


def test_lost_data_ends_a_search_and_is_no_fault_of_a_trial(config, training, tone_folder, tmp_path):
    shutil.copytree(tone_folder, tmp_path / "tones")
    config = config.with_settings(data_dir=str(tmp_path / "tones"))
    whole = processes.train

    def losing(runs, jobs, **how):
        whole(runs, jobs, **how)
        if len(training.asked) == 4:  # the last of trial 1
            (tmp_path / "tones").rename(tmp_path / "gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "train", losing)
        with pytest.raises(InputError, match="tones: no such"):
            search(tmp_path, config)
    (tmp_path / "gone").rename(tmp_path / "tones")
    assert search(tmp_path, config).state.isin(["done", "ended early"]).all()


def test_a_search_with_a_setting_without_its_effect_leaves_nothing(config, tmp_path):
    with pytest.raises(InputError, match="--label_share says how a model is taught"):
        search(tmp_path, config.with_settings(label_share=0.5))
    assert not (tmp_path / "search").exists()


def test_a_search_that_can_not_begin_says_why(config, training, tmp_path):
    training.stops_at, training.error = 1, processes.RunError("split_0 ended with exit code 2", trials.BAD_SETTINGS)
    with pytest.raises(InputError, match="trial 0, the settings as given: split_0 ended with exit code 2"):
        search(tmp_path, config)


@pytest.mark.parametrize(
    "error",
    [
        processes.RunError("split_0 ended with exit code 3", worker.REFUSED),
        OSError(errno.ENOSPC, "can't write the cache (No space left on device)", "x.i16"),
    ],
    ids=["in a run", "before it"],
)
def test_a_full_disk_ends_a_search_and_is_no_fault_of_a_trial(error, config, training, tmp_path):
    training.stops_at, training.error = 4, error
    with pytest.raises(type(error)):
        search(tmp_path, config)
    assert "failed" not in pd.read_csv(tmp_path / "search" / "trials.csv").state.tolist()
    training.stops_at = None
    assert "failed" not in search(tmp_path, config).state.tolist()


def test_nothing_to_validate_on(config, tmp_path):
    with pytest.raises(InputError, match="a search chooses by validation clips"):
        search(tmp_path, config.with_settings(val_fraction=0.0))


def test_other_settings_are_refused(config, training, tmp_path):
    search(tmp_path, config, n_trials=1)
    with pytest.raises(InputError, match=r"was begun with other settings \(epochs\)"):
        search(tmp_path, config.with_settings(epochs=3))
    with pytest.raises(InputError, match="was begun with --splits=2"):
        search(tmp_path, config, splits=3)
    with pytest.raises(InputError, match="was begun with another space"):
        trials.search(tmp_path / "search", config, written(tmp_path, SPACE + "width = [1.0]\n"), 1, 2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(InputError, match="not a search, and not empty"):
        trials.search(tmp_path / "other", config, written(tmp_path, SPACE), 1, 2)


def test_a_search_in_the_working_directory_is_refused_in_a_line(config, tmp_path, monkeypatch):
    space_file = written(tmp_path, "dropout = [0.3, 0.0]\n")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="not a search, and not empty"):
        trials.search(".", config, space_file, 1, 1)
