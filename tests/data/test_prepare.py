"""Preparation: what is wrong with the settings or the clips is said before anything is decoded or trained."""

import dataclasses
import os
import shutil

import pytest
from small_run import config_of, run_of

from urbansound.config import Config, DataConfig
from urbansound.data import datasets, prepare
from urbansound.errors import InputError


@pytest.fixture
def tones(tone_folder, tmp_path):
    """A copy of the tone folder that a test may change."""
    return shutil.copytree(tone_folder, tmp_path / "tones")


def table_of(tones, **columns):
    """A table of all clips; each of `columns` is a function of (label, place in the label)."""
    rows = [",".join(["path", "label", *columns])]
    for folder in sorted(tones.iterdir()):
        for place, path in enumerate(sorted(folder.iterdir())):
            cells = [str(column(folder.name, place)) for column in columns.values()]
            rows.append(",".join([f"{folder.name}/{path.name}", folder.name, *cells]))
    (tones / "clips.csv").write_text("\n".join(rows) + "\n")
    return {"dataset": "csv", "csv": str(tones / "clips.csv")}


def test_a_fold_that_is_not_there_is_named_before_decoding(tmp_path):
    rows = ["path,label,fold"]
    for name, fold in (("a.wav", 2), ("b.wav", 3)):
        (tmp_path / name).write_bytes(b"no sound")
        rows.append(f"{name},{name[0]},{fold}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    data = DataConfig(dataset="csv", csv=str(tmp_path / "clips.csv"), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(InputError, match="test_fold=1 does not exist; the folds are 2, 3"):
        prepare.prepare(Config(data=data))
    assert not (tmp_path / "cache").exists()


def test_skipping_bad_clips_skips_and_lists_those_that_are_missing_or_not_named_in_utf_8(tones, tmp_path):
    settings = table_of(tones)
    (tones / "high" / "high03.wav").unlink()
    (tones / "low" / "low04.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"high03.wav: no such file .*row 5; 1 of 45 clips are missing.*--bad_clips"):
        prepare.prepare(config_of(tones, tmp_path, **settings))
    run = run_of(tones, tmp_path, bad_clips="skip", **settings)
    assert [os.path.basename(path) for path in run.skipped.path] == ["high03.wav", "low04.wav"]
    assert run.skipped.fault[0] == "no such file"
    assert len(run.clips) == 43


def test_clips_that_the_program_made_are_made_again_where_the_cache_was_deleted(tones, tmp_path, monkeypatch):
    run = run_of(tones, tmp_path)
    shutil.move(tones, tmp_path / "gone")
    with pytest.raises(InputError, match="no such file"):
        prepare.cache_entries(run.clips, run.config)
    run = dataclasses.replace(run, places={"cache_dir": str(tmp_path)})  # where the clips lay
    made_up = dataclasses.replace(datasets.dataset("folder"), made_up=True)
    monkeypatch.setattr(datasets, "dataset", lambda _: made_up)
    monkeypatch.setattr(datasets, "load", lambda _: shutil.move(tmp_path / "gone", tones))
    assert len(prepare.cache_entries(run.clips, run.config)) == len(run.clips)


def test_clips_whose_path_is_not_utf_8_are_bad_clips(tones, tmp_path):
    os.rename(tones / "high" / "high05.wav", os.fsencode(tones / "high") + b"/h\xe9.wav")
    os.mkdir(os.fsencode(tones / "low") + b"/\xff")
    shutil.copyfile(tones / "high" / "high06.wav", os.fsencode(tones / "low") + b"/\xff/a.wav")
    with pytest.raises(
        InputError, match=r"h\\xe9.wav: its path is not UTF-8; remove it or pass --bad_clips=skip \(1 more"
    ):
        prepare.prepare(config_of(tones, tmp_path))
    run = run_of(tones, tmp_path, bad_clips="skip")
    assert run.skipped.path.tolist() == [rf"{tones}/high/h\xe9.wav", rf"{tones}/low/\xff/a.wav"]
    assert len(run.clips) == 44


def test_clips_that_are_all_broken_are_said_to_be(tones, tmp_path):
    for path in tones.glob("*/*"):
        path.write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"none of the 45 clips can be decoded; the first: .*high00.wav: no"):
        prepare.prepare(config_of(tones, tmp_path, bad_clips="skip"))


def test_the_same_bytes_under_two_labels_are_refused(tones, tmp_path):
    shutil.copyfile(tones / "high" / "high00.wav", tones / "low" / "copy.wav")
    shutil.copyfile(tones / "high" / "high01.wav", tones / "low" / "other.wav")
    for settings in ({}, {"split": "random", "val_fraction": 0}):
        with pytest.raises(
            InputError, match=r"high00.wav and .*low/copy.wav hold the same bytes, as label high and low; remove one"
        ):
            prepare.prepare(config_of(tones, tmp_path, **settings))


def test_the_same_bytes_in_training_and_in_test_are_refused(tones, tmp_path):
    shutil.copyfile(tones / "high" / "high00.wav", tones / "high" / "high05.wav")
    folds = {"fold": lambda label, place: place % 5 // 4 + 1, "recording": lambda label, place: f"{label}{place}"}
    settings = {"val_fraction": 0.0, **table_of(tones, **folds)}
    _, clips, _ = prepare.prepare(config_of(tones, tmp_path, test_fold=2, **settings))  # both in training
    assert len(clips) == 45
    shutil.copyfile(tones / "high" / "high00.wav", tones / "high" / "high04.wav")
    with pytest.raises(
        InputError, match=r"high00.wav and .*high04.wav hold the same bytes, as split train and test; remove one, or"
    ):
        prepare.prepare(config_of(tones, tmp_path, test_fold=2, **settings))
    # A random split flatters in any case, and says so.
    prepare.prepare(config_of(tones, tmp_path, split="random", **settings))


def test_clips_of_which_nobody_says_that_they_are_of_one_recording_are_said_to_be_alone(tones, tmp_path, capsys):
    settings = table_of(tones, fold=lambda label, place: place % 5 + 1)
    prepare.say_if_alone(prepare.prepare(config_of(tones, tmp_path, **settings))[1])
    assert prepare.ALONE in capsys.readouterr().err
    (tones / "clips.csv").unlink()
    settings = table_of(tones, recording=lambda label, place: f"{label}{place // 2}")
    prepare.say_if_alone(prepare.prepare(config_of(tones, tmp_path, **settings))[1])
    assert prepare.ALONE not in capsys.readouterr().err


def test_what_is_passed_over_is_counted_on_stderr(tones, tmp_path, capsys):
    (tones / "low" / "notes.txt").touch()
    (tones / ".DS_Store").touch()
    prepare.prepare(config_of(tones, tmp_path))
    assert f"{tones}: passed over: 1 .txt, 1 hidden\n" in capsys.readouterr().err
