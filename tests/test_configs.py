"""Every shipped flag file trains one tiny epoch on a data set of its kind."""

import csv
import functools

import numpy as np
import pytest
import soundfile

from running import ROOT, command
from urbansound.data.synthetic import dataset
from urbansound.run import Run

CONFIGS = sorted((ROOT / "configs").glob("*.flags"))
CLASSES = ("dog", "rain")
# Laid over each file's own settings: seconds instead of minutes, everything else as shipped.
TINY = (
    "--epochs=1",
    "--width=0.25",
    "--batch_size=4",
    "--hop_length=2048",
    "--test_fold=1",
    "--bad_clips=fail",
    "--noevaluate",  # which takes from the settings nothing that training does not
    "--yamnet_weights=none",
    "--vggish_checkpoint=none",
    "--resnet_weights=none",
)


def write_clips(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        samples = np.random.default_rng(list(f"{folder.name}/{name}".encode())).normal(0, 0.1, 11_025)
        soundfile.write(folder / name, samples, 22_050)


def write_table(path, header, rows):
    path.parent.mkdir(parents=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def lay_out_urbansound8k(home):
    header = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    rows = [
        [f"{fold}{k}-{k % 2}-0-0.wav", f"{fold}{k}", 0, 0.5, 1 + k % 2, fold, k % 2, CLASSES[k % 2]]
        for fold in range(1, 11)
        for k in range(4)
    ]
    for fold in range(1, 11):
        write_clips(home / "data/UrbanSound8K/audio" / f"fold{fold}", [row[0] for row in rows if row[5] == fold])
    write_table(home / "data/UrbanSound8K/metadata/UrbanSound8K.csv", header, rows)


def lay_out_esc(home):
    header = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    rows = [
        [f"{fold}-{k}-A-{k % 2}.wav", fold, k % 2, CLASSES[k % 2], True, f"{fold}{k}", "A"]
        for fold in range(1, 6)
        for k in range(4)
    ]
    write_clips(home / "data/ESC-50/audio", [row[0] for row in rows])
    write_table(home / "data/ESC-50/meta/esc50.csv", header, rows)


def lay_out_folder(home):
    for name in CLASSES:
        write_clips(home / "data/clips" / name, [f"{i}.wav" for i in range(10)])


LAYOUTS = {
    "urbansound8k": lay_out_urbansound8k,
    "esc50": lay_out_esc,
    "esc10": lay_out_esc,
    "folder": lay_out_folder,
    "synthetic": lambda home: None,
}


def dataset_of(config):
    """What --dataset a flag file sets, or the one that it starts from."""
    lines = [line[2:].partition("=") for line in config.read_text().splitlines() if line.startswith("--")]
    settings = {name: value for name, _, value in lines}
    if "dataset" in settings or "flagfile" not in settings:
        return settings["dataset"]
    return dataset_of(ROOT / settings["flagfile"])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_one_tiny_epoch(config, tmp_path, monkeypatch):
    # Each class once in every fold, instead of eight times.
    monkeypatch.setattr(dataset, "ensure", functools.partial(dataset.ensure, recordings_per_class=dataset.FOLDS))
    (tmp_path / "configs").symlink_to(ROOT / "configs")  # nested flag files are found from where the command runs
    LAYOUTS[dataset_of(config)](tmp_path)
    for line in config.read_text().splitlines():
        if line.startswith("# python -m urbansound.train") and "--run_dir=" in line:  # a teacher, trained before
            teacher = command("train", *line.split()[4:], *TINY, cwd=tmp_path)
            assert teacher.returncode == 0, teacher.stderr
    done = command("train", f"--flagfile=configs/{config.name}", "--run_dir=run", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run.open(tmp_path / "run")
    assert run.history.groupby("stage").epoch.max().tolist() == [1] * run.history.stage.nunique()
    assert run.load_model().output_shape == (None, len(run.class_names))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_recipe_opens_with_its_command(config):
    lines = config.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert any(line.startswith("# python -m urbansound.train") for line in lines)
