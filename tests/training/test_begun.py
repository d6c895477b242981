"""Runs that were begun go on with the clips and teachers of their beginning, wherever these lie now."""

import os
import shutil

import pytest
from small_run import config_of, make_model

from running import command
from urbansound.data.prepare import prepare
from urbansound.errors import InputError
from urbansound.experiments import folds
from urbansound.run import Run
from urbansound.training import begun, teachers


@pytest.fixture
def clips(tone_folder, tmp_path):
    return shutil.copytree(tone_folder, tmp_path / "clips")


@pytest.fixture
def crossval(clips, tmp_path, monkeypatch):
    """A function of a name, test folds and settings: a cross-validation that trains nothing; the paths of its runs."""
    monkeypatch.setattr(folds, "_finish", lambda path, runs, protocol, jobs: [run.path for run in runs.values()])

    def cross_validate(name, test_folds, **settings):
        config = config_of(settings.pop("data_dir", clips), tmp_path, **settings)
        return folds.cross_validate(tmp_path / name, config, "fixed_epochs", test_folds)

    return cross_validate


@pytest.fixture
def taught(crossval, tmp_path):
    """Two folders of teachers, and S, a cross-validation whose first fold is taught by the first of them."""
    for name in ("TA", "TB"):
        for path in crossval(name, [1, 2]):
            make_model(Run(path))
    crossval("S", [1], teacher=(str(tmp_path / "TA"),))
    return tmp_path / "TA", tmp_path / "TB"


def finish(path):
    (path / "model.keras").write_text("trained")


def altered(clips, copy):
    """A copy of a folder of clips, one of them of another size."""
    shutil.copytree(clips, copy)
    with open(min(copy.rglob("*.wav")), "ab") as file:
        file.write(bytes(2))
    return copy


@pytest.mark.parametrize("test_folds", [[1], [1, 2], [2]])
def test_another_teacher_is_refused_on_a_cross_validation(test_folds, taught, crossval, tmp_path):
    finish(tmp_path / "S/fold_1")
    with pytest.raises(InputError, match=r"TB: not the teacher that .*S/fold_1 was begun with, which was .*TA/fold_1"):
        crossval("S", test_folds, teacher=(str(taught[1]),))
    assert not (tmp_path / "S/fold_2").exists()


def test_a_fold_whose_teacher_was_trained_again_is_not_joined_by_another(taught, crossval, tmp_path):
    make_model(Run(taught[0] / "fold_1"))
    with pytest.raises(InputError, match="TA: not the teacher that"):
        crossval("S", [1, 2], teacher=(str(taught[0]),))
    assert not (tmp_path / "S/fold_2").exists()


def test_a_cross_validation_goes_on_with_a_moved_teacher_and_ends_without_one(taught, crossval, tmp_path):
    moved = shutil.move(taught[0], tmp_path / "moved")
    paths = crossval("S", [1, 2], teacher=(str(moved),))
    assert Run(paths[1]).teachers.run_dir.tolist() == [str(moved / "fold_2")]
    shutil.rmtree(moved)
    for path in paths:
        finish(path)
    assert crossval("S", [1], teacher=(str(taught[0]),)) == paths[:1]
    with pytest.raises(InputError, match="nowhere: not the teacher that"):
        crossval("S", [1], teacher=("nowhere",))


def test_a_trained_fold_needs_its_teacher_no_more_though_those_of_others_are_there(taught, crossval, tmp_path):
    path = tmp_path / "S/fold_1"
    finish(path)
    shutil.rmtree(taught[0] / "fold_1")
    assert crossval("S", [1], teacher=(str(taught[0]),)) == [path]


def test_what_else_lies_in_the_folder_of_a_cross_validation_is_left_alone(crossval, tmp_path):
    (path,) = crossval("S", [1])
    for name, content in (("other", "{}"), ("search", '{"a": 1}')):
        (tmp_path / "S" / name).mkdir()
        (tmp_path / "S" / name / "config.json").write_text(content)
    assert crossval("S", [1]) == [path]


def test_other_clips_are_refused_on_a_cross_validation(clips, crossval, tmp_path):
    (path,) = crossval("S", [1])
    finish(path)
    moved = shutil.copytree(clips, tmp_path / "moved")
    assert crossval("S", [1], data_dir=moved) == [path]
    with pytest.raises(InputError, match="has another size than when the run was made"):
        crossval("S", [1], data_dir=altered(clips, tmp_path / "other"))


def test_a_fold_is_not_joined_by_one_of_more_clips(clips, crossval, tmp_path):
    crossval("S", [1])
    new = altered(clips, tmp_path / "other")
    shutil.copy(min(new.rglob("*.wav")), clips / "low/new.wav")
    assert crossval("S", [1])  # its own clips are there
    with pytest.raises(InputError, match=r"S/fold_1 was begun with other clips: \d+ were added"):
        crossval("S", [1, 2])
    assert not (tmp_path / "S/fold_2").exists()


def test_a_finished_run_is_resumed_with_its_own_teacher_and_clips_only(taught, clips, tmp_path):
    finish(tmp_path / "S/fold_1")

    def resumed(*arguments):
        done = command("train", "--resume", "--noevaluate", "--run_dir=S/fold_1", *arguments, cwd=tmp_path)
        return done.returncode, done.stderr

    assert resumed() == (0, "")
    code, errors = resumed("--teacher=TB")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "error: TB: not the teacher that S/fold_1 was begun with" in errors
    code, errors = resumed(f"--data_dir={altered(clips, tmp_path / 'other')}")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "has another size than when the run was made" in errors
    os.rename(taught[0], tmp_path / "moved")
    assert resumed("--teacher=moved") == (0, "")
    shutil.rmtree(tmp_path / "moved")
    assert resumed() == (0, "")


def test_recordings_without_labels_may_be_moved_but_not_changed(taught, clips, tmp_path):
    street = tmp_path / "street"
    street.mkdir()
    (street / "a.wav").write_bytes(max(clips.rglob("*.wav")).read_bytes() + bytes(2))
    config = config_of(clips, tmp_path, val_fraction=0.0, teacher=(str(taught[0]),), unlabelled_dir=str(street))
    run = teachers.new_run(tmp_path / "run", config, *prepare(config))
    moved = street.rename(tmp_path / "moved")
    assert begun.reopened(run.path, {"unlabelled_dir": str(moved)}).places == {"unlabelled_dir": str(moved)}
    (moved / "a.wav").write_bytes(b"other")
    with pytest.raises(InputError, match=r"a.wav: gone, or of another size"):
        begun.reopened(run.path, {"unlabelled_dir": str(moved)})
