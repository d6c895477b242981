"""A trained run on its test fold: calibration, scores, figures, pictures, the page."""

import dataclasses
import itertools

import numpy as np

from urbansound import models
from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.audio.mel_filterbank import band_centres
from urbansound.data import background, cache, datasets, splits, unlabelled
from urbansound.data.prepare import clips_of
from urbansound.files import write_csv, write_json
from urbansound.inference import calibration, robustness
from urbansound.inference.classifier import Classifier, score_clips, window_starts
from urbansound.models.ensemble import leaves, members
from urbansound.progress import bar
from urbansound.report import figures, page, pictures, plots, style, trust
from urbansound.report.crossval import LEAKS
from urbansound.report.predictions import mistakes_title, predictions_table, worst_mistakes
from urbansound.report.tables import in_words, robustness_table, thresholds_table

SHOWN_CLIPS = 16


def evaluate(run, snr_db=(), noise_dir=None, corruptions=False):
    """Score the test clips and write metrics.json, predictions.csv, the pictures and report.html.

    A run without thresholds.json that has validation clips is calibrated by them first.

    Args:
      run: a trained Run.
      snr_db: also with noise at these signal-to-noise ratios, into robustness.csv.
      noise_dir: recordings that the noise is taken from; None: white and pink noise.
      corruptions: also through a phone line, clipped, louder, quieter, in 8 bits, into robustness.csv.

    Returns:
      The metrics (see `report.figures.evaluate`); `temperature` and `thresholds`, what they do on the test clips (see
      `report.trust.measure`), both None for a run that is not calibrated; of an ensemble also `members`, of each
      member by itself what stands first in the metrics, by its name.

    Raises:
      InputError: the run has no model yet, a test clip is gone, there is no noise in noise_dir, or another process
        is at work on the run.
    """
    with run.locked():
        return _evaluate(run, robustness.conditions(snr_db, noise_dir, corruptions, run.config))


def _evaluate(run, conditions):
    class_names = run.class_names
    if run.thresholds is None:
        _calibrate(run)
    test, entries, targets = clips_of(run, splits.TEST)
    classifier = Classifier.from_run(run)
    scores = score_entries(entries, classifier)
    decided = run.targets.decide(scores, classifier.thresholds)
    salience = test.salience if test.salience.notna().any() else None
    values = figures.evaluate(run.targets, targets, scores, test.recording, class_names, salience, decided)
    thresholds = classifier.thresholds
    values["temperature"] = thresholds and thresholds["temperature"]
    values["thresholds"] = thresholds and trust.measure(targets, decided, scores, thresholds)
    if of_members := _members(entries, targets, test.recording, classifier):
        values["members"] = of_members
    predictions = predictions_table(test, scores, class_names, run.targets.labels(decided, class_names))
    if conditions:
        table = robustness.measure(entries, targets, test.recording, classifier, conditions)
        write_csv(run.file("robustness.csv"), table)
    write_csv(run.file("predictions.csv"), predictions)
    _write_report(run, values, predictions, entries, classifier.model.count_params())
    write_json(run.file("metrics.json"), values)  # last: it says that the run is finished
    return values


def _calibrate(run):
    """Write thresholds.json by the run's validation clips, where there are any."""
    if (run.clips.split == splits.VALIDATION).any():
        write_thresholds(run, out_of_training(run, splits.VALIDATION), "validation clips")


def out_of_training(run, split):
    """The `calibration.Clips` of a split that a run was not trained on, scored by its networks as they were trained."""
    clips, entries, targets = clips_of(run, split)
    classifier = Classifier.from_run(run, calibrated=False)
    networks, shares = zip(*leaves(classifier.model), strict=True)
    counts = [len(_starts(waveform, classifier)) for _, waveform in cache.waveforms(entries)]
    others = list(background.sounds(classifier.audio.sample_rate, classifier.audio.clip_samples))
    scores, of_others = [], []
    for network in networks:
        alone = dataclasses.replace(classifier, model=network)
        with bar("scoring clips") as on_progress:
            scores.append(score_clips(_windows(entries, classifier), sum(counts), alone, on_progress=on_progress))
        of_others.append(score_clips(enumerate(others), len(others), alone))
    owners, recordings = np.repeat(np.arange(len(targets)), counts), clips.recording.to_numpy(str)
    of_clips = np.stack(scores), np.array(shares), owners, targets, recordings, np.stack(of_others)
    return calibration.Clips(*of_clips, run.targets)


def write_thresholds(run, clips, source):
    """Write a run's thresholds.json by `calibration.Clips`; `source` says in words which these are."""
    found = calibration.fit(clips, run.class_names, run.config.train.threshold_precision, source)
    write_json(run.file("thresholds.json"), found)


def _windows(entries, classifier):
    """(number, window float32 [at most clip_samples]) of all windows of cached clips, in order."""
    number = itertools.count()
    for _, waveform in cache.waveforms(entries):
        for start in _starts(waveform, classifier):
            yield next(number), waveform[start : start + classifier.audio.clip_samples]


def _starts(waveform, classifier):
    samples = classifier.audio.clip_samples
    return window_starts(max(len(waveform), samples), samples, classifier.hop).numpy()


def score_entries(entries, classifier, score_windows=None):
    """Scores float32 [clips, classes] of cached clips, with a progress bar; see `classifier.score_clips`."""
    with bar("scoring clips") as on_progress:
        return score_clips(cache.waveforms(entries), len(entries), classifier, score_windows, on_progress)


def _members(entries, targets, recordings, classifier):
    """{name: what models are compared by} of each member of an ensemble by itself; empty for any other model."""
    result, kind = {}, classifier.targets
    for name, member in members(classifier.model).items():
        scores = score_entries(entries, dataclasses.replace(classifier, model=member))
        result[name] = figures.summary(kind, targets, scores, recordings)[kind.measure]
    return result


def _write_report(run, values, predictions, entries, parameters):
    """The pictures and report.html."""
    config = run.config
    warnings = [*datasets.dataset(config.data.dataset).warnings]
    if config.data.split == "random":
        warnings.append(f"A {LEAKS}.")
    shown = worst_mistakes(predictions, SHOWN_CLIPS)
    tables = []
    if (measured := run.robustness) is not None:
        tables.append(page.Table("Noise and other corruptions", *robustness_table(measured), 2))
    page.write(
        run.file("report.html"),
        title=f"{config.data.dataset}: {_model_name(run)}",
        metrics=values,
        facts=_facts(run, parameters),
        tables=tables,
        more=[] if values["thresholds"] is None else [page.Table("Thresholds", *thresholds_table(values), 3)],
        pictures=_pictures(run, values, shown, np.stack([_log_mel(entries[row], config) for row in shown.index])),
        mistakes=shown,
        settings=dataclasses.asdict(config),
        warnings=warnings,
        skipped=run.skipped,
    )


def _pictures(run, values, shown, log_mels):
    """Draw and write all pictures; as `page.Picture`s in the order of the page."""
    audio, measure, drawn = run.config.audio, in_words(run.targets.measure), []

    def add(name, title, alt, figure):
        drawn.append(page.Picture(run.file(name), title, alt))
        style.save(figure, drawn[-1].path)

    if run.history is not None:
        alt = f"Loss and {measure} of training and validation clips by epoch"
        add("learning_curves.png", "Learning curves", alt, plots.learning_curves(run.history, run.config.train.keep))
    drawn += pictures.of_figures(run.path, values)
    alt, hop_seconds = "Log-mel spectrograms of the test clips listed below", audio.hop_length / audio.sample_rate
    log_mels = plots.log_mel_grid(log_mels, shown, run.class_names, hop_seconds, band_centres(audio))
    add("mistakes.jpg", f"Log-mels of the {mistakes_title(shown)}", alt, log_mels)
    if (measured := run.robustness) is not None and measured.noise.notna().any():
        alt = f"{measure.capitalize()} by signal-to-noise ratio"
        add("robustness.png", "Noise", alt, plots.robustness(measured))
    return drawn


def _log_mel(entry, config):
    waveform = fit_length(cache.read(entry), config.audio.clip_samples, config.data.short_clips)
    return log_mel(waveform, config.audio).numpy()


def _facts(run, parameters):
    config, history, counts = run.config, run.history, run.clips.split.value_counts()
    if history is None:
        epoch = f"each member's own: {', '.join(run.members.architectures)}"
    elif config.train.keep == "last":
        epoch = f"{history.epoch.iloc[-1]}, the last"
    else:
        rows = history[history.stage == history.stage.iloc[-1]]
        epoch = f"{rows.epoch[rows.val_loss.idxmin()]} of {len(rows)}, of the lowest validation loss"
    origins = models.origins(run.architectures, config.model)
    taught = {"Starts from": "; ".join(origins)} if origins else {}
    taught |= {} if run.teachers is None else {"Taught by": ", ".join(map(_teacher, run.teachers.itertuples()))}
    if (recordings := unlabelled.of_run(run)) is not None:
        taught["Recordings without labels"] = f"{len(recordings)}"
    return {
        "Data set": config.data.dataset,
        "Test": f"{'fold' if config.data.split == 'folds' else 'random split'} {config.data.test_fold}",
        "Training clips": f"{counts.get('train', 0):,}, and {counts.get('validation', 0):,} for validation",
        "Epoch": epoch,
        "Model": f"{_model_name(run)}, {parameters:,} parameters",
        **taught,
        "Training": f"{run.training_seconds / 60:.1f} minutes",
    }


def _teacher(row):
    """'yamnet (whose weights it starts from)', of a row of a run's teachers."""
    return f"{row.architectures}{f' ({row.origin})' if row.origin else ''}"


def _model_name(run):
    """'cnn', or of an ensemble 'cepstrum + cnn'."""
    return " + ".join(run.architectures)
