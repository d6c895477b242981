"""The registry of data sets, and one of another package, found by its entry point."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from running import ROOT, TINY
from urbansound.config import DataConfig
from urbansound.data import datasets
from urbansound.data.datasets.record import MADE_UP
from urbansound.errors import InputError

TOY = '''
"""Tones, a file per clip, named LABEL and a number."""

from pathlib import Path

import pandas as pd

from urbansound.data import catalog, splits
from urbansound.data.datasets.record import DataSet


def load(config):
    paths = sorted(Path(config.data_dir).rglob("*.wav"))
    clips = pd.DataFrame({"path": map(str, paths), "label": [path.stem.rstrip("0123456789") for path in paths],
                          "recording": [path.stem for path in paths], "salience": pd.NA})
    clips["fold"] = splits.assign_folds(clips)
    return catalog.checked("toy", config.data_dir, clips, ["middle", "low", "high"], config.folds)


DATASET = DataSet("toy", "Tones", "nobody", "CC0 1.0", "a test", load, needs="data_dir", made_up=True)
'''


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """A function that runs the training command where the toy is installed; (finished process, folder it ran in)."""
    home, site = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("site")
    (site / "toy.py").write_text(TOY)
    (site / "toy-1.0.dist-info").mkdir()
    (site / "toy-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (site / "toy-1.0.dist-info/entry_points.txt").write_text(f"[{datasets.GROUP}]\ntoy = toy:DATASET\n")

    def start(*arguments):
        process = subprocess.run(
            [sys.executable, "-m", "urbansound.train", "--dataset=toy", "--run_dir=run", *arguments],
            cwd=home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, site)))},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return process, home

    return start


def test_a_data_set_of_another_package_is_trained_and_tested_on(train, tone_folder):
    process, home = train(f"--data_dir={tone_folder}", "--epochs=1", *TINY)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == "data: SYNTHETIC sounds, 45 clips of 3 classes; epochs: 1"
    assert lines[1].endswith(
        "to train on your own clips, a folder of them per class, pass --dataset=folder --data_dir=FOLDER"
    )
    run = home / "run"
    assert (run / "labels.txt").read_text().split() == ["middle", "low", "high"]
    clips = pd.read_csv(run / "clips.csv")
    assert len(clips) == 45
    assert json.loads((run / "metrics.json").read_text())["n_clips"] == sum(clips.fold == 1)
    assert MADE_UP in (run / "report.html").read_text()


def test_a_data_set_of_another_package_says_which_setting_it_needs(train):
    process, _ = train()
    assert process.returncode == 2
    assert process.stderr == "error: --dataset=toy needs to know where it lies: pass --data_dir=FOLDER\n"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(dataset="folder"), "--dataset=folder needs to know where it lies: pass --data_dir=FOLDER"),
        (DataConfig(dataset="csv", data_dir="clips"), "--dataset=csv needs its table: pass --csv=FILE"),
        (DataConfig(dataset="barks"), "dataset must be one of synthetic, urbansound8k, .* Received: barks"),
    ],
)
def test_a_name_or_setting_that_is_missing_is_said_before_anything_is_read(config, message):
    for function in (datasets.check, datasets.load):
        with pytest.raises(InputError, match=message):
            function(config)


def test_records_have_the_names_that_they_are_found_by():
    assert [datasets.dataset(name).name for name in datasets.names()] == list(datasets.names())


def test_sets_with_an_archive_can_be_downloaded():
    assert datasets.downloadable() == ("urbansound8k", "esc50")


def test_only_the_sounds_of_the_synthetic_set_are_made_up():
    assert [name for name in datasets.names() if datasets.dataset(name).warnings] == ["synthetic"]


def test_names_cost_no_import_of_pandas():
    code = "import sys; from urbansound.data import datasets; datasets.names(); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
