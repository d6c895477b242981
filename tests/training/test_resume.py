"""A run that is killed and resumed ends where an unbroken one does."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pandas as pd
import pytest

from running import ROOT, TINY, command

EPOCHS = 30
SETTINGS = (
    "--dataset=folder",
    f"--epochs={EPOCHS}",
    "--deterministic",
    "--dropout=0.5",
    "--noise_probability=0.5",
    "--cepstrum",
    *TINY,
)


def weights(run):
    return keras.models.load_model(run / "model.keras", compile=False).get_weights()


def wait_for_epoch(process, run, epochs):
    """Wait until `epochs` are in the journal, then a little into the next."""
    state = run / "checkpoints" / "state.json"
    for _ in range(1200):
        if state.exists() and len(json.loads(state.read_text())["rows"]) >= epochs:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    pytest.fail("no epoch in a minute")


@pytest.fixture(scope="module")
def unbroken(tone_folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("unbroken")
    process = command("train", f"--data_dir={tone_folder}", "--run_dir=run", *SETTINGS, cwd=home)
    assert process.returncode == 0, process.stderr
    return home / "run"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_an_epoch_then_resumed_equals_unbroken(how, unbroken, tone_folder, tmp_path):
    arguments = ["train", f"--data_dir={tone_folder}", "--run_dir=run", *SETTINGS]
    process = subprocess.Popen(
        [sys.executable, "-m", f"urbansound.{arguments[0]}", *arguments[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in the background it comes ignored
    )
    wait_for_epoch(process, tmp_path / "run", 2)
    process.send_signal(how)
    try:
        output, _ = process.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        process.send_signal(how)  # Python drops an interrupt that comes while it clears an object away
        output, _ = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "--resume --run_dir=run" in output
    done = json.loads((tmp_path / "run" / "checkpoints" / "state.json").read_text())
    assert 2 <= len(done["rows"]) < EPOCHS, "killed too late to show anything"
    resumed = command("train", "--resume", "--run_dir=run", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    columns = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
    histories = [pd.read_csv(run / "history.csv")[columns] for run in (unbroken, tmp_path / "run")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    for expected, got in zip(weights(unbroken), weights(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(expected, got)
