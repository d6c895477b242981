"""Which runs may teach, and what a taught run keeps of them."""

import shutil

import keras
import pandas as pd
import pytest
from small_run import config_of, run_of

from urbansound.data.prepare import prepare
from urbansound.errors import InputError
from urbansound.experiments import ensemble, processes
from urbansound.run import Run
from urbansound.training import fit, teachers


@pytest.fixture(scope="module")
def teacher(tone_folder, tmp_path_factory):
    run = run_of(tone_folder, tmp_path_factory.mktemp("home"), "teacher", epochs=1)
    fit.train(run)
    return run


@pytest.fixture
def new(tone_folder, tmp_path):
    """A function of a teacher's path and settings that gives a new run."""

    def make(path, name="run", **settings):
        config = config_of(tone_folder, tmp_path, teacher=(str(path),), **settings)
        return teachers.new_run(tmp_path / name, config, *prepare(config))

    return make


def without_clips(run, tmp_path, **columns):
    """The Run of a copy of `run` whose clips are gone; `columns` of their table are others."""
    copy = Run(shutil.copytree(run.path, tmp_path / "copy", dirs_exist_ok=True))
    paths = [f"/gone/{n}.wav" for n in range(len(run.clips))]
    run.clips.assign(path=paths, **columns).to_csv(copy.file("clips.csv"), index=False)
    return copy


def shared(run, other, split, kinds):
    """How many clips of a run's split are of recordings that the other one has in `kinds`."""
    known = set(other.clips.recording[other.clips.split.isin(kinds)])
    return int(run.clips.recording[run.clips.split == split].isin(known).sum())


@pytest.mark.parametrize(
    ("settings", "split", "kinds"),
    [({"test_fold": 2}, "test", ("train", "validation")), ({"seed": 2}, "validation", ("train",))],
)
def test_a_run_that_was_trained_on_what_another_is_measured_on_may_not_teach_it(
    settings, split, kinds, teacher, new, tone_folder, tmp_path
):
    count = shared(run_of(tone_folder, tmp_path, "other", **settings), teacher, split, kinds)
    assert count > 0
    with pytest.raises(InputError, match=f"was trained on {count} {split} clips of this one, whose"):
        new(teacher.path, **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda config, names: (config, [*names[:2], "other"]), "it has other classes"),
        (lambda config, names: (config.with_settings(targets="multilabel"), names), "it has --targets=single"),
    ],
)
def test_a_run_of_other_classes_or_targets_may_not_teach(change, fault, teacher, tmp_path):
    config = teacher.config.with_settings(teacher=(str(teacher.path),))
    config, names = change(config, teacher.class_names)
    with pytest.raises(InputError, match=fault):
        teachers.new_run(tmp_path / "run", config, names, teacher.clips, [])


def test_of_a_folder_of_runs_the_first_that_may_teaches(teacher, new, tmp_path):
    folder = tmp_path / "folds"
    for name in ("fold_1", "fold_2"):
        shutil.copytree(teacher.path, folder / name)
    other = Run(folder / "fold_1")
    other.clips.assign(split="train").to_csv(other.file("clips.csv"), index=False)
    assert new(folder).teachers.run_dir.tolist() == [str(folder / "fold_2")]
    shutil.rmtree(folder / "fold_2")
    shutil.copytree(folder / "fold_1", folder / "fold_2")
    with pytest.raises(InputError, match=r"fold_1 \(the first of 2 runs\): can't teach this run: it was trained on"):
        new(folder, "another")


def test_a_run_that_is_being_made_is_none_of_a_folder(teacher, tmp_path):
    for name in ("fold_1", ".1.part.fold_2"):
        shutil.copytree(teacher.path, tmp_path / "folds" / name)
    assert teachers.runs_in(tmp_path / "folds") == [tmp_path / "folds/fold_1"]


def test_what_is_no_run_or_has_no_model_is_refused_before_a_run_is_made(new, tone_folder, tmp_path):
    with pytest.raises(InputError, match="not a run directory"):
        new(tmp_path / "absent")
    untrained = run_of(tone_folder, tmp_path, "untrained")
    with pytest.raises(InputError, match="no model yet, so it can't teach"):
        new(untrained.path)
    assert not (tmp_path / "run").exists()


def test_a_teacher_may_be_moved_but_not_changed(teacher, new, tmp_path):
    run = new(teacher.path)
    moved = shutil.copytree(teacher.path, tmp_path / "moved")
    again = Run.open(run.path, run.config.places({"teacher": (str(moved),)}))
    assert [one.path for one in teachers.of_run(again)] == [moved]
    (moved / "model.keras").write_bytes(b"other")
    with pytest.raises(InputError, match="not the teacher that"):
        teachers.of_run(again)


def test_a_run_without_a_teacher_has_none_and_gets_none(teacher):
    assert teachers.of_run(teacher) == []
    assert teacher.teachers is None
    assert teacher.config.places({"teacher": ("x",), "unlabelled_dir": "y"}) == {}


def test_whose_weights_a_teacher_starts_from_is_told_through_generations(teacher, new, tmp_path):
    first = new(teacher.path, "first")
    origin = "Google's YAMNet, trained on AudioSet"
    first.teachers.assign(origin=origin).to_csv(first.file("teachers.csv"), index=False)
    shutil.copy(teacher.file("model.keras"), first.file("model.keras"))
    second = new(first.path, "second")
    assert second.teachers.origin.tolist() == [origin]
    assert second.teachers.architectures.tolist() == ["cnn"]
    shutil.copy(teacher.file("model.keras"), second.file("model.keras"))
    for run in (first, second):
        history = pd.DataFrame({"stage": ["cnn"], "seconds": [1.0]})
        history.to_csv(run.file("history.csv"), index=False)
    members = [first, second]
    both = ensemble.combine(members, ensemble.settings_of(members), tmp_path / "both")
    assert teachers.origin(both) == origin


def test_copies_of_clips_are_known_by_their_bytes(teacher, new, tone_folder, tmp_path):
    copy, others = tmp_path / "copy", iter(range(100))
    for path in sorted(tone_folder.rglob("*.wav")):
        place = copy / path.parent.name / f"{next(others)}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    with pytest.raises(InputError, match=r"was trained on \d+ (test|validation) clips of this one"):
        new(teacher.path, data_dir=str(copy), test_fold=2)


def test_recordings_without_labels_are_none_that_the_run_is_measured_on(teacher, new, tmp_path):
    street = tmp_path / "street"
    street.mkdir()
    clips = teacher.clips
    shutil.copy(clips.path[clips.split == "train"].iloc[0], street / "a.wav")
    new(teacher.path, "first", unlabelled_dir=str(street))
    shutil.copy(clips.path[clips.split == "test"].iloc[0], street / "b.wav")
    with pytest.raises(InputError, match="street: holds 1 clips that this run is measured on"):
        new(teacher.path, "second", unlabelled_dir=str(street))


def test_a_teacher_whose_recordings_without_labels_are_gone_may_not_teach(teacher, new, tmp_path):
    street = tmp_path / "street"
    street.mkdir()
    shutil.copy(teacher.clips.path[teacher.clips.split == "train"].iloc[0], street / "a.wav")
    parent = new(teacher.path, "parent", unlabelled_dir=str(street))
    shutil.copy(teacher.file("model.keras"), parent.file("model.keras"))
    new(parent.path, "child")
    street.rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"1 files that it was trained on are gone, such as .*a.wav, so whether"):
        new(parent.path, "another")


def test_a_teacher_whose_clips_are_gone_may_teach_only_where_names_of_recordings_tell(teacher, new, tmp_path):
    copy = without_clips(teacher, tmp_path)
    new(copy.path, "same_recordings")
    copy = without_clips(teacher, tmp_path, recording="other")
    with pytest.raises(InputError, match=r"files that it was trained on are gone, such as /gone/\d+.wav"):
        new(copy.path, "other_recordings")


def test_of_a_random_split_names_of_recordings_tell_nothing(teacher, new, tmp_path):
    copy = without_clips(teacher, tmp_path)
    with pytest.raises(InputError, match="files that it was trained on are gone"):
        new(copy.path, split="random", val_fraction=0.0)


def test_a_run_goes_on_though_what_its_teacher_was_trained_on_is_gone(teacher, new, tmp_path):
    copy = Run(shutil.copytree(teacher.path, tmp_path / "copy"))
    run = new(copy.path)
    without_clips(teacher, tmp_path, recording="other")
    assert [one.path for one in teachers.of_run(run)] == [copy.path]


def test_of_a_folder_of_runs_the_one_that_taught_is_found_again(teacher, new, tmp_path):
    shutil.copytree(teacher.path, tmp_path / "folds/fold_2")
    run = new(tmp_path / "folds")
    first = Run(shutil.copytree(teacher.path, tmp_path / "folds/fold_1"))
    first.file("model.keras").write_bytes(b"other")
    assert [one.path.name for one in teachers.of_run(run)] == ["fold_2"]


def test_a_network_without_a_dense_layer_may_not_teach(teacher, new, tmp_path):
    copy = Run(shutil.copytree(teacher.path, tmp_path / "copy"))
    log_mel = keras.Input(copy.load_model().input_shape[1:])
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(len(copy.class_names), 1)(log_mel))
    keras.Model(log_mel, keras.layers.Softmax()(x), name="toy").save(copy.file("model.keras"))
    with pytest.raises(InputError, match="toy: no Dense layer makes its scores, so it can't teach or be taught"):
        new(copy.path)
    assert not (tmp_path / "run").exists()


def test_what_teachers_and_theirs_learned_from_is_told_through_generations(teacher, new):
    first = new(teacher.path, "first")
    first.teachers.assign(data_sets="urbansound8k;esc50").to_csv(first.file("teachers.csv"), index=False)
    shutil.copy(teacher.file("model.keras"), first.file("model.keras"))
    assert new(first.path, "second").teachers.data_sets.tolist() == ["folder;urbansound8k;esc50"]
    first.teachers.drop(columns="data_sets").to_csv(first.file("teachers.csv"), index=False)
    assert teachers.data_sets(first) == ["folder"]  # a run of before


def test_a_run_may_not_be_taught_by_what_its_teachers_teacher_was_trained_on(teacher, new, tmp_path):
    grandparent = Run(shutil.copytree(teacher.path, tmp_path / "grandparent"))
    parent = new(grandparent.path, "parent")
    shutil.copy(teacher.file("model.keras"), parent.file("model.keras"))
    new(parent.path, "child")
    grandparent.clips.assign(split="train").to_csv(grandparent.file("clips.csv"), index=False)
    with pytest.raises(InputError, match="parent: can't teach this run: it was trained on"):
        new(parent.path, "second")
    shutil.rmtree(grandparent.path)
    with pytest.raises(InputError, match=r"its own teacher, .*grandparent, is gone or another"):
        new(parent.path, "third")


def test_a_run_may_not_be_taught_by_one_that_learned_its_test_clips_without_labels(teacher, new, tmp_path):
    street = tmp_path / "street"
    street.mkdir()
    clips = teacher.clips
    parent = new(teacher.path, "parent")
    shutil.copy(teacher.file("model.keras"), parent.file("model.keras"))
    shutil.copy(clips.path[clips.split == "test"].iloc[0], street / "a.wav")
    parent.file("unlabelled.csv").write_text(f"folder,path,bytes\n{street},a.wav,1\n")
    with pytest.raises(InputError, match="it was trained on 1 test clips of this one"):
        new(parent.path, "child")


def test_a_teacher_is_found_from_another_folder(teacher, new, tmp_path, monkeypatch):
    monkeypatch.chdir(teacher.path.parent)
    run = new(teacher.path.name)
    monkeypatch.chdir(tmp_path)
    assert [one.path for one in teachers.of_run(run)] == [teacher.path]


def test_a_teacher_that_is_named_twice_is_refused(teacher, new, tone_folder, tmp_path):
    config = config_of(tone_folder, tmp_path, teacher=(str(teacher.path), f"{teacher.path}/"))
    with pytest.raises(InputError, match=r"names .* twice; name it once"):
        teachers.new_run(tmp_path / "run", config, *prepare(config))


def test_a_trained_run_needs_its_teacher_no_more(teacher, new, tmp_path):
    moved = shutil.copytree(teacher.path, tmp_path / "moved")
    run = new(moved, epochs=1)
    fit.train(run)
    shutil.rmtree(moved)
    fit.train(run)


def test_a_run_goes_on_with_as_many_teachers_as_it_was_begun_with(teacher, new):
    run = new(teacher.path)
    with pytest.raises(InputError, match="was begun with other teachers than the 2 named"):
        teachers.of_run(Run.open(run.path, {"teacher": (str(teacher.path), str(teacher.path))}))
    run.file("teachers.csv").unlink()
    with pytest.raises(InputError, match="was begun with other teachers than the 1 named"):
        teachers.of_run(run)


def test_a_worker_is_told_of_moved_teachers_as_a_person_would_say_it():
    run = Run("run", {"teacher": ("a", "b c"), "data_dir": "d"})
    assert processes._arguments(run, True)[2:] == ["--teacher=a,b c", "--data_dir=d"]
