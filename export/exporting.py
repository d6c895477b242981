"""A trained run made into every file that was asked for, each measured on the run's test fold, in one new folder."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import numpy as np

from export import measurement, model_card, report
from export.serving import deployment, savedmodel
from export.tflite import convert, frontend_files, metadata
from urbansound.audio.length import fit_length
from urbansound.data import cache
from urbansound.errors import InputError
from urbansound.files import replacing, write_text
from urbansound.inference.evaluation import clips_of, score_entries
from urbansound.report.tables import headline, percent

SAVED_MODEL = "saved_model"
FRONT_END = "frontend"  # the folder beside int8_spectrogram
CALIBRATION_CLIPS = 256
REFERENCE_CLIPS = 3
VERSION = "1"  # of the model under its name; TF Serving serves the highest


def export(run, classifier, out, name, formats, max_accuracy_drop):
    """Write the files, their report and the model card; a line per format on stdout.

    Args:
      run: the trained Run; its test clips measure, its training clips calibrate.
      classifier: its Classifier.
      out: the folder to make.
      name: the model's name in file names and requests.
      formats: of "saved_model" and convert.FORMATS.
      max_accuracy_drop: percentage points.

    Raises:
      InputError: before any work, what can't be exported and an `out` that exists; after it, files that
        lost more than `max_accuracy_drop`: those are not kept, the others and the report are.
    """
    out = Path(out)
    _check(classifier, name, formats)
    with _new_folder(out) as folder:
        clips, entries, labels = clips_of(run, "test")
        expected = score_entries(entries, classifier)
        keras = measurement.baseline(classifier, expected, labels, clips.recording)
        print(f"Keras: {headline(keras)}")
        calibration = _windows(run, classifier, CALIBRATION_CLIPS)
        files = []
        for format in formats:
            start = time.monotonic()
            path, score_windows = _write(classifier, folder, name, format, calibration, run.config.data.dataset)
            scores = score_entries(entries, classifier, score_windows)
            files.append(measurement.measure(path, format, scores, expected, labels, clips.recording, classifier))
            print(_line(files[-1], time.monotonic() - start), flush=True)
        lost = measurement.too_much_lost(files, max_accuracy_drop)
        for file in files:
            if file["format"] in lost:
                _remove(Path(file["path"]), folder)
        write_text(folder / "labels.txt", "".join(f"{label}\n" for label in classifier.class_names))
        written = report.write(folder, run, classifier, keras, files, max_accuracy_drop)
        model_card.write(folder, run, classifier, written)
    if lost:
        raise InputError(
            f"{', '.join(lost)} lost more than {max_accuracy_drop:g} points on the test fold and was not kept "
            f"(the rest is in {out}, with report.md); allow it by a larger --max_accuracy_drop"
        )


def _check(classifier, name, formats):
    convert.check(classifier, [format for format in formats if format != SAVED_MODEL])
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"name must be letters, digits and _, no digit first. Received: {name}")


@contextlib.contextmanager
def _new_folder(out):
    """Yield a folder beside `out` that takes its name when the block succeeds, and is gone when it does not."""
    if out.exists():
        raise InputError(f"{out}: exists already; remove it or pass another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{os.getpid()}.part.{out.name}")
    part.mkdir()
    try:
        yield part
        os.rename(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _windows(run, classifier, most):
    """Training clips, evenly from all: float32 [at most `most`, clip_samples]."""
    _, entries, _ = clips_of(run, "train")
    chosen = np.unique(np.linspace(0, len(entries) - 1, most).astype(int))
    samples = classifier.audio.clip_samples
    return np.stack([fit_length(cache.read(entries[i]), samples, classifier.short_clips) for i in chosen])


def _write(classifier, folder, name, format, calibration, dataset):
    """Write one format; its path and what scores windows by it."""
    if format == SAVED_MODEL:
        path = folder / name / VERSION
        savedmodel.write(classifier, path)
        deployment.write(folder, name)
        answer = savedmodel.load(path)
        return path, lambda windows: answer("serving_default", {"waveform": windows})["scores"]
    path = folder / f"{name}_{format}.tflite"
    content = metadata.with_metadata(
        convert.convert(classifier, format, calibration),
        classifier,
        name=f"{name}_{format}",
        version=VERSION,
        author="trained with urbansound",
        licence=model_card.licence(dataset),
        description=f"Which of {len(classifier.class_names)} sounds {classifier.audio.clip_seconds:g} seconds hold.",
    )
    with replacing(path) as part:
        part.write_bytes(content)
    if format == "int8_spectrogram":
        frontend_files.write(folder / FRONT_END, classifier, content, calibration[:REFERENCE_CLIPS])
    return path, convert.score_windows(content, classifier.audio)


def _remove(path, folder):
    """Delete a file that is not kept, and what came with it."""
    if path.is_dir():
        shutil.rmtree(path.parent)
        for template in deployment.TEMPLATES.iterdir():
            (folder / template.name).unlink()
    else:
        path.unlink()
        if "int8_spectrogram" in path.name:
            shutil.rmtree(folder / FRONT_END)


def _line(file, seconds):
    """What is said of a file once it is measured."""
    return (
        f"{file['format']}: {file['bytes'] / 1000:,.0f} kB, {percent(file['accuracy'])} "
        f"({file['accuracy_change']:+.2f} points), {percent(file['top1_agreement'])} the same label, "
        f"{file['latency_ms']['one_thread']['median']:.1f} ms on one thread [{seconds:.0f} s]"
    )
