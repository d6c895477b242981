"""A run that is killed and resumed ends where an unbroken one does, to the bit."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from running import ROOT, TINY, command
from urbansound.run import Run

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
from urbansound.training.callbacks import Journal

stage, epoch, method, number = sys.argv[1:5]
del sys.argv[1:5]
original = getattr(Journal, method)

def interrupted(self, *arguments, **options):
    entered = arguments[0] if method == "enter" else self.stage
    if entered == stage and len([row for row in self._rows if row["stage"] == stage]) == int(epoch):
        os.kill(os.getpid(), int(number))
    return original(self, *arguments, **options)

setattr(Journal, method, interrupted)
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
