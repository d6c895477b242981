"""The commands as a person runs them: a whole small run, then evaluate and predict; and their errors."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf
from tensorflow.core.util import event_pb2

from running import ROOT, TINY, command, process

EPOCHS = 25
FILES = {
    *("config.json", "labels.txt", "clips.csv", "history.csv", "model.keras", "metrics.json", "predictions.csv"),
    *("report.html", "learning_curves.png", "confusion_matrix.png", "class_bars.png", "calibration.png"),
    *("mistakes.jpg", "checkpoints", "tensorboard"),
}


@pytest.fixture(scope="module")
def trained(tone_folder, tmp_path_factory):
    """(the finished process, the folder that it ran in) of training on the tones; one broken clip is skipped."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(tone_folder, home / "clips")
    (home / "clips" / "low" / "broken.wav").write_bytes(b"ID3 no sound")
    arguments = (
        "--dataset=folder",
        "--data_dir=clips",
        "--bad_clips=skip",
        f"--epochs={EPOCHS}",
        "--run_dir=run",
        *TINY,
    )
    return process("train", *arguments, cwd=home), home


@pytest.mark.smoke
def test_train_leaves_a_complete_run(trained):
    done, home = trained
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (home / "run").iterdir()} >= FILES
    assert done.stdout.startswith(f"data: folder clips, 45 clips of 3 classes; epochs: {EPOCHS}\n")
    assert "1 clips could not be decoded" in done.stdout
    assert "macro F1" in done.stdout
    assert "Traceback" not in done.stderr
    metrics = json.loads((home / "run" / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.8  # pure tones an octave and more apart
    assert metrics["n_clips"] == len(pd.read_csv(home / "run" / "predictions.csv"))
    skipped = pd.read_csv(home / "run" / "skipped.csv")
    assert skipped.path.tolist() == ["clips/low/broken.wav"]
    page = (home / "run" / "report.html").read_text()
    assert "broken.wav" in page


def test_a_run_that_validates_on_nothing_is_as_complete(tone_folder, tmp_path):
    which = ("--dataset=folder", f"--data_dir={tone_folder}", "--val_fraction=0")
    done = command("train", *which, "--epochs=2", "--run_dir=run", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES
    assert set(pd.read_csv(tmp_path / "run" / "clips.csv").split) == {"train", "test"}
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert history.val_loss.isna().all()
    assert history.loss.notna().all()


def test_no_recording_is_on_two_sides(trained):
    _, home = trained
    clips = pd.read_csv(home / "run" / "clips.csv")
    assert clips.groupby("recording").split.nunique().max() == 1
    assert set(clips.split) == {"train", "validation", "test"}


def test_a_run_is_not_overwritten(trained):
    _, home = trained
    done = command("train", "--dataset=folder", "--data_dir=clips", "--bad_clips=skip", "--run_dir=run", cwd=home)
    assert done.returncode == 2
    assert "go on with --resume, or pass another --run_dir" in done.stderr


def test_resuming_a_finished_run_changes_nothing_and_evaluates(trained):
    _, home = trained
    model = (home / "run" / "model.keras").read_bytes()
    done = command("train", "--resume", "--run_dir=run", cwd=home)
    assert done.returncode == 0, done.stderr
    assert (home / "run" / "model.keras").read_bytes() == model
    assert "macro F1" in done.stdout


def test_evaluate_repeats_the_figures_from_elsewhere(trained, tmp_path):
    _, home = trained
    before = json.loads((home / "run" / "metrics.json").read_text())
    done = command("evaluate", f"--run_dir={home / 'run'}", cwd=home)
    assert done.returncode == 0, done.stderr
    after = json.loads((home / "run" / "metrics.json").read_text())
    assert after["confusion"] == before["confusion"]


@pytest.mark.smoke
def test_predict_hears_files_of_any_format_and_lists_broken_ones(trained, tmp_path):
    _, home = trained
    time = np.arange(44_100 * 2) / 44_100
    hiss = np.random.default_rng(0).normal(0, 0.1, len(time))
    low, high = (0.4 * np.sin(2 * np.pi * hertz * time) + hiss for hertz in (300, 3000))
    soundfile.write(tmp_path / "low.flac", np.stack([low, low], axis=1), 44_100)
    soundfile.write(tmp_path / "high.ogg", high, 44_100)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    done = command("predict", f"--run_dir={home / 'run'}", "--format=jsonl", "--threshold=0", tmp_path, cwd=home)
    rows = {Path(row["path"]).stem: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 2
    assert "broken.wav" in done.stderr
    assert set(rows) == {"low", "high"}
    assert rows["low"]["label"] == "low"
    assert rows["high"]["label"] == "high"
    assert sum(rows["low"][name] for name in ("score", "second_score", "third_score")) == pytest.approx(1, abs=1e-4)


def test_predict_agrees_with_the_table_of_the_run(trained):
    _, home = trained
    known = pd.read_csv(home / "run" / "predictions.csv")
    done = command("predict", f"--run_dir={home / 'run'}", "--format=csv", "--threshold=0", *known.path[:3], cwd=home)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("path,label,best,score,second,second_score,third,third_score")
    for line, row in zip(lines[1:], known.itertuples(), strict=False):
        path, label, best, score = line.split(",")[:4]
        assert (path, label, best) == (row.path, row.predicted, row.predicted)
        # The run scored the cached waveform, int16 steps of the clip's peak; this one is from the file.
        assert float(score) == pytest.approx(row.score, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", ["--epochs=0"], "epochs must be at least 1. Received: 0"),
        ("train", ["--epoch=3"], "Unknown command line flag 'epoch'"),
        ("train", ["three"], "unexpected argument 'three'"),
        ("train", ["--dataset=folder"], "pass --data_dir=FOLDER"),
        ("train", ["--dataset=esc50", "--data_dir=nowhere"], "python -m urbansound.download --dataset=esc50"),
        ("train", ["--resume"], "pass --run_dir=FOLDER"),
        ("train", ["--resume", "--run_dir=nowhere"], "not a run directory"),
        ("evaluate", [], "say which run"),
        ("evaluate", ["--run_dir=nowhere"], "not a run directory"),
        ("predict", ["--run_dir=nowhere", "x.wav"], "nowhere: no such file or folder; pass a run directory"),
        ("predict", ["--model=nowhere"], "say which model and which files"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(name, arguments, message, tmp_path):
    done = command(name, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_process_of_its_own_says_the_same(tmp_path):
    """Nothing more than that line, though TensorFlow has been loaded; and what the other tests rely on."""
    arguments = ("train", "--dataset=esc50", "--data_dir=nowhere")
    own, here = process(*arguments, cwd=tmp_path), command(*arguments, cwd=tmp_path)
    # TensorFlow 2.21 tells of oneDNN whenever it is imported, whatever TF_CPP_MIN_LOG_LEVEL says.
    errors = "".join(re.findall(r"^(?!WARNING: All log messages|I0000 ).+\n", own.stderr, re.MULTILINE))
    assert (own.returncode, own.stdout) == (2, "")
    assert (own.returncode, own.stdout, errors) == (here.returncode, here.stdout, here.stderr)
    assert len(errors.splitlines()) == 1


def test_errors_on_a_full_disk_do_not_change_the_exit_code(tmp_path):
    arguments = [sys.executable, "-m", "urbansound.predict", "--run_dir=absent", "clip.wav"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            arguments, stderr=full, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path
        )
    assert ended.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "redirection", "message"),
    [
        ("train --helpshort", "> /dev/full", "No space left on device"),
        ("predict clip.wav --model=absent", ">&-", "standard output is closed; send it to a file, or to /dev/null"),
    ],
)
def test_output_that_can_not_be_written_is_an_error_in_one_line(arguments, redirection, message, tmp_path):
    line = f"{sys.executable} -m urbansound.{arguments} {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        line, shell=True, stderr=subprocess.PIPE, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert (ended.returncode, ended.stderr) == (2, f"error: {message}\n")


def test_output_whose_reader_has_ended_is_no_error():
    line = f"({sys.executable} -m urbansound.train --helpshort; echo $? >&2) | true"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(line, shell=True, stderr=subprocess.PIPE, text=True, check=True, env=environment)
    assert ended.stderr == "141\n"


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("predict", "threshold=nan"),
        ("predict", "window_hop_seconds=inf"),
        ("detect", "gap_seconds=nan"),
        ("detect", "off=-inf"),
        ("evaluate", "segment_seconds=nan"),
        ("export", "max_accuracy_drop=nan"),
        ("train", "learning_rate=inf"),
    ],
)
def test_a_number_that_is_none_is_refused_by_every_command(name, flag, tmp_path):
    done = command(name, f"--{flag}", cwd=tmp_path)
    text, value = flag.split("=")
    assert (done.returncode, done.stderr) == (2, f"error: {text} must be a finite number. Received: {value}\n")


def test_bad_clips_fail_before_anything_is_trained(tone_folder, tmp_path):
    shutil.copytree(tone_folder, tmp_path / "clips")
    (tmp_path / "clips" / "low" / "a.wav").write_bytes(b"")
    (tmp_path / "clips" / "low" / "b.wav").write_bytes(b"")
    done = command("train", "--dataset=folder", "--data_dir=clips", "--run_dir=run", *TINY, cwd=tmp_path)
    assert done.returncode == 2
    assert "a.wav" in done.stderr
    assert "--bad_clips=skip" in done.stderr
    assert "1 more" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_keeps_its_settings(trained):
    _, home = trained
    done = command("train", "--resume", "--run_dir=run", "--epochs=99", cwd=home)
    assert done.returncode == 2
    assert "these differ: --epochs" in done.stderr


def test_a_loss_that_explodes_ends_the_run_with_a_remedy(tone_folder, tmp_path):
    arguments = ("--dataset=folder", f"--data_dir={tone_folder}", "--run_dir=run", "--epochs=3", *TINY)
    done = command("train", *arguments, "--learning_rate=1e30", "--warmup_epochs=0", cwd=tmp_path)
    assert done.returncode == 2
    assert "the loss became NaN or infinite in epoch 1; try a lower --learning_rate" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "model.keras").exists()


def test_tensorboard_has_scalars_spectrograms_and_confusion_matrices(trained):
    _, home = trained
    tags = set()
    for file in (home / "run" / "tensorboard").rglob("events*"):
        for record in tf.data.TFRecordDataset(str(file)):
            event = event_pb2.Event.FromString(record.numpy())
            tags |= {value.tag for value in event.summary.value}
    assert {"epoch_loss", "epoch_accuracy", "validation log-mel", "validation confusion"} <= tags


def test_history_has_a_row_per_epoch_and_the_schedule(trained):
    _, home = trained
    history = pd.read_csv(home / "run" / "history.csv")
    assert history.epoch.tolist() == list(range(1, EPOCHS + 1))
    assert history.learning_rate.idxmax() in (1, 2)  # two epochs of warm-up to the peak, then down
    assert history.learning_rate.iloc[-1] < 0.05 * history.learning_rate.max()
