"""MODEL_CARD.md of an export: what the model is for, its data, its accuracy, its limits."""

import dataclasses
from pathlib import Path

from export import provenance
from export import report as reports
from urbansound import models
from urbansound.data import unlabelled
from urbansound.files import write_text
from urbansound.report.tables import (
    COLUMNS,
    cell,
    headline,
    in_words,
    measure_of,
    percent,
    points,
    thresholds_table,
    totals,
)
from urbansound.targets import MULTILABEL
from urbansound.text import markdown

WEAKEST = 3


def write(folder, run, classifier, report):
    """Write MODEL_CARD.md; every fact in it comes from the run and its report.

    Args:
      folder: the export.
      run: the Run that was exported.
      classifier: its Classifier.
      report: what `report.write` returned.
    """
    sections = {
        f"{markdown(report['run'])}: model card": _what(classifier, report),
        "Intended use": _use(classifier),
        "Data": _data(run, report),
        "Results": _results(report),
        "Limits": _limits(run.config.data, report),
        "Input": _input(classifier),
        "Files": [*reports.files_table(report), "", "How each figure was measured, and what else was: report.md."],
    }
    lines = []
    for level, (title, body) in enumerate(sections.items()):
        lines += [f"{'##' if level else '#'} {title}", "", *body, ""]
    write_text(Path(folder) / "MODEL_CARD.md", "\n".join(lines))


def _what(classifier, report):
    names = classifier.class_names
    return [
        provenance.notice(report["data_sets"]),
        "",
        *provenance.warnings(report["dataset"]),
        f"A {report['model']} of {report['keras']['parameters']:,} parameters. Its input is "
        f"{classifier.audio.clip_seconds:g} seconds of audio; its output is a score for each of {len(names)} classes: "
        f"{', '.join(map(markdown, names))}. The SavedModel splits longer audio into such windows, "
        f"{classifier.hop / classifier.audio.sample_rate:g} s from one to the next, and averages their scores. The "
        ".tflite files take one window.",
        "",
        *[f"- `{name}`: {models.architecture(name).summary}" for name in dict.fromkeys(classifier.architectures)],
    ]


def _use(classifier):
    several = classifier.targets is MULTILABEL
    number = f"{len(classifier.class_names)} classes, {'any number of them' if several else 'one'} per window"
    no_class = (
        "It knows no other sound; one that it does not know may get a high score."
        if several
        else "It knows no other sound and has no class for none: its scores add up to 1 for any input, silence too."
    )
    return [
        f"- To sort recordings like those it was trained on into its {number}.",
        f"- {no_class} {_belief(classifier.thresholds)}",
        "- Not for safety, policing or judging people: no figure here supports it, and a score proves no event.",
        "- Recordings from public places may hold speech; keep scores rather than sound.",
    ]


def _belief(thresholds):
    """From which score it is to be believed, in sentences."""
    own = "Choose the score from which you believe it on recordings of your own."
    if thresholds is None:
        return own
    wanted, accepted = (percent(thresholds[name]) for name in ("precision", "accepted"))
    of_classes = (
        f"`labels.json` has a threshold for each class, chosen for a precision of {wanted} on {thresholds['n_clips']} "
        f"other clips ({thresholds['source']})"
    )
    if "weights" not in thresholds:
        return f"{of_classes}; {accepted} of these have a class whose score is at least its threshold. {own}"
    return (
        f"{of_classes}, and a rule for sounds of no class, which accepts {accepted} of these. "
        f"The rule was fitted to generated noise, hum and silence; it takes many other sounds for a class. {own}"
    )


def _data(run, report):
    data, clips = run.config.data, run.clips
    origins = models.origins(run.architectures, run.config.model)
    lines = [provenance.source(data.dataset), ""]
    lines += [line for origin in origins for line in (f"It starts from {origin}.", "")]
    for teacher in () if run.teachers is None else run.teachers.itertuples():
        lines += [f"It was taught by {_named(teacher)}.", ""]
    if (recordings := unlabelled.of_run(run)) is not None:
        lines += [f"Recordings without labels that it was taught on, too: {len(recordings)}.", ""]
    rows = []
    for split in ("train", "validation", "test", "left out"):
        part = clips[clips.split == split]
        if len(part):
            folds = ", ".join(map(str, sorted(part.fold.unique())))
            rows.append([split, folds, f"{len(part)}", f"{part.recording.nunique()}"])
    lines += reports.table(["part", "folds", "clips", "recordings"], rows)
    lines += ["", f"{report['shared_recordings']} The test clips chose nothing in this run: they were scored last."]
    if len(run.skipped):
        lines += ["", f"Clips that could not be decoded and were left out: {len(run.skipped)}."]
    return lines


def _named(teacher):
    """A row of a run's teachers, in words."""
    return f"a trained {teacher.architectures}{f' ({teacher.origin})' if teacher.origin else ''}"


def _results(report):
    keras = report["keras"]
    lines = [
        f"Of the Keras model on {keras['n_clips']} test clips ({report['tested_on']}); the files are below.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in totals(keras).items()]
    rows = [
        [markdown(label), *(cell(column, values[column]) for column in COLUMNS)]
        for label, values in keras["per_class"].items()
    ]
    lines += ["", *reports.table(["class, in %", *COLUMNS.values()], rows, align=":")]
    if keras.get("thresholds"):
        caption, head, rows = thresholds_table(keras)
        lines += [
            "",
            f"{caption}:",
            "",
            *reports.table(head, [[markdown(row[0]), *row[1:]] for row in rows], align=":"),
        ]
    return lines


def _limits(data, report):
    keras = report["keras"]
    known = [(values["f1"], label) for label, values in keras["per_class"].items() if values["f1"] not in (None, 1)]
    weakest = [f"{markdown(label)} ({percent(f1)})" for f1, label in sorted(known)[:WEAKEST]]
    measure = in_words(measure_of(keras)).capitalize()
    lines = [
        f"- {measure} is {headline(keras)}; the interval is for other recordings of the same kind.",
    ]
    if weakest:
        lines.append(f"- Weakest classes by F1: {', '.join(weakest)}.")
    mixups = [
        (count, true, predicted)
        for true, row in enumerate(keras.get("confusion", ()))
        for predicted, count in enumerate(row)
        if true != predicted and count
    ]
    names = [markdown(label) for label in keras["per_class"]]
    if mixups:
        count, true, predicted = max(mixups, key=lambda mixup: mixup[0])
        lines.append(f"- Most frequent mistake: {names[true]} taken for {names[predicted]}, {count} clips.")
    lines.append(
        f"- A score is off by {points(keras['calibration']['ece'])} on average as a probability "
        "(expected calibration error)."
    )
    part = "a random part" if data.split == "random" else "one fold"
    lines.append(f"- Tested on {part} of one data set; other microphones, places and countries were not tested.")
    return lines


def _input(classifier):
    audio = classifier.audio
    lines = [
        f"Mono float32 samples in [-1, 1] at {audio.sample_rate:,} Hz, windows of {audio.clip_samples:,}; shorter "
        f"audio is {'repeated' if classifier.short_clips == 'repeat' else 'padded with zeros'} to that, by the "
        "SavedModel itself, for a .tflite file by its caller. The front-end, part of every file but "
        f"int8_spectrogram, makes log-mels of {audio.frames} frames by {audio.n_mels} bands:",
        "",
    ]
    settings = dataclasses.asdict(audio) | {"f_max": audio.f_max_hz}
    rows = [
        [f"`{field.name}`", f"{settings[field.name]}", field.metadata["help"]] for field in dataclasses.fields(audio)
    ]
    return lines + reports.table(["setting", "value", "meaning"], rows)
