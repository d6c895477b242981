"""A run that is killed and resumed ends where an unbroken one does, to the bit."""

import json
import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from small_run import run_of

from running import ROOT, TINY, command
from urbansound import files
from urbansound.run import Run
from urbansound.training import fit
from urbansound.training.callbacks import Checkpoints

EPOCHS = 3
SETTINGS = (
    "--dataset=folder",
    f"--epochs={EPOCHS}",
    "--deterministic",
    "--dropout=0.5",
    "--noise_probability=0.5",
    "--keep=best",
    "--cepstrum",
    "--noevaluate",
    *TINY,
)
# Trains like the command, and sends itself a signal in the given stage and epoch, before or in the given method.
TRAIN = """
import os, runpy, sys
from urbansound.training.callbacks import Checkpoints

stage, epoch, method, number = sys.argv[1:5]
del sys.argv[1:5]
original = getattr(Checkpoints, method)

def interrupted(self, *arguments, **options):
    entered = arguments[0] if method == "enter" else self.stage
    if entered == stage and len([row for row in self._rows if row["stage"] == stage]) == int(epoch):
        os.kill(os.getpid(), int(number))
    return original(self, *arguments, **options)

setattr(Checkpoints, method, interrupted)
runpy.run_module("urbansound.train", run_name="__main__", alter_sys=True)
"""


def weights(run):
    return Run.open(run).load_model().get_weights()


@pytest.fixture(scope="module")
def unbroken(tone_folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("unbroken")
    process = command("train", f"--data_dir={tone_folder}", "--run_dir=run", *SETTINGS, cwd=home)
    assert process.returncode == 0, process.stderr
    return home / "run"


@pytest.mark.parametrize(
    ("stage", "epoch", "method", "how", "whole"),
    [
        pytest.param("cepstrum", 1, "on_train_batch_end", signal.SIGKILL, 1, id="in_the_first_stage"),
        pytest.param("cnn", 0, "enter", signal.SIGKILL, EPOCHS, id="between_the_stages"),
        # With the epoch's row made and its best-cnn-0001.keras written, its weights not.
        pytest.param("cnn", 1, "_save", signal.SIGKILL, EPOCHS, id="while_the_first_epoch_is_saved"),
        pytest.param("cnn", 2, "on_train_batch_end", signal.SIGINT, EPOCHS + 2, id="in_the_second_stage_by_ctrl_c"),
    ],
)
def test_killed_then_resumed_equals_unbroken(stage, epoch, method, how, whole, unbroken, tone_folder, tmp_path):
    arguments = (f"--data_dir={tone_folder}", "--run_dir=run", *SETTINGS)
    process = subprocess.run(
        [sys.executable, "-c", TRAIN, stage, str(epoch), method, str(int(how)), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # it may come ignored
    )
    run = tmp_path / "run"
    if how == signal.SIGINT:
        assert process.returncode == 130, process.stderr
        assert "--resume --run_dir=run" in process.stdout
    else:
        assert process.returncode == -how, process.stderr
    assert len(json.loads((run / "checkpoints" / "state.json").read_text())["rows"]) == whole
    assert not (run / "model.keras").exists()
    resumed = command("train", "--resume", "--run_dir=run", "--noevaluate", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    histories = [pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (unbroken, run)]
    assert list(histories[0].stage) == ["cepstrum"] * EPOCHS + ["cnn"] * EPOCHS
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    for expected, got in zip(weights(unbroken), weights(run), strict=True):
        np.testing.assert_array_equal(expected, got)


def test_checkpoints_that_a_kill_after_the_last_epoch_has_left_are_removed(unbroken, tmp_path):
    shutil.copytree(unbroken, tmp_path / "run")
    (tmp_path / "run/model.keras").unlink()
    checkpoints = tmp_path / "run/checkpoints"
    kept = sorted(path.name for path in checkpoints.iterdir())
    for name in ("epoch-cnn-0001.keras", "best-cnn-0001.keras"):
        assert name not in kept
        (checkpoints / name).write_bytes(b"of an epoch before")
    resumed = command("train", "--resume", "--run_dir=run", "--noevaluate", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert sorted(path.name for path in checkpoints.iterdir()) == kept
    assert (tmp_path / "run/model.keras").exists()


def test_a_kill_between_the_best_epoch_s_file_and_the_state_keeps_the_best_epoch_before(
    tone_folder, tmp_path, monkeypatch
):
    """Also where the epoch, trained again, is not the best: without --deterministic it comes out otherwise."""
    run = run_of(tone_folder, tmp_path, keep="best")
    original, losses = Checkpoints.on_epoch_end, iter([1.0, 0.5, 2.0])

    def with_loss(self, epoch, logs):
        original(self, epoch, {**logs, "val_loss": next(losses)})

    def killed(self):
        if self.next_epoch == 2:
            raise KeyboardInterrupt
        save(self)

    save = Checkpoints._save
    monkeypatch.setattr(Checkpoints, "on_epoch_end", with_loss)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            fit.train(run)
    best = run.file("checkpoints/best-cnn-0001.keras").read_bytes()
    fit.train(run)
    assert [path.name for path in run.file("checkpoints").glob("best*")] == ["best-cnn-0001.keras"]
    assert run.file("checkpoints/best-cnn-0001.keras").read_bytes() == best
    whole = keras.models.load_model(run.file("checkpoints/best-cnn-0001.keras"), compile=False)
    for expected, got in zip(whole.get_weights(), weights(run.path), strict=True):
        np.testing.assert_array_equal(expected, got)


def test_what_another_process_is_writing_among_the_checkpoints_is_not_deleted(tone_folder, tmp_path, monkeypatch):
    run = run_of(tone_folder, tmp_path, epochs=1)
    part = run.file("checkpoints") / ".1.part.epoch-cnn-0001.keras"
    original = Checkpoints._save
    monkeypatch.setattr(Checkpoints, "_save", lambda self: (part.touch(), original(self)))
    fit.train(run)
    assert part.exists()


def test_a_run_that_is_at_work_is_refused_a_second_time(unbroken):
    with files.lock(unbroken):
        done = [command("train", "--resume", f"--run_dir={unbroken}"), command("evaluate", f"--run_dir={unbroken}")]
    for second in done:
        assert second.returncode == 2
        assert "another process is at work on it" in second.stderr
        assert "Traceback" not in second.stderr


def without_model(run, copy):
    """A copy of a trained run that lacks model.keras, which is written last: training goes on from its checkpoint."""
    shutil.copytree(run, copy)
    (copy / "model.keras").unlink()


@pytest.mark.parametrize("text", ["", "null", "{}", '{"weights": "../x", "rows": [{}]}', "[" * 100_000])
def test_a_damaged_state_is_refused_in_a_line(text, unbroken, tmp_path):
    without_model(unbroken, tmp_path / "run")
    (tmp_path / "run/checkpoints/state.json").write_text(text)
    done = command("train", "--resume", "--run_dir=run", "--noevaluate", cwd=tmp_path)
    assert done.returncode == 2
    assert "state.json: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_damaged_weights_of_a_checkpoint_are_refused_in_a_line(unbroken, tmp_path):
    without_model(unbroken, tmp_path / "run")
    (weights_file,) = (tmp_path / "run/checkpoints").glob("epoch-*")
    weights_file.write_bytes(weights_file.read_bytes()[:999])
    done = command("train", "--resume", "--run_dir=run", "--noevaluate", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{weights_file.name}: not this run's weights" in done.stderr.splitlines()[-1]
