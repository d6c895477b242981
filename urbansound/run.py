"""A run directory: what it holds and how it is read back; the only contract between commands."""

import contextlib
import dataclasses
import hashlib
import math
import os
from pathlib import Path

import pandas as pd

from urbansound import targets
from urbansound.config import Config
from urbansound.errors import InputError
from urbansound.files import (
    check_folder,
    is_free,
    lock,
    new_folder,
    read_csv,
    read_json,
    read_text,
    remove_parts,
    write_csv,
    write_json,
    write_text,
)

CLASS_NAMES_SHA256 = "class_names_sha256"  # in config.json: scores without the right names are wrong answers
CLIP_COLUMNS = ("path", "label", "fold", "recording", "split")
MEND = "delete it and run python -m urbansound.evaluate again"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run directory, complete or under way.

    config.json        every setting (`Config.from_dict` reads them), and a checksum of the class names
    labels.txt         class names, a line each, in the order of the scores
    clips.csv          path, label, fold, recording, salience, split (see `data.splits`), bytes of every clip
    skipped.csv        path, fault of clips that could not be decoded; absent when there are none
    history.csv        a row per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds;
                       for accuracy what `targets.measure` is
    members.csv        of an ensemble of runs, instead of history.csv, checkpoints/ and tensorboard/: run_dir,
                       architectures (names with + between), seconds
    teachers.csv       of a run that others taught: what `training.teachers.table` tells of each
    unlabelled.csv     of a run that was taught on recordings without labels, too: folder, path in it, bytes
    model.keras        the kept epoch: log_mel [batch, frames, n_mels] to scores [batch, classes], not calibrated
    checkpoints/       what `--resume` goes on from, and best-STAGE-EPOCH.keras, of the lowest validation losses
    tensorboard/       scalars, spectrograms and confusion matrices by epoch
    thresholds.json    temperature that the model's logits are divided by, and the scores from which it is believed
                       (`inference.calibration.fit`); absent where no recordings were kept to choose them by
    metrics.json       results on the test fold (`report.metrics.evaluate`)
    predictions.csv    a row per test clip
    robustness.csv     accuracy with noise and other corruptions; absent until `evaluate` is asked for it
    report.html        the page, and its pictures next to it
    train.log          what a training printed that a cross-validation or a search began in the background

    Attributes:
      path: of the directory.
      places: {one of `config.PLACES`: value}, where it differs from config.json: a run can be moved.
    """

    path: Path
    places: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "path", Path(self.path))

    def file(self, name):
        """Path of one of the files above."""
        return self.path / name

    @classmethod
    def open(cls, path, places=None):
        """The run at `path`, which has its settings and clips.

        Raises:
          InputError: there is no run there.
        """
        run = cls(path, places or {})
        if not run.file("config.json").is_file():
            raise InputError(f"{path}: not a run directory (no config.json); make one with python -m urbansound.train")
        return run

    @classmethod
    @contextlib.contextmanager
    def creating(cls, path, config, class_names, clips, skipped):
        """Make a run directory with all that is known before the first epoch; it is there when the block succeeds.

        Yields the Run, into which the block may write more; raises InputError as `check_free`.
        """
        cls.check_free(path)
        with new_folder(path) as folder:
            run = cls(folder)
            write_text(run.file("labels.txt"), "".join(f"{name}\n" for name in class_names))
            write_csv(run.file("clips.csv"), clips)
            if len(skipped):
                write_csv(run.file("skipped.csv"), skipped)
            settings = dataclasses.asdict(config) | {CLASS_NAMES_SHA256: _digest(class_names)}
            write_json(run.file("config.json"), settings)
            yield run

    @staticmethod
    def check_free(path):
        """Raise InputError where no run directory can be made: `path` holds something already, or is a file."""
        check_folder(path, "--run_dir")
        if not is_free(path):
            raise InputError(f"{path}: this run directory is not empty; go on with --resume, or pass another --run_dir")

    @contextlib.contextmanager
    def locked(self):
        """Hold the run for writing against other processes.

        Raises:
          InputError: another process holds it.
        """
        with lock(self.path) as held:
            if held:
                remove_parts(self.file("checkpoints"))
            yield

    @property
    def config(self):
        """The settings of the run, its places as they are now."""
        settings, _ = self._settings()
        return settings.with_settings(**self.places) if self.places else settings

    @property
    def targets(self):
        """What a clip's label says: the `targets.Targets`."""
        return targets.of(self.config.model.targets)

    @property
    def class_names(self):
        """Class names in the order of the scores.

        Raises:
          InputError: they are not those that the run was trained with.
        """
        path, (_, digest) = self.file("labels.txt"), self._settings()
        names = read_text(path).removesuffix("\n").split("\n")
        if len(set(names)) < len(names) or digest not in (None, _digest(names)):
            raise InputError(f"{path}: not the class names that the run was made with; put those back, in their order")
        return names

    @property
    def clips(self):
        """Every clip that can be decoded, with its split: train, validation, test or left out.

        Raises:
          InputError: the table is damaged; the clips do not lie in the data_dir of `places`.
        """
        table = read_csv(self.file("clips.csv"), CLIP_COLUMNS)
        if not len(table):
            raise InputError(f"{self.file('clips.csv')}: holds no clips")
        folder, (settings, _) = self.places.get("data_dir"), self._settings()
        if folder is None or (folder == settings.data.data_dir and os.path.isfile(table.path.iloc[0])):
            return table
        return table.assign(path=_moved(table.path.tolist(), folder))

    @property
    def skipped(self):
        """Clips that could not be decoded: path, fault."""
        skipped = self._table("skipped.csv", "path", "fault")
        return pd.DataFrame(columns=["path", "fault"]) if skipped is None else skipped

    @property
    def history(self):
        """A row per epoch; None for an ensemble of runs."""
        return self._table("history.csv", "stage", "seconds")

    @property
    def members(self):
        """The runs that an ensemble was made of; None for any other run."""
        return self._table("members.csv", "architectures", "seconds")

    @property
    def teachers(self):
        """The runs that taught this one (see `training.teachers.table`); None where there were none."""
        return self._table("teachers.csv", "run_dir", "origin", "sha256")

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
        return self._table("robustness.csv", "condition", self.targets.measure)

    @property
    def thresholds(self):
        """What `inference.calibration.fit` found for the model; None where it was not fitted.

        Raises:
          InputError: the file is damaged.
        """
        path = self.file("thresholds.json")
        if not path.is_file():
            return None
        values = read_json(path)
        try:
            check_thresholds(values, self.class_names)
        except InputError as error:
            raise InputError(f"{path}: {error}; {MEND}") from None
        return values

    @property
    def temperature(self):
        """What the model's logits are divided by; 1 where no temperature was fitted."""
        return (self.thresholds or {"temperature": 1.0})["temperature"]

    def load_model(self, calibrated=True):
        """The trained Keras model.

        Args:
          calibrated: whether its logits are divided by the run's temperature.

        Raises:
          InputError: training has not saved one yet; the file is damaged, or holds another model.
        """
        import keras

        from urbansound import models
        from urbansound.models.temperature import divide

        path = self.file("model.keras")
        if not path.is_file():
            raise InputError(f"{self.path}: no model yet; finish training with --resume --run_dir={self.path}")
        for name in self.architectures:
            models.architecture(name)  # brings the layers that it made itself
        try:
            model = keras.models.load_model(path, compile=False, safe_mode=True)  # safe: runs no code from the file
        except Exception as error:  # whatever a file can do to zip, JSON, HDF5 and layers
            fault = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"{path}: not a model that can be loaded ({fault}); train again") from None
        audio, classes = self.config.audio, len(self.class_names)
        wanted = [(None, audio.frames, audio.n_mels), (None, classes)]
        if [getattr(model, name, None) for name in ("input_shape", "output_shape")] != wanted:
            raise InputError(f"{path}: not this run's model, which takes {wanted[0]} and gives {classes} classes")
        return divide(model, self.temperature, self.targets.activation) if calibrated else model

    def _table(self, name, *columns):
        return read_csv(self.file(name), columns) if self.file(name).exists() else None

    def _settings(self):
        """(Config, checksum of the class names or, of an older run, None) of config.json."""
        path = self.file("config.json")
        values = read_json(path)
        digest = values.pop(CLASS_NAMES_SHA256, None)
        try:
            return Config.from_dict(values), digest
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def check_thresholds(values, class_names):
    """Raise InputError where a dict is not what `inference.calibration.fit` returns of these classes."""
    of_rule = ("weights", "bias") if "weights" in values else ()  # without, see `report.trust.known`
    of_classes = [values.get(name) for name in ("classes", *of_rule[:1])]
    if not all(isinstance(column, dict) and list(column) == list(class_names) for column in of_classes):
        raise InputError("not thresholds of the model's classes")
    numbers = [values.get(name) for name in ("temperature", "none", *of_rule[1:])]
    numbers += [number for column in of_classes for number in column.values()]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise InputError("holds something else than numbers")
    if values["temperature"] <= 0:
        raise InputError("temperature must be above 0")


def _digest(class_names):
    return hashlib.sha256("\n".join(class_names).encode("utf-8", "surrogateescape")).hexdigest()


def together(paths):
    """(the folder that holds all `paths`, their paths in it)."""
    paths = list(map(os.path.abspath, paths))
    folder = Path(os.path.commonpath(list(map(os.path.dirname, paths))))
    return folder, [os.path.relpath(path, folder) for path in paths]


def _moved(paths, folder):
    """Where `paths` lie in `folder`, which holds them or one of the folders that they lay in together."""
    before, names = together(paths)
    folder = Path(os.path.abspath(folder))
    for above in reversed([before, *before.parents]):
        moved = str(folder / before.relative_to(above))
        if os.path.isfile(os.path.join(moved, names[0])):
            return [os.path.join(moved, name) for name in names]
    raise InputError(f"{folder}: the run's clips are not there (no {names[0]} at its place); pass another --data_dir")
