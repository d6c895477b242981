"""Search: what trials try and keep, stopping and going on; one real search of seconds."""

import errno
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_run import make_model

from running import TINY, command
from urbansound.config import AudioConfig, Config, DataConfig, TrainConfig
from urbansound.errors import InputError
from urbansound.experiments import processes, trials, worker
from urbansound.report import plots
from urbansound.run import Run

SPACE = """
learning_rate = {low = 1e-3, high = 1e-1, log = true}
top_db = [60, 80, "none"]
mel_mask_bands = {low = 0, high = 16}
"""
SETTINGS = ("--dataset=folder", "--epochs=1", "--val_fraction=0.3", "--deterministic", *TINY)


def written(folder, text):
    (folder / "space.toml").write_text(text)
    return folder / "space.toml"


@pytest.fixture
def config(tone_folder, tmp_path):
    return Config(
        audio=AudioConfig(sample_rate=8000),
        data=DataConfig(
            dataset="folder", data_dir=str(tone_folder), cache_dir=str(tmp_path / "cache"), val_fraction=0.3
        ),
        train=TrainConfig(epochs=2, learning_rate=1e-2),
    )


@pytest.fixture
def training(monkeypatch):
    """Training that takes no time: better the nearer learning_rate is to 0.03. The runs that it was asked for."""
    asked = []

    def train(runs, jobs, *, evaluate, quiet):
        assert not evaluate, "a search never looks at the test fold"
        assert quiet
        for run in runs:
            asked.append((run.path.parent.name, run.path.name))
            accuracy = 1 / (1 + abs(run.config.train.learning_rate - 0.03)) - run.config.train.seed / 1000
            history = {"epoch": [1, 2], "val_loss": [1.0, 2.0], "val_accuracy": [0.1, accuracy]}
            pd.DataFrame(history).assign(stage="cnn", seconds=60.0).to_csv(run.file("history.csv"), index=False)
            if train.stops_at == len(asked):
                raise train.error

    train.stops_at, train.asked = None, asked
    monkeypatch.setattr(processes, "train", train)
    monkeypatch.setattr(plots, "save", lambda figure, path: None)  # half a second each
    return train


def search(folder, config, n_trials=8, splits=2, jobs=1):
    return trials.search(folder / "search", config, written(folder, SPACE), n_trials, splits, jobs)


def test_the_settings_as_given_come_first_and_the_best_is_kept(config, training, tmp_path):
    found = search(tmp_path, config, n_trials=12)
    first = found[found.trial == 0].iloc[0]
    assert (first.learning_rate, first.top_db, first.mel_mask_bands) == (1e-2, "none", 16)
    done = found[found.state == "done"]
    assert done.accuracy.is_monotonic_decreasing
    assert done.accuracy.iloc[0] > first.accuracy
    assert done.splits.unique().tolist() == [2]
    assert found.accuracy.iloc[0] == pytest.approx(1 / (1 + abs(found.learning_rate.iloc[0] - 0.03)) - 1.5 / 1000)
    lines = (tmp_path / "search/best.flags").read_text().splitlines()
    assert lines[1:] == [f"--{name}={found.iloc[0][name]}" for name in ("learning_rate", "top_db", "mel_mask_bands")]
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "search/trials.csv", keep_default_na=False, na_values={"deviation": [""]}),
        found.astype({"top_db": str}),
        check_dtype=False,
    )


def test_hopeless_trials_end_after_their_first_split(config, training, tmp_path):
    found = search(tmp_path, config, n_trials=16)
    early = found[found.state == "ended early"]
    assert len(early) > 0
    assert early.splits.unique().tolist() == [1]
    assert early.trial.min() >= trials.STARTING
    assert len(training.asked) == found.splits.sum()


@pytest.mark.parametrize(
    ("stops_at", "error"), [(1, KeyboardInterrupt()), (8, processes.RunError("killed", -9))], ids=["Ctrl-C", "kill"]
)
def test_a_search_that_was_stopped_goes_on_as_if_unbroken(stops_at, error, config, training, tmp_path):
    (tmp_path / "unbroken").mkdir()
    unbroken = search(tmp_path / "unbroken", config)
    training.asked.clear()
    training.stops_at, training.error = stops_at, error
    with pytest.raises(type(error)):
        search(tmp_path, config)
    training.stops_at = None
    pd.testing.assert_frame_equal(search(tmp_path, config), unbroken)
    # Done runs are left alone; the one that was stopped, and those before it of its trial, are looked at again.
    assert len(training.asked) <= unbroken.splits.sum() + 2
    assert len(search(tmp_path, config, n_trials=9)) == 9


@pytest.mark.parametrize("torn", [b'{"op_code":4,"wor', b"\0\0\0\0\n"], ids=["half_a_line", "zeros"])
def test_a_torn_last_line_of_the_journal_is_taken_off(torn, config, training, tmp_path):
    (tmp_path / "unbroken").mkdir()
    unbroken = search(tmp_path / "unbroken", config, n_trials=3, splits=1)
    search(tmp_path, config, n_trials=2, splits=1)
    journal = tmp_path / "search/journal.log"
    journal.write_bytes(journal.read_bytes() + torn)
    for _ in range(2):  # the second reads what the first has written
        pd.testing.assert_frame_equal(search(tmp_path, config, n_trials=3, splits=1), unbroken)


def test_a_search_that_was_killed_while_it_wrote_its_journal_goes_on(config, training, tmp_path, monkeypatch):
    """Optuna's own lock, a link to the journal, would stay, and by a relative path never be found out to be old."""
    (tmp_path / "unbroken").mkdir()
    unbroken = search(tmp_path / "unbroken", config, n_trials=3, splits=1)
    monkeypatch.chdir(tmp_path)
    search(Path(), config, n_trials=2, splits=1)
    (tmp_path / "search/journal.log.lock").symlink_to("search/journal.log")
    pd.testing.assert_frame_equal(search(Path(), config, n_trials=3, splits=1), unbroken)


def test_a_trial_that_was_stopped_while_it_was_drawn_gets_its_other_settings(config, training, tmp_path):
    training.stops_at, training.error = 2, processes.RunError("killed", -9)
    with pytest.raises(processes.RunError):
        search(tmp_path, config, splits=1)
    journal = tmp_path / "search/journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    drawn = [place for place, line in enumerate(lines) if b'"param_name"' in line]
    journal.write_bytes(b"".join(lines[: drawn[3] + 1]))  # three of trial 0, the first of trial 1
    training.stops_at = None
    found = search(tmp_path, config, n_trials=3, splits=1)
    assert found[["learning_rate", "top_db", "mel_mask_bands"]].notna().all(axis=None)


def test_a_search_that_was_killed_while_it_was_begun_begins_again(config, training, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trials, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, config)
    assert len(search(tmp_path, config, n_trials=1, splits=1)) == 1


def test_a_search_whose_splits_have_no_seed_is_refused_before_it_begins(config, training, tmp_path):
    with pytest.raises(InputError, match="seed must be at most"):
        search(tmp_path, config.with_settings(seed=2**32 - 1))
    assert not (tmp_path / "search").exists()


def test_two_at_once_measure_the_same(config, training, tmp_path):
    (tmp_path / "alone").mkdir()
    alone = search(tmp_path / "alone", config, n_trials=4, splits=3)
    pd.testing.assert_frame_equal(search(tmp_path, config, n_trials=4, splits=3, jobs=2), alone)


def test_settings_that_fail_are_listed_and_the_rest_is_tried(config, training, tmp_path):
    training.stops_at, training.error = 4, processes.RunError("split_1 ended with exit code 2", trials.BAD_SETTINGS)
    found = search(tmp_path, config, n_trials=4)
    assert found.state.tolist() == ["done"] * 3 + ["failed"]
    assert found.fault.iloc[-1] == "split_1 ended with exit code 2"
    assert found.trial.iloc[-1] == 1


def test_settings_that_do_not_go_together_are_a_trial_that_failed(config, training, tmp_path):
    space_file = written(tmp_path, "views = {low = 1, high = 3}\n")
    found = trials.search(tmp_path / "search", config, space_file, 6, 1)
    failed = found[found.state == "failed"]
    assert failed.views.unique().tolist() == [3]
    assert failed.fault.str.contains("batch_size must be a multiple of views").all()


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


def test_later_trials_have_the_clips_and_the_teacher_of_the_first(config, training, tone_folder, tmp_path):
    search(tmp_path, config, n_trials=1, splits=1)
    first = tmp_path / "search/trials/0/split_0"
    for name in ("TA", "TB"):
        shutil.copytree(first, tmp_path / name)
        make_model(Run(tmp_path / name))
    shutil.rmtree(tmp_path / "search")
    taught = config.with_settings(teacher=(str(tmp_path / "TA"),))
    search(tmp_path, taught, n_trials=1, splits=1)
    (tmp_path / "TA").rename(tmp_path / "moved")
    taught = taught.with_settings(teacher=(str(tmp_path / "moved"),))
    assert len(search(tmp_path, taught, n_trials=2, splits=1)) == 2
    with pytest.raises(InputError, match=r"TB: not the teacher that .*trials/0/split_0 was begun with"):
        search(tmp_path, taught.with_settings(teacher=(str(tmp_path / "TB"),)), n_trials=2, splits=1)
    clips = shutil.copytree(tone_folder, tmp_path / "clips")
    taught = taught.with_settings(data_dir=str(clips))
    assert len(search(tmp_path, taught, n_trials=3, splits=1)) == 3
    shutil.copy(clips / "low/low01.wav", clips / "low/new.wav")
    (clips / "low/new.wav").write_bytes((clips / "low/new.wav").read_bytes() + bytes(2))
    assert len(search(tmp_path, taught, n_trials=3, splits=1)) == 3
    with pytest.raises(InputError, match="was begun with other clips"):
        search(tmp_path, taught, n_trials=4, splits=1)
    (clips / "low/low01.wav").write_bytes((clips / "low/new.wav").read_bytes())
    with pytest.raises(InputError, match="has another size than when the run was made"):
        search(tmp_path, taught, n_trials=3, splits=1)


def test_a_real_search(tone_folder, tmp_path):
    written(tmp_path, 'top_db = [60, "none"]\n')
    arguments = ("--space=space.toml", "--run_dir=search", "--trials=2", "--splits=2", "--jobs=2", *SETTINGS)
    process = command("search", f"--data_dir={tone_folder}", *arguments, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[0].split() == [
        "trial",
        "state",
        "accuracy",
        "deviation",
        "splits",
        "minutes",
        "top_db",
    ]
    runs = sorted((tmp_path / "search/trials").glob("*/split_*"))
    assert len(runs) == 4
    validated = []
    for run in runs:
        assert not (run / "metrics.json").exists(), "the test fold was looked at"
        clips = pd.read_csv(run / "clips.csv")
        assert set(clips.split) == {"train", "validation", "test"}
        validated.append(frozenset(clips.recording[clips.split == "validation"]))
    assert validated[0] == validated[2] != validated[1] == validated[3]
    found = pd.read_csv(tmp_path / "search/trials.csv").sort_values("trial")
    reached = [pd.read_csv(run / "history.csv").val_accuracy.iloc[-1] for run in runs]
    assert found.accuracy.tolist() == pytest.approx([sum(reached[:2]) / 2, sum(reached[2:]) / 2])
    assert (tmp_path / "search/trials.png").stat().st_size > 10_000
    # What was found is a flag file that training takes.
    process = command("train", f"--data_dir={tone_folder}", *SETTINGS, "--flagfile=search/best.flags", "--run_dir=run",
                      "--noevaluate", cwd=tmp_path)  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "the test fold waits for: python -m urbansound.evaluate --run_dir=run" in process.stdout
    assert not (tmp_path / "run/metrics.json").exists()
    best = found.sort_values("accuracy", ascending=False).top_db.iloc[0]
    kept = json.loads((tmp_path / "run/config.json").read_text())["audio"]["top_db"]
    assert kept == (60 if best == "60.0" else None)


def test_a_search_in_the_working_directory_is_refused_in_a_line(config, tmp_path, monkeypatch):
    space_file = written(tmp_path, "dropout = [0.3, 0.0]\n")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="not a search, and not empty"):
        trials.search(".", config, space_file, 1, 1)
