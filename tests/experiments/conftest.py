"""What the tests of search share: its settings, and training that takes no time."""

import pandas as pd
import pytest

from urbansound.config import AudioConfig, Config, DataConfig, TrainConfig
from urbansound.experiments import processes
from urbansound.report import style


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
    monkeypatch.setattr(style, "save", lambda figure, path: None)  # half a second each
    return train
