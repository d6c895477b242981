"""Run directories: made whole, portable, and refused in a line where they are damaged."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import keras
import pandas as pd
import pytest
from small_run import create, run_of

from running import ROOT, TINY, command
from urbansound import run as run_module
from urbansound.config import Config
from urbansound.data.prepare import clips_of
from urbansound.errors import InputError
from urbansound.run import Run

NAMES = ["high", "low", "middle"]
CLIPS = pd.DataFrame({"path": ["/a/b.wav"], "label": ["low"], "fold": [1], "recording": ["b"], "split": ["train"]})
# Makes a run and kills itself before the given rename.
CREATE = """
import os, signal, sys
import pandas as pd
from urbansound.config import Config
from urbansound.run import Run

count, path, clips = int(sys.argv[1]), sys.argv[2], pd.read_csv(sys.argv[3])

def killing(rename):
    def renamed(*arguments):
        global count
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*arguments)
    return renamed

os.replace, os.rename = killing(os.replace), killing(os.rename)
with Run.creating(path, Config(), ["high", "low", "middle"], clips, []):
    pass
"""


def test_a_run_that_was_killed_while_it_was_made_can_be_made_again(tmp_path):
    CLIPS.to_csv(tmp_path / "clips.csv", index=False)
    for rename in (2, 3, 4):  # of clips.csv, of config.json, of the run
        arguments = [sys.executable, "-c", CREATE, str(rename), str(tmp_path / "run"), str(tmp_path / "clips.csv")]
        process = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
        assert process.returncode == -9, process.stderr
        assert not (tmp_path / "run").exists()
    run = create(tmp_path / "run", Config(), NAMES, CLIPS, [])
    assert (run.class_names, run.config) == (NAMES, Config())
    assert {path.name for path in tmp_path.iterdir()} == {"run", "clips.csv"}


def test_a_run_dir_that_is_a_file_or_holds_something_or_is_the_working_directory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path, message in (
        (tmp_path / "file", "not a folder; pass another --run_dir"),
        (tmp_path, "not empty"),
        (tmp_path / "here", "not empty"),
    ):
        with pytest.raises(InputError, match=message):
            create(path, Config(), NAMES, CLIPS, [])
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty", Config(), NAMES, CLIPS, [])


@pytest.fixture
def run(tmp_path):
    return create(tmp_path / "run", Config(), NAMES, CLIPS, [])


@pytest.mark.parametrize("text", ["low\nhigh\nmiddle\n", "high\nlow\nlow\n", "high\nlow\n", "high\nlow\nother\n", ""])
def test_class_names_that_were_changed_after_training_are_refused(text, run):
    run.file("labels.txt").write_text(text)
    with pytest.raises(InputError, match=r"labels\.txt: not the class names that the run was made with"):
        _ = run.class_names


def test_a_run_without_a_checksum_is_still_read(run):
    settings = json.loads(run.file("config.json").read_text())
    del settings["class_names_sha256"]
    run.file("config.json").write_text(json.dumps(settings))
    assert run.class_names == NAMES
    run.file("labels.txt").write_text("high\nhigh\nlow\n")
    with pytest.raises(InputError, match="not the class names"):
        _ = run.class_names


def changed(section, name, value):
    return lambda settings: {**settings, section: {**settings[section], name: value}}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda settings: None, id="null"),
        pytest.param(lambda settings: [settings], id="list"),
        pytest.param(lambda settings: {**settings, "audio": None}, id="section_null"),
        pytest.param(lambda settings: {**settings, "audio": [1]}, id="section_list"),
        pytest.param(changed("audio", "n_mels", None), id="setting_null"),
        pytest.param(changed("audio", "n_mels", [64]), id="setting_list"),
        pytest.param(changed("audio", "n_mels", 10**9), id="huge_n_mels"),
        pytest.param(changed("audio", "sample_rate", 10**4000), id="huge_int"),
        pytest.param(changed("audio", "clip_seconds", 1e300), id="huge_seconds"),
        pytest.param(changed("audio", "hop_length", 10**30), id="huge_hop"),
        pytest.param(changed("audio", "f_min", float("nan")), id="nan"),
        pytest.param(changed("model", "width", 1e30), id="huge_width"),
        pytest.param(changed("train", "seed", 2**32), id="huge_seed"),
        pytest.param(changed("augment", "noise_snr_db", [-1e30, 1e30]), id="huge_snr"),
        pytest.param(changed("data", "data_dir", "a\0b"), id="zero_in_a_path"),
        pytest.param(changed("data", "data_dir", "\ud800"), id="surrogate_in_a_path"),
        pytest.param(changed("data", "folds", [[1]]), id="nested_list"),
    ],
)
def test_a_config_json_of_wrong_or_huge_values_is_refused_in_a_line(change, run):
    settings = change(json.loads(run.file("config.json").read_text()))
    run.file("config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"config\.json: ") as caught:
        _ = run.config
    assert len(str(caught.value)) < 500


@pytest.fixture
def trained(tone_run, tmp_path):
    """A copy of the run on the tones."""
    shutil.copytree(tone_run / "run", tmp_path / "run")
    return Run.open(tmp_path / "run")


def _cut(path):
    path.write_bytes(path.read_bytes()[:-5000])


def _with_other_weights(path):
    """A model file whose weights are no HDF5."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content[::-1] if name.endswith(".h5") else content)


def _of_two_classes(path):
    inputs = keras.Input(keras.models.load_model(path, compile=False).input_shape[1:])
    keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs))).save(path)


def _with_code(path):
    """A model file with a Lambda, which holds Python code."""
    inputs = keras.Input(keras.models.load_model(path, compile=False).input_shape[1:])
    keras.Model(inputs, keras.layers.Lambda(lambda x: x[:, :3, 0])(inputs)).save(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "not a model that can be loaded"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000)), "not a model that can be loaded"),
        (_with_other_weights, "not a model that can be loaded"),
        (_with_code, "not a model that can be loaded .*arbitrary code execution"),
        (_of_two_classes, "not this run's model, which takes .* and gives 3 classes"),
    ],
    ids=["cut", "no_zip", "no_weights", "code", "other_classes"],
)
def test_a_model_that_is_damaged_hostile_or_another_is_refused_in_a_line(damage, message, trained):
    damage(trained.file("model.keras"))
    with pytest.raises(InputError, match=rf"model\.keras: {message}") as caught:
        trained.load_model()
    assert "\n" not in str(caught.value)


@pytest.fixture
def moved(trained, tone_folder):
    """A run whose clips lay in /gone/tones and are now in tone_folder."""
    table = pd.read_csv(trained.file("clips.csv"))
    table["path"] = table.path.str.replace(str(tone_folder), "/gone/tones")
    table.to_csv(trained.file("clips.csv"), index=False)
    return trained


def test_clips_that_were_moved_are_said_in_a_line(moved):
    for name in ("evaluate", "export"):
        arguments = () if name == "evaluate" else (f"--out={moved.path}-out",)
        done = command(name, f"--run_dir={moved.path}", *arguments, cwd=moved.path.parent)
        assert done.returncode == 2
        assert "no such file" in done.stderr
        assert "--data_dir=FOLDER" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_a_run_whose_clips_were_moved_is_evaluated_resumed_and_exported_where_they_are_now(moved, tone_folder):
    before = json.loads(moved.file("metrics.json").read_text())
    where = (f"--run_dir={moved.path}", f"--data_dir={tone_folder}", f"--cache_dir={moved.path.parent / 'elsewhere'}")
    out = moved.path.parent / "out"
    for name, *more in (
        ("evaluate",),
        ("train", "--resume"),
        ("export", f"--out={out}", "--formats=float32", "--max_accuracy_drop=100"),
    ):
        done = command(name, *where, *more, cwd=moved.path.parent)
        assert done.returncode == 0, done.stderr
        assert json.loads(moved.file("metrics.json").read_text())["confusion"] == before["confusion"]
    assert (out / "urbansound_float32.tflite").is_file()


def test_a_data_dir_may_be_the_folder_of_the_clips_or_one_around_it(tone_folder, run):
    files = sorted(tone_folder.rglob("*.wav"))
    lay = [f"/gone/{tone_folder.name}/{file.relative_to(tone_folder)}" for file in files]
    CLIPS.loc[[0] * len(lay)].assign(path=lay).to_csv(run.file("clips.csv"), index=False)
    for folder in (tone_folder, tone_folder.parent):
        assert Run.open(run.path, {"data_dir": str(folder)}).clips.path.tolist() == list(map(str, files))
    with pytest.raises(InputError, match="the run's clips are not there"):
        _ = Run.open(run.path, {"data_dir": str(tone_folder / "low")}).clips


def test_a_clip_that_has_another_size_than_when_the_run_was_made_is_refused(tone_folder, tmp_path):
    shutil.copytree(tone_folder, tmp_path / "tones")
    run = run_of(tmp_path / "tones", tmp_path)
    assert clips_of(run, "test")[0].bytes.tolist() == [os.path.getsize(path) for path in clips_of(run, "test")[0].path]
    clip = clips_of(run, "test")[0].path[0]
    shutil.copyfile(clips_of(run, "test")[0].path[1], clip)
    with pytest.raises(InputError, match=rf"{clip}: has another size than when the run was made \(1 of \d+ clips have"):
        clips_of(run, "test")
    older = run.clips.drop(columns="bytes")  # of a version that kept no sizes
    older.to_csv(run.file("clips.csv"), index=False)
    assert len(clips_of(run, "test")[1]) == (older.split == "test").sum()


def test_settings_and_class_names_are_not_read_anew_for_each_clip(tone_folder, tmp_path, monkeypatch):
    run = run_of(tone_folder, tmp_path)
    read, original = [], run_module.read_text
    monkeypatch.setattr(run_module, "read_text", lambda path: (read.append(path), original(path))[1])
    clips_of(run, "train")
    assert len(read) == 1


def test_a_run_dir_that_is_taken_is_said_before_anything_is_decoded(tone_folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    done = command("train", "--dataset=folder", f"--data_dir={tone_folder}", "--run_dir=run", *TINY, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: run: this run directory is not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
