"""Scoring any files: by any form of a model, of any length and name, broken ones, what is passed over."""

import dataclasses
import io
import json
import os
import shutil
import sys
import types
import wave

import numpy as np
import pytest
import soundfile

from export.serving import savedmodel
from export.tflite import convert, metadata
from running import command
from urbansound.inference import files as scoring
from urbansound.inference.classifier import Classifier, hop_samples
from urbansound.inference.scorer import open_model
from urbansound.run import Run


@pytest.fixture
def clips(tone_folder, tmp_path):
    """A folder with low.wav and high.wav."""
    (tmp_path / "clips").mkdir()
    for label in ("low", "high"):
        shutil.copyfile(tone_folder / label / f"{label}00.wav", tmp_path / "clips" / f"{label}.wav")
    return tmp_path / "clips"


def predict(tone_run, *arguments):
    return command("predict", "--model=run", *arguments, cwd=tone_run)


@pytest.fixture(scope="module")
def models(tone_run, tmp_path_factory):
    """{form: path} of tone_run's model, and of one that was exported without thresholds."""
    folder = tmp_path_factory.mktemp("models")
    classifier = Classifier.from_run(Run.open(tone_run / "run"))
    savedmodel.write(classifier, folder / "served" / "1")
    content = convert.convert(classifier, "float32")
    for name, of in (("model", classifier), ("old", dataclasses.replace(classifier, thresholds=None))):
        (folder / f"{name}.tflite").write_bytes(metadata.with_metadata(content, of, name="tones", version="1"))
    paths = {"saved_model": folder / "served", "tflite": folder / "model.tflite", "old": folder / "old.tflite"}
    return {"run": tone_run / "run", **paths}


def table_of(model, paths, threshold=None):
    scorer = open_model(model)
    audio = scorer.described.audio
    return scoring.predict(scorer, [str(path) for path in paths], hop_samples(audio, audio.clip_seconds / 2), threshold)


SCORES = ["score", "second_score", "third_score"]


@pytest.fixture(scope="module")
def sounds(tone_run, tmp_path_factory):
    """Test clips, which are shorter and longer than a window, noise and silence."""
    folder, clips = tmp_path_factory.mktemp("sounds"), Run.open(tone_run / "run").clips
    soundfile.write(folder / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 21_000), 8000)
    soundfile.write(folder / "silence.wav", np.zeros(9000), 8000)
    return [*clips.path[clips.split == "test"], *map(str, sorted(folder.iterdir()))]


@pytest.mark.parametrize(("form", "tolerance"), [("saved_model", 1e-5), ("tflite", 1e-4)])
def test_every_form_of_a_model_answers_as_the_run_does(models, sounds, form, tolerance):
    expected, _ = table_of(models["run"], sounds)
    table, faults = table_of(models[form], sounds)
    assert len(faults) == 0
    assert "none of these" in set(expected.label) != {"none of these"}
    assert table.drop(columns=SCORES).equals(expected.drop(columns=SCORES))
    np.testing.assert_allclose(table[SCORES], expected[SCORES], atol=tolerance)


def test_a_model_exported_without_thresholds_never_says_none_unless_asked(models, sounds):
    table, _ = table_of(models["old"], sounds)
    assert "none of these" not in set(table.label)
    table, _ = table_of(models["old"], sounds, threshold=2.0)
    assert set(table.label) == {"none of these"}


def test_the_command_takes_a_file_and_the_older_name_of_the_flag(models, tone_run, sounds):
    rows = []
    for flag in (f"--model={models['tflite']}", "--run_dir=run"):
        done = command("predict", flag, "--format=jsonl", *sounds, cwd=tone_run)
        assert done.returncode == 0, done.stderr
        rows.append([json.loads(line)["label"] for line in done.stdout.splitlines()])
    assert rows[0] == rows[1]
    done = command("predict", f"--model={models['tflite']}", "--window_seconds=1", *sounds, cwd=tone_run)
    assert (done.returncode, "takes windows of 0.5 s; leave out --window_seconds" in done.stderr) == (2, True)


def test_what_is_read_block_by_block_scores_as_the_whole(models, sounds, monkeypatch):
    expected, _ = table_of(models["run"], sounds)
    monkeypatch.setattr(scoring, "SHORT_SAMPLES", 0)
    table, _ = table_of(models["run"], sounds)
    assert table.drop(columns=SCORES).equals(expected.drop(columns=SCORES))
    np.testing.assert_allclose(table[SCORES], expected[SCORES], atol=1e-6)  # float32 scores of other batches


def test_a_recording_of_more_samples_than_are_decoded_at_once_is_scored(models, tmp_path):
    """2**28 + 64 samples of 64 channels, all 0."""
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(64)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"")
    head, size = (tmp_path / "long.wav").stat().st_size, 2 * (2**28 + 64)
    with open(tmp_path / "long.wav", "r+b") as file:
        file.seek(head - 4)
        file.write(size.to_bytes(4, "little"))
        file.truncate(head + size)
        file.seek(4)
        file.write((head + size - 8).to_bytes(4, "little"))
    soundfile.write(tmp_path / "short.wav", np.zeros(9000), 8000)
    table, faults = table_of(models["run"], sorted(tmp_path.iterdir()))
    assert faults.empty
    np.testing.assert_allclose(table.loc[0, SCORES].tolist(), table.loc[1, SCORES].tolist(), atol=1e-6)


@pytest.mark.parametrize("most", [0, scoring.SHORT_SAMPLES])
def test_a_file_that_breaks_off_is_listed_and_left_out(models, sounds, tmp_path, monkeypatch, most):
    monkeypatch.setattr(scoring, "SHORT_SAMPLES", most)
    cut = tmp_path / "cut.wav"
    soundfile.write(cut, np.random.default_rng(0).normal(0, 0.1, 200_000), 8000)
    os.truncate(cut, 300_000)
    table, faults = table_of(models["run"], [sounds[0], cut, tmp_path / "absent.wav", sounds[1]])
    assert table.path.tolist() == sounds[:2]
    assert faults.path.tolist() == [str(cut), str(tmp_path / "absent.wav")]
    assert faults.fault.str.contains("truncated|can't be read").all()


def test_standard_input_is_a_file_like_others(models, sounds, monkeypatch):
    with open(sounds[0], "rb") as file:
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(file.read()))))
    done = command("predict", f"--model={models['run']}", "--format=jsonl", "-")
    assert done.returncode == 0, done.stderr
    expected, _ = table_of(models["run"], sounds[:1])
    row = json.loads(done.stdout)
    assert (row["path"], row["label"]) == ("-", expected.label[0])
    assert row["score"] == pytest.approx(expected.score[0], abs=1e-6)


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_a_file_name_that_is_not_utf_8_is_scored(tone_run, clips, form):
    os.rename(clips / "low.wav", os.fsencode(clips) + b"/l\xf6w.wav")
    with open(os.fsencode(clips) + b"/\xff.wav", "wb") as file:
        file.write(b"no sound")
    done = predict(tone_run, f"--format={form}", "--threshold=0", clips)
    assert done.returncode == 2
    assert rf"{clips}/\xff.wav: no sound" in done.stderr
    assert "Traceback" not in done.stderr
    done.stdout.encode()  # as a terminal or a file would have it
    if form == "jsonl":
        rows = {row["path"]: row["label"] for row in map(json.loads, done.stdout.splitlines())}
        assert rows == {f"{clips}/high.wav": "high", rf"{clips}/l\xf6w.wav": "low"}
    else:
        assert rf"{clips}/l\xf6w.wav" in done.stdout
        head = done.stdout.splitlines()[0]  # for people, a class of a high score next to none of these is explained
        assert ("best class" in head, ",best," in head) == (form == "table", form == "csv")


@pytest.mark.parametrize(("form", "output"), [("table", ""), ("jsonl", "")])
def test_where_every_file_is_broken_nothing_is_printed_but_the_faults(tone_run, clips, form, output):
    for path in clips.iterdir():
        path.write_bytes(b"no sound")
    done = predict(tone_run, f"--format={form}", clips)
    assert (done.returncode, done.stdout.strip()) == (2, output)
    assert done.stderr.count(".wav: ") == 2


def test_predict_counts_what_it_passes_over(tone_run, clips):
    for name in ("._low.wav", "notes.txt", "voice.m4a"):
        (clips / name).touch()
    (clips / "again").symlink_to(".")
    done = predict(tone_run, "--format=csv", clips)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert (
        "passed over: 1 .m4a (libsndfile reads none), 1 .txt, 1 hidden, 1 links to folders searched already\n"
        in done.stderr
    )
