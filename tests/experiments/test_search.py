"""Search: what trials try and keep, stopping and going on; one real search of seconds."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from searches import search, written
from small_run import make_model

from running import TINY, command
from urbansound.errors import InputError
from urbansound.experiments import processes, trials
from urbansound.run import Run

SETTINGS = ("--dataset=folder", "--epochs=1", "--val_fraction=0.3", "--deterministic", *TINY)


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
    shutil.rmtree(tmp_path / "search/trials/1")
    training.stops_at = None
    found = search(tmp_path, config, n_trials=3, splits=1)
    assert found.state.tolist() == ["done"] * 3
    assert found[["learning_rate", "top_db", "mel_mask_bands"]].notna().all(axis=None)


def test_a_search_that_was_killed_while_it_was_begun_begins_again(config, training, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trials, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, config)
    assert len(search(tmp_path, config, n_trials=1, splits=1)) == 1


def test_two_at_once_measure_the_same(config, training, tmp_path):
    (tmp_path / "alone").mkdir()
    alone = search(tmp_path / "alone", config, n_trials=4, splits=3)
    pd.testing.assert_frame_equal(search(tmp_path, config, n_trials=4, splits=3, jobs=2), alone)


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
