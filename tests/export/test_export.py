"""python -m export as a person runs it: a whole export of a small trained run, and its errors."""

import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from export import exporting
from export.tflite import metadata
from running import TINY, command
from urbansound.run import Run

FORMATS = ["saved_model", "float32", "float16", "int8", "int8_spectrogram"]
FILES = {
    *("report.json", "report.md", "report.png", "MODEL_CARD.md", "labels.txt", "labels.json", "street", "frontend"),
    *("models.config", "batching.config", "monitoring.config", "docker-compose.yml"),
    *(f"street_{name}.tflite" for name in FORMATS[1:]),
}


@pytest.fixture(scope="module")
def home(tone_folder, tmp_path_factory):
    """A folder with a trained run."""
    home = tmp_path_factory.mktemp("home")
    arguments = ("--dataset=folder", f"--data_dir={tone_folder}", "--val_fraction=0", "--epochs=25", "--run_dir=run")
    process = command("train", *arguments, *TINY, cwd=home)
    assert process.returncode == 0, process.stderr
    return home


@pytest.fixture(scope="module")
def exported(home):
    """(the finished process, the folder that it made)."""
    # Nine test clips: half a point is none of them.
    process = command("export", "--run_dir=run", "--out=out/tones", "--name=street", cwd=home)
    assert process.returncode == 0, process.stderr
    return process, home / "out" / "tones"


@pytest.mark.smoke
def test_an_export_is_complete(exported):
    process, out = exported
    assert {path.name for path in out.iterdir()} == FILES
    assert [path.name for path in out.parent.iterdir()] == ["tones"]
    assert (out / "street" / "1" / "saved_model.pb").is_file()
    said = [line for line in process.stdout.splitlines() if ": " in line]
    assert [line.split(":")[0] for line in said] == ["Keras", *FORMATS, "export"]


def test_the_report_has_a_row_per_file_with_what_others_rely_on(home, exported):
    _, out = exported
    report = json.loads((out / "report.json").read_text())
    metrics = json.loads((home / "run" / "metrics.json").read_text())
    assert report["keras"]["accuracy"] == metrics["accuracy"]
    assert [file["format"] for file in report["files"]] == FORMATS
    for file in report["files"]:
        assert (out / file["path"]).exists()
        assert abs(file["accuracy_change"]) <= 0.5
        assert file["top1_agreement"] >= 0.98
        assert file["latency_ms"]["one_thread"]["median"] > 0
        if file["format"] in ("saved_model", "float32"):
            assert file["max_score_difference"] < 1e-4
        if file["path"].endswith(".tflite"):
            assert file["bytes"] == (out / file["path"]).stat().st_size


def test_files_name_themselves_and_the_classes_in_order(home, exported):
    _, out = exported
    labels = (home / "run" / "labels.txt").read_text().splitlines()
    assert (out / "labels.txt").read_text().splitlines() == labels
    for name in FORMATS[1:]:
        content = (out / f"street_{name}.tflite").read_bytes()
        described, inside = metadata.read_metadata(content)
        assert described.name == f"street_{name}"
        assert "yours" in described.license
        assert inside == labels
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        assert interpreter.get_output_details()[0]["shape"].tolist() == [1, len(labels)]


def test_without_thresholds_labels_json_holds_the_labels_only(home, exported):
    _, out = exported
    labels = (home / "run" / "labels.txt").read_text().splitlines()
    assert json.loads((out / "labels.json").read_text()) == {"labels": labels, "thresholds": None}


def test_every_file_is_calibrated_and_carries_the_thresholds(tone_run, tmp_path):
    process = command("export", f"--run_dir={tone_run / 'run'}", f"--out={tmp_path / 'out'}", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    out, run = tmp_path / "out", Run.open(tone_run / "run")
    expected = {"labels": run.class_names, "thresholds": run.thresholds}
    texts = [(out / "labels.json").read_text(), (out / "urbansound" / "1" / "assets" / "labels.json").read_text()]
    for name in FORMATS[1:]:
        with zipfile.ZipFile(out / f"urbansound_{name}.tflite") as archive:
            texts.append(archive.read("labels.json").decode())
    assert all(json.loads(text) == expected for text in texts)
    report, metrics = (json.loads(path.read_text()) for path in (out / "report.json", run.file("metrics.json")))
    # Nine test clips, of which one that moves to the next of 15 bins counts for 11 points; int8 moves scores by some
    # hundredths.
    assert report["keras"]["calibration"]["ece"] == pytest.approx(metrics["calibration"]["ece"], abs=1e-4)
    for file in report["files"]:
        assert file["max_score_difference"] < (0.1 if "int8" in file["format"] else 5e-3)
    assert "`labels.json` has a threshold for each class" in (out / "MODEL_CARD.md").read_text()


def test_a_file_that_loses_too_much_is_not_kept_and_the_command_fails(home):
    # A file that must gain twenty points is one that lost too much.
    which = ("--formats=float32,int8_spectrogram", "--max_accuracy_drop=-20")
    process = command("export", "--run_dir=run", "--out=out/worse", *which, cwd=home)
    out = home / "out" / "worse"
    assert process.returncode == 2
    fault = "not kept, since they lost more than -20 points on the test clips: float32, int8_spectrogram; allow"
    assert fault in process.stderr.splitlines()[-1]
    assert {path.name for path in out.iterdir()} == {
        *("report.json", "report.md", "report.png", "MODEL_CARD.md", "labels.txt", "labels.json"),
    }
    assert [file["kept"] for file in json.loads((out / "report.json").read_text())["files"]] == [False, False]
    shutil.rmtree(out)


def test_a_format_that_fails_does_not_throw_away_the_others(home, monkeypatch):
    made = exporting._made

    def failing(form, job, *others):
        if form.name == "int8":  # as a quantizer does for calibration clips that are silent
            (job.folder / "half.tflite").touch()
            raise RuntimeError("Failed to quantize:\nno range")
        return made(form, job, *others)

    monkeypatch.setattr(exporting, "_made", failing)
    process = command("export", "--run_dir=run", "--out=out/some", "--formats=float32,int8", cwd=home)
    out = home / "out" / "some"
    assert process.returncode == 2
    assert "int8 could not be made (RuntimeError: Failed to quantize: no range)" in process.stderr.splitlines()[-1]
    assert [file["format"] for file in json.loads((out / "report.json").read_text())["files"]] == ["float32"]
    assert {path.name for path in out.glob("*.tflite")} == {"urbansound_float32.tflite"}
    shutil.rmtree(out)


def test_an_export_in_which_every_format_fails_leaves_nothing(home, monkeypatch):
    def failing(*arguments):
        raise RuntimeError("no range")

    monkeypatch.setattr(exporting, "_made", failing)
    process = command("export", "--run_dir=run", "--out=out/none", "--formats=float32", cwd=home)
    assert process.returncode == 2
    assert "no format could be made (RuntimeError: no range)" in process.stderr.splitlines()[-1]
    assert not (home / "out" / "none").exists()


def test_what_a_killed_export_left_is_removed_by_the_next(home):
    left = home / "out" / ".1.part.again"
    left.mkdir(parents=True)
    (left / "street.tflite").touch()
    process = command("export", "--run_dir=run", "--out=out/again", "--formats=float32", cwd=home)
    assert process.returncode == 0, process.stderr
    assert not left.exists()
    shutil.rmtree(home / "out" / "again")


def test_what_is_there_is_not_overwritten(home, exported):
    _, out = exported
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    process = command("export", "--run_dir=run", "--out=out/tones", cwd=home)
    assert process.returncode == 2
    assert "exists already; remove it or pass another --out" in process.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which run and where to"),
        (["--run_dir=run"], "say which run and where to"),
        (["--run_dir=nowhere", "--out=x"], "not a run directory"),
        (["--run_dir=run", "--out=x", "--formats=int8,tfjs"], "formats must be some of saved_model"),
        (["--run_dir=run", "--out=x", "--formats="], "formats must be some of saved_model"),
        (["--run_dir=run", "--out=x", "--name=../up"], "name must be letters, digits and _"),
        (["--run_dir=run", "--out=x", "--max_accuracy_drop=inf"], "max_accuracy_drop must be a finite number"),
        (["--run_dir=run", "--out=x", "--window_hop_seconds=9"], "window_hop_seconds must be above 0"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(home, arguments, message):
    process = command("export", *arguments, cwd=home)
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not list(home.glob("x*"))
    assert not list(home.glob(".*"))


def test_what_can_t_be_made_is_said_before_any_work(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    process = command("export", "--run_dir=run", "--out=out/never", "--formats=saved_model", cwd=home)
    assert process.returncode == 2
    assert "saved_model can't be made: tensorflow-serving-api is needed" in process.stderr
    assert "Keras:" not in process.stdout
    assert not (home / "out/never").exists()


def test_other_windows_are_exported_as_asked(home):
    arguments = ("--formats=float32", "--window_seconds=1", "--max_accuracy_drop=100")
    process = command("export", "--run_dir=run", "--out=out/longer", *arguments, cwd=home)
    assert process.returncode == 0, process.stderr
    interpreter = Interpreter(str(home / "out" / "longer" / "urbansound_float32.tflite"))
    interpreter.allocate_tensors()
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 8000]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.zeros((1, 8000), np.float32))
    interpreter.invoke()
    assert interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).sum() == pytest.approx(1, abs=1e-5)
