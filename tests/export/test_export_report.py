"""The report's figures against numpy; its texts and picture against the figures."""

import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest
from small_run import create

from export import measurement, report
from export.tflite import convert
from urbansound.config import AudioConfig, Config, DataConfig
from urbansound.data.datasets.record import MADE_UP
from urbansound.inference.classifier import Classifier
from urbansound.report import style

NAMES = ("a", "b", "c")
AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)


@pytest.fixture(scope="module")
def classifier():
    log_mels = keras.Input((AUDIO.frames, AUDIO.n_mels))
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(log_mels))
    return Classifier(keras.Model(log_mels, scores), AUDIO, 2000, "repeat", NAMES, ("cnn",))


@pytest.fixture(scope="module")
def export(classifier, tmp_path_factory):
    """(folder, run, keras, files) of a float32 file and of one that lost accuracy."""
    folder = tmp_path_factory.mktemp("export")
    run = make_run(tmp_path_factory.mktemp("runs") / "tiny")
    rng = np.random.default_rng(0)
    labels, recordings = rng.integers(0, 3, 40), np.arange(40).astype(str)
    expected = softmax(rng.normal(size=(40, 3)) + 2 * np.eye(3)[labels])
    worse = expected.copy()
    right = np.flatnonzero(expected.argmax(axis=1) == labels)[:3]
    worse[right] = np.roll(expected[right], 1, axis=1)  # three right answers become wrong ones
    content = convert.convert(classifier, "float32")
    files = []
    for name, scores in (("float32", expected), ("int8", worse)):
        path = folder / f"m_{name}.tflite"
        path.write_bytes(content)
        files.append(measurement.measure(path, name, scores, expected, np.eye(3)[labels], recordings, classifier))
    baseline = measurement.baseline(classifier, expected, np.eye(3)[labels], recordings)
    report.write(folder, run, classifier, baseline, files, 0.5)
    return folder, run, baseline, files, (labels, expected, worse)


def make_run(path, recordings="rst", **data):
    clips = pd.DataFrame({"path": "x.wav", "label": NAMES, "fold": [1, 1, 2], "recording": list(recordings),
                          "salience": None, "split": ["train", "train", "test"]})  # fmt: skip
    config = dataclasses.replace(Config(), audio=AUDIO, data=DataConfig(test_fold=2, **data))
    return create(path, config, NAMES, clips, pd.DataFrame(columns=["path", "fault"]))


def softmax(logits):
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)


def test_figures_are_numpys(export):
    _, _, baseline, (same, lost), (labels, expected, worse) = export
    assert same["accuracy"] == baseline["accuracy"] == pytest.approx(np.mean(expected.argmax(1) == labels))
    assert (same["accuracy_change"], same["top1_agreement"], same["max_score_difference"]) == (0, 1, 0)
    assert lost["accuracy_change"] == pytest.approx(-100 * 3 / 40)
    assert lost["top1_agreement"] == pytest.approx(np.mean(worse.argmax(1) == expected.argmax(1)))
    assert lost["max_score_difference"] == pytest.approx(np.abs(worse - expected).max())
    assert lost["mean_score_difference"] == pytest.approx(np.abs(worse - expected).sum() / (40 * 3))
    low, high = lost["accuracy_interval"]
    assert low < lost["accuracy"] < high
    brier = np.mean(np.sum((worse - np.eye(3)[labels]) ** 2, axis=1))
    assert lost["calibration"]["brier"] == pytest.approx(brier)


def test_costs_are_of_the_file(export, classifier):
    folder, _, _, (file, _), _ = export
    assert file["bytes"] == (folder / "m_float32.tflite").stat().st_size
    assert file["parameters"] == AUDIO.frames * AUDIO.n_mels * 3 + 3
    fourier, mel = AUDIO.frames * 256 * 8, AUDIO.frames * 129 * 16
    assert file["multiply_adds"] == {"frontend": fourier + mel, "backbone": AUDIO.frames * AUDIO.n_mels * 3}
    assert {row["operation"] for row in file["operations"]} >= {"RFFT2D", "FULLY_CONNECTED", "SOFTMAX"}
    for threads in ("one_thread", "all_threads"):
        assert set(file["latency_ms"][threads]) == {"median", "p95", "frontend", "backbone"}


def test_a_file_that_lost_too_much_is_named(export):
    files = export[3]
    assert measurement.too_much_lost(files, 0.5) == ["int8"]
    assert measurement.too_much_lost(files, 7.4) == ["int8"]
    assert measurement.too_much_lost(files, 7.5) == []  # three of forty clips: exactly what is allowed
    assert (
        measurement.too_much_lost([{"format": "int8", "accuracy": 1.0, "accuracy_change": 9.0}], 0.5) == []
    )  # a gain is no loss


def test_json_holds_what_others_rely_on(export):
    folder = export[0]
    written = json.loads((folder / "report.json").read_text())
    assert [file["path"] for file in written["files"]] == ["m_float32.tflite", "m_int8.tflite"]
    assert [file["kept"] for file in written["files"]] == [True, False]
    needed = {"format", "path", "bytes", "accuracy", "accuracy_change", "top1_agreement", "max_score_difference",
              "latency_ms"}  # fmt: skip
    assert all(needed <= set(file) for file in written["files"])
    assert str(folder) not in (folder / "report.json").read_text()


def test_markdown_says_the_same(export):
    folder, _, baseline, files, _ = export
    text = (folder / "report.md").read_text()
    for file in files:
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {file['format']} |")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == f"`m_{file['format']}.tflite`"
        assert cells[2] == f"{file['bytes'] / 1000:,.0f}"
        assert cells[3].startswith(f"{100 * file['accuracy']:.1f} %")
        assert cells[4] == f"{file['accuracy_change']:+.2f}"
        assert cells[6] == f"{file['max_score_difference']:.2g}"
        assert f"{file['latency_ms']['one_thread']['median']:.2f} " in cells[9]
    assert "int8 lost more than 0.5 points and was not kept" in text
    assert "float32 lost" not in text
    assert MADE_UP in text  # the run's data set is the synthetic one
    assert f"{100 * baseline['accuracy']:.1f} %" in text


def test_a_fold_and_a_random_split_are_called_what_they_are(export, classifier, tmp_path):
    folder, _, baseline, files, _ = export
    text, written = (folder / "report.md").read_text(), json.loads((folder / "report.json").read_text())
    assert "40 test clips (test fold 2)" in text
    assert "No recording is in two of train, validation and test." in text
    assert (written["split"], written["test_fold"]) == ("folds", 2)
    files = [{**file, "path": tmp_path / file["path"]} for file in written["files"]]
    data = {"split": "random", "val_fraction": 0, "dataset": "esc50", "data_dir": "data"}
    run = make_run(tmp_path / "random", recordings="rsr", **data)
    report.write(tmp_path, run, classifier, baseline, files, 0.5)
    text, written = (tmp_path / "report.md").read_text(), json.loads((tmp_path / "report.json").read_text())
    assert "40 test clips (random split, part 2 of 10)" in text
    assert "test fold" not in text
    assert "No recording is in two" not in text
    assert "the recordings of 1 of 1 test clips are also in train or validation" in text
    assert (written["split"], written["test_fold"]) == ("random", None)
    assert "CC BY-NC 3.0 (not for commercial use" in text.splitlines()[2]


def test_every_table_row_has_all_columns(export):
    lines = (export[0] / "report.md").read_text().splitlines()
    blocks, previous = [], None
    for line in lines:
        if line.startswith("|"):
            assert previous in (None, line.count("|"))
            previous = line.count("|")
            blocks.append(line)
        else:
            previous = None
    assert len(blocks) > 8


def test_picture_shows_each_file_without_overlaps(export):
    folder = export[0]
    written = json.loads((folder / "report.json").read_text())
    whole = {"median": 3.0, "p95": 4.0, "frontend": None, "backbone": None}
    bare = {"median": 1.0, "p95": 4.0, "frontend": None, "backbone": 1.0}
    for name, one in (("saved_model", whole), ("int8_spectrogram", bare)):
        written["files"].append(written["files"][0] | {"format": name, "latency_ms": {"one_thread": one}})
    figure = report.picture(written)
    style.pixels(figure)
    accuracy, size, latency = figure.axes
    colours = [{patch.get_facecolor() for patch in axes.patches} for axes in (size, latency)]
    assert len(colours[0]) == 1  # a file holds more than the backbone, whose colour its size has not
    assert not colours[0] & colours[1]
    names = [text.get_text() for text in accuracy.get_yticklabels()]
    assert names == ["float32", "int8\n(not kept)", "saved_model", "int8_spectrogram"]
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in [*axes.texts, *axes.get_xticklabels()] if text.get_text()]
        assert not [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]
    boxes = [text.get_window_extent() for axes in figure.axes for text in [*axes.texts, axes.title, axes._left_title]]
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)
    assert (folder / "report.png").stat().st_size > 5000
