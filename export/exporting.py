"""A trained run made into every file that was asked for, each measured on the run's test clips, in one new folder."""

import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from export import measurement, model_card, report
from export.formats import Job
from urbansound.audio.length import fit_length
from urbansound.data import cache, splits
from urbansound.data.prepare import cache_entries, clips_of
from urbansound.errors import InputError, system_fault
from urbansound.files import check_folder, new_folder, write_text
from urbansound.inference.description import BELIEF, LABELS, Description
from urbansound.inference.evaluation import score_entries
from urbansound.report.tables import headline, measure_of, percent
from urbansound.training import teachers

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
      InputError: before any work, what can't be exported and an `out` that exists; after it, files that could not be
        made or lost more than `max_accuracy_drop`: those are not kept, the others and the report are.
    """
    out = Path(out)
    _check(out, name)
    with new_folder(out) as folder:
        clips, entries, targets = clips_of(run, splits.TEST)
        expected = score_entries(entries, classifier)
        keras = measurement.baseline(classifier, expected, targets, clips.recording)
        print(f"Keras: {headline(keras)}")
        job = Job(classifier, folder, name, teachers.data_sets(run), _windows(run, classifier, CALIBRATION_CLIPS))
        against = (entries, expected, targets, clips.recording)
        files, written, failed = [], {}, {}
        for form in formats:
            before = set(folder.rglob("*"))
            try:
                file, written[form.name] = _made(form, job, *against)
                files.append(file)
            except Exception as error:  # a converter's, of any kind: the other formats stay
                if system_fault(error):
                    raise
                failed[form.name] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                print(f"{form.name} failed: {failed[form.name]}", file=sys.stderr, flush=True)
                _remove(set(folder.rglob("*")) - before)
        if not files:
            raise InputError(f"no format could be made ({'; '.join(failed.values())})")
        lost = measurement.too_much_lost(files, max_accuracy_drop)
        for format_name in lost:
            _remove((written[format_name].path, *written[format_name].others))
        _write_labels(folder, Description.of(classifier))
        figures = report.write(folder, run, classifier, keras, files, max_accuracy_drop)
        model_card.write(folder, run, classifier, figures)
    _say_what_lacks(out, lost, failed, max_accuracy_drop)


def _check(out, name):
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"name must be letters, digits and _, no digit first. Received: {name}")
    check_folder(out, "--out")
    if os.path.lexists(out):
        raise InputError(f"{out}: exists already; remove it or pass another --out")


def _write_labels(folder, described):
    write_text(folder / LABELS, described.labels_text())
    write_text(folder / BELIEF, described.belief())


def _made(form, job, entries, expected, targets, recordings):
    """(measurement, Written) of one format; its line goes to stdout."""
    start = time.monotonic()
    written = form.write(job)
    scores = score_entries(entries, job.classifier, written.score_windows)
    file = measurement.measure(written.path, form.name, scores, expected, targets, recordings, job.classifier)
    print(_line(file, time.monotonic() - start), flush=True)
    return file, written


def _say_what_lacks(out, lost, failed, max_accuracy_drop):
    """Raise InputError for formats, by their names, that are not in the export."""
    faults = [f"{name} could not be made ({fault})" for name, fault in failed.items()]
    if lost:
        faults.append(
            f"not kept, since they lost more than {max_accuracy_drop:g} points on the test clips: {', '.join(lost)}; "
            "allow it by a larger --max_accuracy_drop"
        )
    if faults:
        raise InputError(f"{'; '.join(faults)} (the rest is in {out}, with report.md)")


def _windows(run, classifier, most):
    """Training clips, evenly from all: float32 [at most `most`, clip_samples]."""
    clips = run.clips[run.clips.split == splits.TRAIN]
    chosen = clips.iloc[np.unique(np.linspace(0, len(clips) - 1, most).astype(int))]
    samples = classifier.audio.clip_samples
    waveforms = map(cache.read, cache_entries(chosen, run.config))
    return np.stack([fit_length(waveform, samples, classifier.short_clips) for waveform in waveforms])


def _remove(paths):
    """Delete files and folders."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _line(file, seconds):
    """What is said of a file once it is measured."""
    measure = measure_of(file)
    return (
        f"{file['format']}: {file['bytes'] / 1000:,.0f} kB, {percent(file[measure])} "
        f"({file[f'{measure}_change']:+.2f} points), {percent(file['top1_agreement'])} the same label, "
        f"{file['latency_ms']['one_thread']['median']:.1f} ms on one thread [{seconds:.0f} s]"
    )
