"""A trained run made into every file that was asked for, each measured on the run's test clips, in one new folder."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import numpy as np

from export import measurement, model_card, report
from export.formats import Job
from urbansound.audio.length import fit_length
from urbansound.data import cache
from urbansound.errors import InputError
from urbansound.files import write_text
from urbansound.inference.evaluation import clips_of, score_entries
from urbansound.report.tables import headline, percent

CALIBRATION_CLIPS = 256


def export(run, classifier, out, name, formats, max_accuracy_drop):
    """Write the files, their report and the model card; a line per format on stdout.

    Args:
      run: the trained Run; its test clips measure, its training clips calibrate.
      classifier: its Classifier.
      out: the folder to make.
      name: the model's name in file names and requests.
      formats: Formats, what `formats.chosen` returns.
      max_accuracy_drop: percentage points.

    Raises:
      InputError: before any work, what can't be exported and an `out` that exists; after it, files that
        lost more than `max_accuracy_drop`: those are not kept, the others and the report are.
    """
    out = Path(out)
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"name must be letters, digits and _, no digit first. Received: {name}")
    with _new_folder(out) as folder:
        clips, entries, labels = clips_of(run, "test")
        expected = score_entries(entries, classifier)
        keras = measurement.baseline(classifier, expected, labels, clips.recording)
        print(f"Keras: {headline(keras)}")
        job = Job(classifier, folder, name, run.config.data.dataset, _windows(run, classifier, CALIBRATION_CLIPS))
        files, written = [], {}
        for form in formats:
            start = time.monotonic()
            written[form.name] = form.write(job)
            scores = score_entries(entries, classifier, written[form.name].score_windows)
            path = written[form.name].path
            files.append(measurement.measure(path, form.name, scores, expected, labels, clips.recording, classifier))
            print(_line(files[-1], time.monotonic() - start), flush=True)
        lost = measurement.too_much_lost(files, max_accuracy_drop)
        for format_name in lost:
            _remove(written[format_name])
        write_text(folder / "labels.txt", "".join(f"{label}\n" for label in classifier.class_names))
        figures = report.write(folder, run, classifier, keras, files, max_accuracy_drop)
        model_card.write(folder, run, classifier, figures)
    if lost:
        raise InputError(
            f"{', '.join(lost)} lost more than {max_accuracy_drop:g} points on the test clips and was not kept "
            f"(the rest is in {out}, with report.md); allow it by a larger --max_accuracy_drop"
        )


@contextlib.contextmanager
def _new_folder(out):
    """Yield a folder next to `out` that takes its name when the block succeeds, and is gone when it does not."""
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


def _remove(written):
    """Delete a format that is not kept, and what came with it."""
    for path in (written.path, *written.others):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _line(file, seconds):
    """What is said of a file once it is measured."""
    return (
        f"{file['format']}: {file['bytes'] / 1000:,.0f} kB, {percent(file['accuracy'])} "
        f"({file['accuracy_change']:+.2f} points), {percent(file['top1_agreement'])} the same label, "
        f"{file['latency_ms']['one_thread']['median']:.1f} ms on one thread [{seconds:.0f} s]"
    )
