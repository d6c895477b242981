"""An architecture of another package, found by its entry point: trained and evaluated by the project's own commands."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from export import formats
from running import ROOT, TINY

TOY = '''
"""A toy: the clip's mean spectrum, standardised, under one layer."""

import keras

from urbansound.models import parts
from urbansound.models.record import Architecture


@keras.saving.register_keras_serializable(package="toy")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def build(input_shape, n_classes, config):
    log_mel = keras.Input(input_shape, name="log_mel")
    x = parts.Standardize(name="spectrum")(keras.ops.mean(log_mel, axis=1))
    return keras.Model(log_mel, parts.scores(Doubled()(x), n_classes, config), name="toy")


ARCHITECTURE = Architecture(name="toy", summary="One layer.", build=build, embedding="spectrum")
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory, tone_folder):
    """A function that runs a module of the project where the toy is installed, in one folder."""
    home, site = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("site")
    (site / "toy.py").write_text(TOY)
    (site / "toy-1.0.dist-info").mkdir()
    (site / "toy-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (site / "toy-1.0.dist-info/entry_points.txt").write_text("[urbansound.architectures]\ntoy = toy:ARCHITECTURE\n")

    def start(module, *arguments):
        process = subprocess.run(
            [sys.executable, "-m", module, "--run_dir=run", *arguments],
            cwd=home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, site)))},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert process.returncode == 0, process.stderr
        return home

    settings = ("--dataset=folder", f"--data_dir={tone_folder}", "--epochs=40", "--noevaluate", "--dropout=0")
    start("urbansound.train", "--model=toy", *settings, *TINY)
    return start


def test_it_trains_and_is_evaluated(run):
    home = run("urbansound.evaluate") / "run"
    assert set(pd.read_csv(home / "history.csv").stage) == {"toy"}
    # Tones that lie octaves apart: one spectrum tells them.
    assert json.loads((home / "metrics.json").read_text())["accuracy"] > 0.8


def test_it_is_exported_to_every_format(run):
    out = run("export", "--out=out", "--max_accuracy_drop=25") / "out"  # nine test clips: one of them is 11 points
    files = json.loads((out / "report.json").read_text())["files"]
    assert [file["format"] for file in files] == list(formats.names())
    assert all(file["top1_agreement"] > 0.7 for file in files)


def test_it_is_averaged_with_a_cepstrum(run, tone_folder):
    settings = ("--dataset=folder", f"--data_dir={tone_folder}", "--epochs=1", *TINY)
    home = run("urbansound.train", "--model=toy", "--cepstrum", *settings, "--run_dir=both") / "both"
    assert list(pd.read_csv(home / "history.csv").stage) == ["cepstrum", "toy"]
    assert set(json.loads((home / "metrics.json").read_text())["members"]) == {"cepstrum", "toy"}
