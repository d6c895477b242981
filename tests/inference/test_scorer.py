"""A model gives the same scores whatever it was stored as; what is no model is refused in a line."""

import shutil

import numpy as np
import pytest
from small_run import AUDIO, run_of

from export.serving import savedmodel
from export.tflite import convert, metadata
from urbansound import cores
from urbansound.errors import InputError
from urbansound.files import write_json
from urbansound.inference import scorer
from urbansound.inference.classifier import Classifier
from urbansound.inference.description import BELIEF, NAME
from urbansound.training import fit


@pytest.fixture(scope="module")
def run(tone_folder, tmp_path_factory):
    run = run_of(tone_folder, tmp_path_factory.mktemp("home"), epochs=1)
    fit.train(run)
    return run


@pytest.fixture(scope="module")
def models(run):
    """{form: path} of one model in all forms that can be opened."""
    folder, classifier = run.path.parent, Classifier.from_run(run)
    savedmodel.write(classifier, folder / "served" / "2")
    (folder / "served" / "1").mkdir()  # a version that was taken back
    texts = {"name": "tones", "version": "1"}
    for form in ("float32", "int8"):
        content = convert.convert(classifier, form, windows(16))
        (folder / f"{form}.tflite").write_bytes(metadata.with_metadata(content, classifier, **texts))
    paths = {form: folder / f"{form}.tflite" for form in ("float32", "int8")}
    return {"run": run.path, "versions": folder / "served", "version": folder / "served" / "2", **paths}


def windows(count):
    return np.random.default_rng(0).normal(0, 0.1, (count, AUDIO.clip_samples)).astype(np.float32)


@pytest.mark.parametrize(
    ("form", "tolerance"), [("run", 1e-6), ("versions", 1e-5), ("version", 1e-5), ("float32", 1e-4), ("int8", 0.05)]
)
def test_every_form_gives_the_scores_of_the_run(form, tolerance, models, run):
    classifier = Classifier.from_run(run)
    opened = scorer.open_model(models[form])
    assert opened.described.audio == classifier.audio
    assert opened.described.class_names == ("high", "low", "middle")
    assert opened.described.short_clips == "repeat"
    assert len(opened.sha256) == 64
    np.testing.assert_allclose(opened.score(windows(5)), classifier.score_windows(windows(5)), atol=tolerance)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_tflite_file_scores_alike_on_any_number_of_cores(threads, models, monkeypatch):
    monkeypatch.setenv(cores.THREADS, threads)
    score = scorer.open_model(models["int8"]).score
    with pytest.raises(ValueError, match="Dimension mismatch"):  # the interpreters stay good for what comes next
        score(np.zeros((5, 3), np.float32))
    one_by_one = np.concatenate([score(window[np.newaxis]) for window in windows(20)])
    np.testing.assert_array_equal(score(windows(20)), one_by_one)


def test_a_run_that_is_calibrated_later_is_another_model(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    before = scorer.open_model(tmp_path / "run").sha256
    thresholds = {"classes": dict.fromkeys(run.class_names, 0.5), "weights": dict.fromkeys(run.class_names, 1.0)}
    write_json(tmp_path / "run/thresholds.json", {**thresholds, "temperature": 0.5, "none": 0.5, "bias": 0.0})
    assert scorer.open_model(tmp_path / "run").sha256 != before


def test_only_a_run_takes_windows_of_another_length(models):
    assert scorer.open_model(models["run"], 0.75).described.audio.clip_seconds == 0.75
    assert scorer.open_model(models["float32"], 0.5).described.audio.clip_seconds == 0.5
    for form in ("versions", "float32"):
        with pytest.raises(InputError, match=r"takes windows of 0.5 s; leave out --window_seconds"):
            scorer.open_model(models[form], 0.75)


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (lambda content: b"", f"not a .tflite file with its {NAME}"),
        (lambda content: content[: len(content) // 2], f"not a .tflite file with its {NAME}"),
        (lambda content: b"\0" * 2000 + content[2000:], "not a model that LiteRT can run"),
        (lambda content: content.replace(b'"format": 1', b'"format": 2'), f"not a .tflite file with its {NAME}"),
    ],
    ids=["empty", "cut", "zeros", "changed in its archive"],
)
def test_a_damaged_tflite_file_is_refused_in_a_line(break_it, fault, models, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(break_it(models["float32"].read_bytes()))
    with pytest.raises(InputError, match=fault):
        scorer.open_model(path)


def test_a_tflite_file_with_a_flipped_bit_in_its_description_is_scored_or_refused(models, tmp_path):
    content = models["float32"].read_bytes()
    start, path = content.index(b"PK\3\4"), tmp_path / "flipped.tflite"
    draws, faults = np.random.default_rng(0), set()
    for place in draws.integers(start, len(content), 300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << draws.integers(8)
        path.write_bytes(damaged)
        try:
            scorer.open_model(path)
        except InputError as error:
            faults.add(str(error).partition(": ")[2][:20])
    assert faults  # some are noticed, and none ends in anything else


def test_a_file_without_a_description_is_refused(models, run, tmp_path):
    path = tmp_path / "plain.tflite"
    path.write_bytes(convert.convert(Classifier.from_run(run), "float32"))
    with pytest.raises(InputError, match="export the model again"):
        scorer.open_model(path)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"thresholds": {"none": 0.5}}', '{"thresholds": 1}', "[" * 100_000], ids=str.__len__
)
def test_damaged_thresholds_are_refused_in_a_line(text, models, tmp_path):
    shutil.copytree(models["version"], tmp_path / "1")
    (tmp_path / "1" / "assets" / BELIEF).write_text(text)
    with pytest.raises(InputError, match=rf"{tmp_path}: its {BELIEF} is damaged; export the model again"):
        scorer.open_model(tmp_path)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    for name, fault in (
        ("absent", "no such file or folder"),
        (".", "neither a run"),
        ("file", "not a model; pass a run"),
    ):
        with pytest.raises(InputError, match=fault):
            scorer.open_model(tmp_path / name)
    for name in ("urbansound_float32", "urbansound_int8", "urbansound_int8_spectrogram"):
        (tmp_path / f"{name}.tflite").touch()
    with pytest.raises(InputError, match=r"a folder of models; pass one of them, such as .*/urbansound_int8.tflite$"):
        scorer.open_model(tmp_path)
