"""What happens around every epoch: the run's checkpoints and history, its TensorBoard pictures."""

import math
import os
import time

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from urbansound.data.seeds import derive
from urbansound.errors import InputError
from urbansound.files import read_json, replacing, write_csv, write_json
from urbansound.report import figures, style


class Checkpoints(keras.callbacks.Callback):
    """history.csv, model.keras, the checkpoint that `--resume` goes on from, early stopping.

    Whatever is random in an epoch follows from (seed, epoch): this callback sets the state of every
    seed generator of the model (dropout) at each epoch's start, as the pipeline does for the data.
    So the weights, the optimizer and a row per epoch are all there is to save.

    Args:
      run: the Run.
      train_config: its TrainConfig.
      model: what model.keras is to hold.
      stages: names of the run's stages, in order.
    """

    def __init__(self, run, train_config, model, stages):
        super().__init__()
        self._run = run
        self._kept = self._whole = model
        self._train = train_config
        self._stages = stages
        self._columns = columns(run.targets)
        self._state = run.file("checkpoints") / "state.json"
        self._saved = _read_state(self._state, stages, self._columns) if self._state.exists() else None
        self._rows = self._saved["rows"] if self._saved else []
        self.stage = None
        self.diverged = False

    @property
    def is_new(self):
        """Whether there is no checkpoint."""
        return self._saved is None

    @property
    def place(self):
        """Place of the first stage that may not be finished."""
        return self._stages.index(self._rows[-1]["stage"]) if self._rows else 0

    @property
    def next_epoch(self):
        """The first epoch of this stage that is not in the checkpoint."""
        return len(self._stage_rows())

    @property
    def finished(self):
        """Whether the last epoch of this stage is done, or early stopping has come."""
        return self.next_epoch >= self._train.epochs or self._is_stalled()

    def enter(self, stage, whole):
        """Begin a stage, or go on with it: with the checkpoint's weights where that is of this stage.

        Args:
          stage: its name.
          whole: what its checkpoints hold: the model, and what else is trained with it.
        """
        self.stage, self._whole = stage, whole
        if self._saved and self.next_epoch:
            self._load(self._saved["weights"])
            self._remove_old(self._saved["weights"])  # that a kill after the state was saved has left

    def leave(self):
        """Keep the epoch of this stage that was asked for: in the model, and after the last stage in model.keras."""
        if self._train.keep == "best":
            self._load(self._best_file)
        if self.stage == self._stages[-1]:
            # Without the optimizer, which is twice the size of the model.
            self._save_model("model.keras", keras.Model(self._kept.input, self._kept.output, name=self._kept.name))

    def on_epoch_begin(self, epoch, logs=None):
        """Seed the epoch."""
        self._start = time.monotonic()
        generators = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for i, state in enumerate(generators):
            seed = derive(self._train.seed, "dropout", self.stage, epoch, i)
            state.assign(np.array([seed >> 32, seed % 2**32], np.uint32))

    def on_epoch_end(self, epoch, logs=None):
        """Write down the epoch, all or nothing."""
        # The last step of an epoch may spoil the weights: then only the validation loss tells.
        if not all(math.isfinite(logs[name]) for name in ("loss", "val_loss") if name in logs):
            self.diverged = self.model.stop_training = True
            return
        values = {**logs, "stage": self.stage, "epoch": epoch + 1}
        values["seconds"] = round(time.monotonic() - self._start, 2)
        values["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._rows.append({name: values.get(name) for name in self._columns})  # without validation, None in its columns
        if self._best() == epoch:
            self._save_model(f"checkpoints/{self._best_file}", self._whole)
        self._save()
        if self._is_stalled():
            self.model.stop_training = True

    @property
    def _best_file(self):
        # The state names it by its rows: a crash between the two leaves the best epoch before with its own file.
        best = self._best()
        return None if best is None else f"best-{self.stage}-{best + 1:04d}.keras"

    def _stage_rows(self):
        return [row for row in self._rows if row["stage"] == self.stage]

    def _load(self, name):
        path = self._run.file("checkpoints") / name
        try:
            self._whole.load_weights(path)
        except Exception as error:  # whatever a file can do to zip, HDF5 and layers
            fault = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: not this run's weights ({fault}); start a new run") from None

    def _save_model(self, name, model):
        with replacing(self._run.file(name)) as part:
            model.save(part)

    def _save(self):
        # A .keras file is put together in memory: HDF5 that is written to a full disk ends the process.
        weights = f"epoch-{self.stage}-{self.next_epoch:04d}.keras"
        self._save_model(f"checkpoints/{weights}", self._whole)
        write_csv(self._run.file("history.csv"), pd.DataFrame(self._rows, columns=self._columns))
        # The state names its weights: a crash before this line leaves the epoch before it whole.
        write_json(self._state, {"weights": weights, "rows": self._rows})
        self._remove_old(weights)

    def _remove_old(self, weights):
        """Remove the checkpoints that the state does not name."""
        folder = self._state.parent
        for old in (*folder.glob("epoch-*"), *folder.glob(f"best-{self.stage}-*")):
            if old.name not in (weights, self._best_file):
                old.unlink()

    def _best(self):
        """Index of the stage's epoch of the lowest validation loss, the first of equals; None without validation."""
        rows = self._stage_rows()
        validated = [i for i, row in enumerate(rows) if row["val_loss"] is not None]
        return min(validated, key=lambda i: rows[i]["val_loss"], default=None)

    def _is_stalled(self):
        patience, rows = self._train.early_stopping, self._stage_rows()
        return bool(patience and rows and len(rows) - 1 - self._best() >= patience)


def columns(targets):
    """Columns of history.csv, by what a clip's label says."""
    measure = targets.measure
    return ["stage", "epoch", "loss", measure, "val_loss", f"val_{measure}", "learning_rate", "seconds"]


def _read_state(path, stages, columns):
    """What `Checkpoints` saved: {"weights": file name, "rows": one for each epoch}.

    Raises:
      InputError: it is damaged.
    """
    state = read_json(path)
    weights, rows = state.get("weights"), state.get("rows")
    whole = isinstance(weights, str) and isinstance(rows, list) and rows
    if not (whole and all(isinstance(row, dict) and set(row) == set(columns) for row in rows)):
        raise InputError(f"{path}: not the state of a training; start a new run")
    if any(row["stage"] not in stages for row in rows) or weights != os.path.basename(weights):
        raise InputError(f"{path}: the state of another training; start a new run")
    return state


class Pictures(keras.callbacks.Callback):
    """Validation log-mels once and how classes are told apart every EVERY epochs, for TensorBoard.

    Args:
      log_dir: folder of the event files.
      validation: batches of (log_mel, targets).
      class_names: in the order of the scores.
      targets: what a clip's label says.
    """

    EVERY = 5

    def __init__(self, log_dir, validation, class_names, targets):
        super().__init__()
        self._targets = targets
        self._log_dir = str(log_dir)
        self._validation = validation
        self._class_names = class_names
        self._writer = None

    def on_train_begin(self, logs=None):
        """Write the first validation batch as pictures, low frequencies at the bottom."""
        self._writer = tf.summary.create_file_writer(self._log_dir)
        log_mel, _ = next(iter(self._validation))
        low, high = tf.reduce_min(log_mel), tf.reduce_max(log_mel)
        pictures = (tf.transpose(log_mel, [0, 2, 1])[:, ::-1, :, tf.newaxis] - low) / (high - low + 1e-9)
        with self._writer.as_default():
            tf.summary.image("validation log-mel", pictures, step=0, max_outputs=8)

    def on_epoch_end(self, epoch, logs=None):
        """Write the picture of this epoch's model."""
        if (epoch + 1) % self.EVERY:
            return
        batches = [(targets, self.model.predict_on_batch(log_mel)) for log_mel, targets in self._validation]
        targets, scores = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        name, figure = figures.overview(self._targets, targets, scores, self._class_names)
        with self._writer.as_default():
            tf.summary.image(f"validation {name}", style.pixels(figure)[np.newaxis], step=epoch)

    def on_train_end(self, logs=None):
        """Close the event file."""
        self._writer.close()
