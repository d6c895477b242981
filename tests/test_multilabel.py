"""Clips of several classes from a table to an exported file, by the commands."""

import io
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from export.serving import savedmodel
from running import TINY, command
from urbansound.run import Run

HERTZ = {"high": 3000, "low": 300, "middle": 1000}
MIXTURES = ("", "high", "low", "middle", "high;low", "low;middle", "high;middle", "high;low;middle")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with clips of up to three tones, their table clips.csv, and run/, trained on them."""
    home = tmp_path_factory.mktemp("multilabel")
    generator = np.random.default_rng(0)
    rows = []
    for place in range(96):
        label = MIXTURES[place % len(MIXTURES)]
        time = np.arange(4000) / 8000
        names = label.split(";") if label else []
        tones = [np.sin(2 * np.pi * HERTZ[name] * generator.uniform(0.95, 1.05) * time) for name in names]
        clip = 0.2 * np.sum([np.zeros(4000), *tones], axis=0) + generator.normal(0, 0.02, 4000)
        soundfile.write(home / f"{place:02d}.wav", clip, 8000)
        rows.append((f"{place:02d}.wav", ";".join(reversed(names)), f"r{place // 2}"))
    pd.DataFrame(rows, columns=["path", "labels", "recording"]).to_csv(home / "clips.csv", index=False)
    options = ("--dataset=csv", "--csv=clips.csv", "--targets=multilabel", "--run_dir=run", "--mixup_alpha=0")
    done = command("train", *options, "--epochs=15", *TINY, cwd=home)
    assert done.returncode == 0, done.stderr
    (home / "train.txt").write_text(done.stdout)
    return home


def test_it_learns_them(home):
    metrics = json.loads((home / "run/metrics.json").read_text())
    assert next(iter(metrics)) == "macro_average_precision"
    assert metrics["macro_average_precision"] > 0.9


def test_keras_loads_its_model_as_any_other_and_it_holds_no_optimizer(home):
    model = keras.models.load_model(home / "run/model.keras")
    assert not model.compiled
    weights = 4 * model.count_params()
    assert (home / "run/model.keras").stat().st_size < weights + 100_000


def test_a_table_a_page_and_thresholds_say_so(home):
    run = Run.open(home / "run")
    assert run.config.model.targets == "multilabel"
    assert "" in set(run.clips.label)
    assert "high;low;middle" in set(run.clips.label)
    assert {"macro_average_precision", "val_macro_average_precision"} <= set(run.history)
    thresholds = run.thresholds
    assert (thresholds["none"], list(thresholds["classes"])) == (0, ["high", "low", "middle"])
    assert "macro AP" in (home / "train.txt").read_text()
    page = (home / "run/report.html").read_text()
    assert "macro average precision" in page
    assert not (home / "run/confusion_matrix.png").exists()


def test_predictions_are_the_classes_above_their_thresholds(home):
    table = pd.read_csv(home / "run/predictions.csv", keep_default_na=False)
    thresholds = json.loads((home / "run/thresholds.json").read_text())["classes"]
    for row in table.to_dict("records"):
        names = [name for name in thresholds if row[f"score_{name}"] >= thresholds[name]]
        assert row["predicted"] == ";".join(names)
        assert row["correct"] == (row["label"] == row["predicted"])


def test_evaluate_measures_it_in_noise(home):
    done = command("evaluate", "--run_dir=run", "--snr_db=0", cwd=home)
    assert done.returncode == 0, done.stderr
    measured = Run.open(home / "run").robustness
    assert list(measured.condition) == ["clean", "white noise 0 dB", "pink noise 0 dB"]
    assert measured.macro_average_precision[0] == pytest.approx(
        json.loads((home / "run/metrics.json").read_text())["macro_average_precision"]
    )
    assert "macro average precision (95 % interval)" in done.stdout


def predicted(home, model, *flags):
    """[label] that predict gives all clips, in order."""
    done = command("predict", f"--model={model}", "--format=csv", *flags, *sorted(home.glob("*.wav")), cwd=home)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(io.StringIO(done.stdout)).label.tolist()


def test_predict_names_every_class_or_none(home):
    truth = [MIXTURES[i % len(MIXTURES)] for i in range(96)]
    labels = predicted(home, "run")
    known = [";".join(sorted(label.split(";"))) if label else "none of these" for label in truth]
    assert np.mean([one == other for one, other in zip(labels, known, strict=True)]) > 0.7
    assert set(predicted(home, "run", "--threshold=0")) == {"high;low;middle"}
    assert set(predicted(home, "run", "--threshold=1")) == {"none of these"}


@pytest.fixture(scope="module")
def export(home):
    formats = "--formats=saved_model,float32,int8,int8_spectrogram"
    done = command("export", "--run_dir=run", "--out=out", formats, "--max_accuracy_drop=20", cwd=home)
    assert done.returncode == 0, done.stderr
    return json.loads((home / "out/report.json").read_text())


def test_exported_files_are_measured_by_average_precision(home, export):
    run = json.loads((home / "run/metrics.json").read_text())
    assert export["keras"]["macro_average_precision"] == pytest.approx(run["macro_average_precision"])
    for file in export["files"]:
        change = file["macro_average_precision"] - run["macro_average_precision"]
        assert file["macro_average_precision_change"] == pytest.approx(100 * change, abs=1e-6)
        assert file["kept"]
    exact = {file["format"]: file for file in export["files"]}
    assert exact["saved_model"]["top1_agreement"] == exact["float32"]["top1_agreement"] == 1
    assert exact["float32"]["max_score_difference"] < 1e-3
    assert exact["int8"]["max_score_difference"] < 0.15
    texts = [(home / "out" / name).read_text() for name in ("report.md", "MODEL_CARD.md")]
    assert all("acro average precision" in text for text in texts)
    assert "any number of them per window" in texts[1]
    assert "add up to 1" not in texts[1]


def test_every_form_of_the_model_gives_the_same_labels(home, export):
    labels = predicted(home, "run")
    for model in ("out/urbansound", "out/urbansound_float32.tflite"):
        assert predicted(home, model) == labels
    same = [one == other for one, other in zip(predicted(home, "out/urbansound_int8.tflite"), labels, strict=True)]
    assert np.mean(same) > 0.9


def test_the_saved_model_names_them_itself(home, export):
    run = savedmodel.load(home / "out/urbansound/1")
    files = sorted(home.glob("*.wav"))
    answer = run("wav_bytes", {"wav_bytes": [file.read_bytes() for file in files]})
    assert [label.decode() for label in answer["label"]] == predicted(home, "run")


def test_two_classes_are_on_at_once(home):
    clip = home / "04.wav"  # high and low
    done = command("detect", "--model=run", "--out=events", "--print=jsonl", "--threshold=0.3", clip, cwd=home)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["label"] for line in done.stdout.splitlines()} >= {"high", "low"}


def test_it_is_not_averaged_with_a_run_of_one_class_per_clip(home, tone_run):
    done = command("committee", f"--run_dirs=run,{tone_run / 'run'}", "--run_dir=both", cwd=home)
    assert done.returncode == 2
    assert "--targets=single" in done.stderr
    assert "--targets=multilabel" in done.stderr


def test_two_of_them_are_averaged(home):
    shutil.copytree(home / "run", home / "again")
    done = command("committee", "--run_dirs=run,again", "--run_dir=pair", cwd=home)
    assert done.returncode == 0, done.stderr
    one, both = (json.loads((home / name / "metrics.json").read_text()) for name in ("run", "pair"))
    assert both["macro_average_precision"] == pytest.approx(one["macro_average_precision"])
    assert list(both["members"].values()) == pytest.approx(2 * [one["macro_average_precision"]])


def test_a_table_of_several_labels_needs_the_setting(home):
    done = command("train", "--dataset=csv", "--csv=clips.csv", "--run_dir=other", *TINY, cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pass --targets=multilabel" in done.stderr
    assert not (home / "other").exists()


TABLE = ("--dataset=csv", "--csv=clips.csv", "--targets=multilabel", "--mixup_alpha=0", "--epochs=1", *TINY)


def test_folds_are_pooled_by_average_precision(home):
    done = command("crossval", *TABLE, "--run_dir=folds", "--test_folds=1,2", cwd=home)
    assert done.returncode == 0, done.stderr
    results = json.loads((home / "folds/crossval.json").read_text())
    rows = [row["macro_average_precision"] for row in results["folds"]]
    assert results["mean_macro_average_precision"] == pytest.approx(np.mean(rows))
    assert "macro average precision" in (home / "folds/report.html").read_text()


def test_a_search_chooses_by_average_precision(home):
    (home / "space.toml").write_text("dropout = {low = 0.1, high = 0.5}\n")
    done = command("search", *TABLE, "--run_dir=search", "--space=space.toml", "--trials=1", "--splits=1", cwd=home)
    assert done.returncode == 0, done.stderr
    history = Run.open(home / "search/trials/0/split_0").history
    trials = pd.read_csv(home / "search/trials.csv")
    assert trials.macro_average_precision[0] == pytest.approx(history.val_macro_average_precision.iloc[-1])
    assert "macro average precision is on validation clips" in done.stdout
