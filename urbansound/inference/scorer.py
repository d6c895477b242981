"""A trained model that scores windows of sound, whatever it was stored as: a run, a SavedModel or a .tflite file."""

import dataclasses
import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from urbansound.digest import sha256
from urbansound.errors import InputError
from urbansound.inference import litert
from urbansound.inference.classifier import Classifier
from urbansound.inference.description import NAME, Description
from urbansound.run import Run

SAVED_MODEL = "saved_model.pb"
TFLITE = b"TFL3"  # the file identifier, after four bytes


@dataclasses.dataclass(frozen=True)
class Scorer:
    """A model at work.

    Attributes:
      described: its Description; `described.audio.clip_samples` is the window.
      score: function of windows float32 [n, samples] that returns scores float32 [n, classes].
      path: of what was opened.
      sha256: of what its scores follow from: the file with its weights; of a run, that and its temperature.
    """

    described: Description
    score: Callable
    path: str
    sha256: str


def open_model(path, window_seconds=None):
    """The Scorer of a model.

    Args:
      path: of a run directory, a SavedModel (its folder, or the one that holds its versions) or a .tflite file that
        `python -m export` wrote.
      window_seconds: length of a window; default: the model's own. Only a run can be given another.

    Raises:
      InputError: it is none of them, is damaged, or can't take windows of that length.
    """
    path = Path(path)
    if (path / "config.json").is_file():
        return _of_run(path, window_seconds)
    if path.is_dir():
        scorer = _of_saved_model(_version(path), path)
    elif path.is_file():
        scorer = _of_tflite(path)
    else:
        raise InputError(f"{path}: no such file or folder; pass a run directory, a SavedModel or a .tflite file")
    own = scorer.described.audio.clip_seconds
    if window_seconds not in (None, own):
        raise InputError(f"{path}: takes windows of {own:g} s; leave out --window_seconds, or pass the run directory")
    return scorer


def _of_run(path, window_seconds):
    run = Run.open(path)
    classifier = Classifier.from_run(run, window_seconds)
    # Both: the temperature may be fitted later, and then other scores come of the same weights.
    digest = hashlib.sha256(f"{sha256(run.file('model.keras'))} {run.temperature!r}".encode()).hexdigest()
    return Scorer(Description.of(classifier), classifier.compiled(), str(path), digest)


def _version(path):
    """The folder with the SavedModel: `path`, or that of the highest version in it."""
    if (path / SAVED_MODEL).is_file():
        return path
    versions = [name for name in os.listdir(path) if name.isdecimal() and (path / name / SAVED_MODEL).is_file()]
    exported = [file for file in sorted(path.glob("*.tflite")) if "spectrogram" not in file.name]
    if not versions and exported:
        raise InputError(f"{path}: a folder of models; pass one of them, such as {exported[-1]}")
    if not versions:
        raise InputError(f"{path}: neither a run directory nor a SavedModel; pass one of them or a .tflite file")
    return path / max(versions, key=int)


def _of_saved_model(folder, path):
    described = _described(path, lambda name: _bytes(folder / "assets" / name))
    try:
        loaded = tf.saved_model.load(str(folder))
        signature = loaded.signatures["serving_default"]
    except Exception as error:  # whatever a damaged file does to TensorFlow
        raise InputError(f"{path}: not a SavedModel that can be loaded ({_line(error)}); export it again") from None

    def score(windows, loaded=loaded):  # which holds the variables
        return signature(waveform=tf.constant(windows))["scores"].numpy()

    return Scorer(described, score, str(path), sha256(folder / "variables" / "variables.data-00000-of-00001"))


def _of_tflite(path):
    content = path.read_bytes()
    if path.suffix == ".keras":
        raise InputError(f"{path}: a part of a run; pass the run directory, {path.parent}")
    if path.suffix != ".tflite" and content[4:8] != TFLITE:
        raise InputError(f"{path}: not a model; pass a run directory, a SavedModel or a .tflite file")
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # whatever a damaged file does to zipfile
        raise InputError(f"{path}: not a .tflite file with its {NAME}; export the model again") from None
    described = _described(path, files.get)
    try:
        score = litert.score_windows(content, described.audio)
        classes = score(np.zeros((1, described.audio.clip_samples), np.float32)).shape[1]
    except Exception as error:  # whatever a damaged file does to the interpreter
        raise InputError(f"{path}: not a model that LiteRT can run ({_line(error)}); export it again") from None
    if classes != len(described.class_names):
        raise InputError(
            f"{path}: gives {classes} scores for {len(described.class_names)} class names; export it again"
        )
    return Scorer(described, score, str(path), hashlib.sha256(content).hexdigest())


def _described(path, content_of):
    try:
        return Description.read(content_of)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _bytes(path):
    return path.read_bytes() if path.is_file() else None


def _line(error):
    return " ".join(str(error).split())[:200] or type(error).__name__
