"""A run directory: what it holds and how it is read back; the only contract between commands."""

import dataclasses
from pathlib import Path

import pandas as pd

from urbansound.config import Config
from urbansound.errors import InputError
from urbansound.files import read_csv, write_csv, write_text


@dataclasses.dataclass(frozen=True)
class Run:
    """A run directory, complete or under way.

    config.json        every setting (`Config.to_json`)
    labels.txt         class names, a line each, in the order of the scores
    clips.csv          path, label, fold, recording, salience, split (see `data.splits`) of every clip
    skipped.csv        path, fault of clips that could not be decoded; absent when there are none
    history.csv        a row per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds
    members.csv        of an ensemble of runs, instead of history.csv, checkpoints/ and tensorboard/: run_dir,
                       architectures (names with + between), seconds
    model.keras        the kept epoch: log_mel [batch, frames, n_mels] to scores [batch, classes]
    checkpoints/       what `--resume` goes on from, and best-STAGE.keras, the epochs of the lowest validation loss
    tensorboard/       scalars, spectrograms and confusion matrices by epoch
    metrics.json       results on the test fold (`report.metrics.evaluate`)
    predictions.csv    a row per test clip
    robustness.csv     accuracy with noise and other corruptions; absent until `evaluate` is asked for it
    report.html        the page, and its pictures next to it
    """

    path: Path

    def __post_init__(self):
        object.__setattr__(self, "path", Path(self.path))

    def file(self, name):
        """Path of one of the files above."""
        return self.path / name

    @classmethod
    def open(cls, path):
        """The run at `path`, which has its settings and clips.

        Raises:
          InputError: there is no run there.
        """
        run = cls(path)
        if not run.file("config.json").is_file():
            raise InputError(f"{path}: not a run directory (no config.json); make one with python -m urbansound.train")
        return run

    @classmethod
    def create(cls, path, config, class_names, clips, skipped):
        """A new run directory with everything that is known before the first epoch.

        Raises:
          InputError: `path` holds something already.
        """
        run = cls(path)
        if run.path.exists() and any(run.path.iterdir()):
            raise InputError(f"{path}: this run directory is not empty; go on with --resume, or pass another --run_dir")
        write_text(run.file("labels.txt"), "".join(f"{name}\n" for name in class_names))
        write_csv(run.file("clips.csv"), clips)
        if len(skipped):
            write_csv(run.file("skipped.csv"), skipped)
        write_text(run.file("config.json"), config.to_json())  # last: it is what makes a run
        return run

    @property
    def config(self):
        """The settings of the run."""
        return Config.load(self.file("config.json"))

    @property
    def class_names(self):
        """Class names in the order of the scores."""
        return self.file("labels.txt").read_text().splitlines()

    @property
    def clips(self):
        """Every clip that can be decoded, with its split: train, validation, test or left out."""
        return read_csv(self.file("clips.csv"))

    @property
    def skipped(self):
        """Clips that could not be decoded: path, fault."""
        if not self.file("skipped.csv").exists():
            return pd.DataFrame(columns=["path", "fault"])
        return read_csv(self.file("skipped.csv"))

    @property
    def history(self):
        """A row per epoch; None for an ensemble of runs."""
        return read_csv(self.file("history.csv")) if self.file("history.csv").exists() else None

    @property
    def members(self):
        """The runs that an ensemble was made of; None for any other run."""
        return read_csv(self.file("members.csv")) if self.file("members.csv").exists() else None

    @property
    def architectures(self):
        """Names of the architectures whose scores the model averages, in the order of its networks."""
        if self.members is None:
            return list(self.config.model.architectures)
        return [name for names in self.members.architectures for name in names.split("+")]

    @property
    def training_seconds(self):
        """Seconds that training took, of an ensemble all members'."""
        return float((self.history if self.members is None else self.members).seconds.sum())

    @property
    def robustness(self):
        """What `robustness.measure` found; None where it was not asked."""
        return read_csv(self.file("robustness.csv")) if self.file("robustness.csv").exists() else None

    def load_model(self):
        """The trained Keras model.

        Raises:
          InputError: training has not saved one yet.
        """
        import keras

        from urbansound import models

        path = self.file("model.keras")
        if not path.is_file():
            raise InputError(f"{self.path}: no model yet; finish training with --resume --run_dir={self.path}")
        for name in self.architectures:
            models.architecture(name)  # brings the layers that it made itself
        return keras.models.load_model(path, compile=False)
