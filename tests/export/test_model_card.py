"""The model card says what the run and the report say, and nothing of its own."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from small_run import create

from export import model_card, provenance
from urbansound.config import AudioConfig, Config, DataConfig, ModelConfig
from urbansound.data import datasets
from urbansound.inference.classifier import Classifier
from urbansound.report import metrics
from urbansound.training import teachers

NAMES = ("drill", "siren", "dog")
TIME = {"median": 2.5, "p95": 3.5, "frontend": 2.0, "backbone": 0.5}
FILE = {
    "format": "int8", "path": "m_int8.tflite", "bytes": 512000, "kept": True, "accuracy": 0.5,
    "accuracy_interval": [0.25, 0.75], "accuracy_change": -0.26, "top1_agreement": 0.99,
    "max_score_difference": 0.04, "mean_score_difference": 0.003, "calibration": {"ece": 0.0876},
    "latency_ms": {"one_thread": TIME, "all_threads": TIME}, "arena_bytes": 2127808,
}  # fmt: skip


def make(tmp_path, dataset="urbansound8k", split="folds", names=NAMES, name="card", model=None, tables=()):
    """(text of the card, report) of a run whose third class is never predicted."""
    clips = pd.DataFrame(
        {"path": "x.wav", "label": names * 4, "fold": [1] * 3 + [2] * 3 + [3] * 6, "salience": None,
         "recording": [f"r{i // 2}" for i in range(12)], "split": ["train"] * 4 + ["validation"] * 2 + ["test"] * 6}
    )  # fmt: skip
    where = {"synthetic": {}, "csv": {"csv": "table.csv"}}.get(dataset, {"data_dir": "data"})
    if split == "random":
        clips["split"] = ["train", "test"] * 6  # of each recording, one clip on either side
        where |= {"val_fraction": 0}
    data = DataConfig(dataset=dataset, test_fold=3, split=split, **where)
    skipped = pd.DataFrame({"path": ["y.wav"], "fault": ["not audio"]})
    run = create(
        tmp_path / "card", dataclasses.replace(Config(), data=data, model=model or ModelConfig()), names, clips, skipped
    )
    for file, text in tables:
        run.file(file).write_text(text)
    labels, answers = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 1, 0, 0, 1, 0])
    scores = 0.7 * np.eye(3)[answers] + 0.1
    keras = metrics.evaluate(labels, scores, list("aabbcc"), names) | {"parameters": 12345}
    report = {"run": name, "model": "cnn", "dataset": dataset, "keras": keras, "files": [FILE],
              "data_sets": teachers.data_sets(run),
              "machine": {"cores": 2}, "tested_on": provenance.tested_on(data),
              "shared_recordings": provenance.shared_recordings(clips)}  # fmt: skip
    classifier = Classifier(None, AudioConfig(), 44100, "repeat", names, ("cnn",))
    model_card.write(tmp_path, run, classifier, report)
    return (tmp_path / "MODEL_CARD.md").read_text(), report


def rows(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return {cells[0]: cells[1:] for cells in ([c.strip() for c in line.strip("|").split("|")] for line in lines)}


def test_parts_of_the_data_are_counted(tmp_path):
    table = rows(make(tmp_path)[0])
    assert table["train"] == ["1, 2", "4", "2"]
    assert table["validation"] == ["2", "2", "1"]
    assert table["test"] == ["3", "6", "3"]


def test_results_are_the_reports(tmp_path):
    text, report = make(tmp_path)
    low, high = (f"{100 * bound:.1f}" for bound in report["keras"]["accuracy_interval"])
    assert f"66.7 % (95 % interval {low} to {high}, over 3 recordings)" in text
    table = rows(text)
    assert table["drill"][:3] == ["50.0", "100.0", "66.7"]
    assert table["siren"][:3] == ["100.0", "100.0", "100.0"]
    assert table["int8"][:4] == ["`m_int8.tflite`", "512", "50.0 % (25.0 to 75.0)", "-0.26"]
    assert "12,345 parameters" in text


def test_whose_weights_the_model_starts_from_is_said(tmp_path):
    google = "It starts from Google's YAMNet, trained on AudioSet (weights: Apache 2.0)."
    assert google in make(tmp_path / "a", model=ModelConfig(model="yamnet"))[0]
    assert google not in make(tmp_path / "b", model=ModelConfig(model="yamnet", yamnet_weights=None))[0]
    assert "It starts from" not in make(tmp_path / "c")[0]


def test_who_taught_it_and_on_what_else_is_said(tmp_path):
    tables = [
        ("teachers.csv", "run_dir,architectures,origin,sha256\nruns/a,yamnet,Google's YAMNet,12\nruns/b,cnn,,34\n"),
        ("unlabelled.csv", "folder,path,bytes\nstreet,a.wav,1\nstreet,b.wav,1\n"),
    ]
    text, _ = make(tmp_path, tables=tables)
    assert "It was taught by a trained yamnet (Google's YAMNet).\n\nIt was taught by a trained cnn.\n" in text
    assert "Recordings without labels that it was taught on, too: 2.\n" in text


def test_the_licence_of_what_its_teachers_learned_from_is_said(tmp_path):
    table = "run_dir,architectures,origin,data_sets,sha256\nruns/a,cnn,,urbansound8k;esc10,12\nruns/b,cnn,,folder,34\n"
    text, report = make(tmp_path, "folder", tables=[("teachers.csv", table)])
    assert report["data_sets"] == ["folder", "urbansound8k", "esc10"]
    notice = text.splitlines()[2]
    assert notice.startswith("**Trained on ")
    assert "Taught by models that were trained on UrbanSound8K (" in notice
    assert "CC BY-NC 3.0 (not for commercial use" in notice
    licences = provenance.licence(report["data_sets"])
    assert "CC BY-NC 3.0" in licences
    assert "CC BY 3.0" in licences


def test_limits_come_from_the_metrics(tmp_path):
    text, report = make(tmp_path)
    assert "Weakest classes by F1: dog (0.0 %), drill (66.7 %).\n" in text
    assert "dog taken for drill, 2 clips" in text
    assert f"off by {100 * report['keras']['calibration']['ece']:.1f} points" in text
    assert "Clips that could not be decoded and were left out: 1." in text


def test_front_end_settings_are_all_there(tmp_path):
    table = rows(make(tmp_path)[0])
    for field in dataclasses.fields(AudioConfig):
        value = 11025.0 if field.name == "f_max" else getattr(AudioConfig(), field.name)
        assert table[f"`{field.name}`"][0] == str(value)


def test_a_fold_of_its_own_recordings_is_said_to_be_one(tmp_path):
    text, _ = make(tmp_path)
    assert "No recording is in two of train, validation and test." in text
    assert "6 test clips (test fold 3)" in text
    assert "Tested on one fold" in text


def test_a_random_split_is_not_said_to_keep_recordings_apart(tmp_path):
    text, _ = make(tmp_path, split="random")
    assert "No recording is in two" not in text
    assert "the recordings of 6 of 6 test clips are also in train or validation" in text
    assert "the accuracy flatters" in text
    assert "6 test clips (random split, part 3 of 10)" in text
    assert "test fold" not in text
    assert "one fold" not in text


@pytest.mark.parametrize(
    ("recordings", "expected"),
    [
        ("abcd", "No recording is in two"),
        ("aabc", "No recording is in two"),  # the second clip is left out
        ("abac", "of 1 of 2 test clips are also"),
    ],
)
def test_shared_recordings_are_counted_in_the_table(recordings, expected):
    clips = pd.DataFrame({"recording": list(recordings), "split": ["train", "left out", "test", "test"]})
    assert expected in provenance.shared_recordings(clips)


def test_the_licence_stands_at_the_top(tmp_path):
    lines = make(tmp_path)[0].splitlines()
    assert lines[2].startswith("**Trained on UrbanSound8K")
    assert "CC BY-NC 3.0 (not for commercial use" in lines[2]


def test_every_data_set_has_a_licence():
    assert all(datasets.dataset(name).licence for name in datasets.names())
    assert "CC BY-NC" in provenance.licence(["urbansound8k"])
    assert "CC BY-NC" in provenance.licence(["esc50"])
    assert "CC BY 3.0" in provenance.licence(["esc10"])


@pytest.mark.parametrize("dataset", ["folder", "synthetic", "csv"])
def test_what_is_not_public_is_not_called_so(tmp_path, dataset):
    text, _ = make(tmp_path, dataset)
    assert "UrbanSound8K" not in text
    assert provenance.licence([dataset]).split(" (")[0] in text
    assert ("The clips are synthetic" in text) == (dataset == "synthetic")


def test_names_are_text_in_the_card_whatever_they_hold(tmp_path):
    names = ("<script>alert(1)</script>", "a | b", "![x](http://x) *y* `z` $m$ \x1b[2J")
    text, _ = make(tmp_path, names=names, name="<img src=x onerror=y>")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert not {token.type for token in (*tokens, *inline)} & {
        "html_block",
        "html_inline",
        "image",
        "link_open",
        "em_open",
    }
    contents = ["".join(child.content for child in token.children) for token in tokens if token.type == "inline"]
    assert contents[0] == "<img src=x onerror=y>: model card"
    shown = (*names[:2], names[2].replace("\x1b", r"\x1b"))
    assert f"for each of 3 classes: {', '.join(shown)}." in " ".join(contents)
    assert set(shown) < set(contents)  # a cell of its own each
    assert f"Most frequent mistake: {shown[2]} taken for {shown[0]}" in " ".join(contents)
