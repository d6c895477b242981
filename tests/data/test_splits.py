"""Folds and splits, on the official metadata tables where they are at hand and on small tables."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from urbansound.config import DataConfig
from urbansound.data import splits
from urbansound.data.catalog import Catalog
from urbansound.errors import InputError
from urbansound.targets import MULTILABEL

TABLES = {
    "urbansound8k": ("us8k/UrbanSound8K.csv", "slice_file_name", "class", "fsID"),
    "esc50": ("esc10/esc50.csv", "filename", "category", "src_file"),
}


@pytest.fixture
def official(shared_data):
    """Function of a data set's name that gives all its clips as published, audio at hand or not."""

    def read(name):
        file, path, label, recording = TABLES[name]
        rows = pd.read_csv(shared_data / file)
        clips = pd.DataFrame(
            {"path": rows[path], "label": rows[label], "fold": rows.fold, "recording": rows[recording]}
        )
        return Catalog(clips.astype({"recording": str}), tuple(sorted(set(clips.label))), name)

    return read


def small(rows):
    """A Catalog of (label, fold, recording) triples."""
    clips = pd.DataFrame(rows, columns=["label", "fold", "recording"])
    return Catalog(clips.assign(path=[f"{n}.wav" for n in clips.index]), tuple(sorted(set(clips.label))), "small")


def part(clips, name):
    return clips[clips.split == name]


def test_no_recording_is_on_two_sides_for_any_fold(official):
    for name, n_folds in (("urbansound8k", 10), ("esc50", 5)):
        catalog = official(name)
        for fold in range(1, n_folds + 1):
            for val_fold in (None, fold % n_folds + 1):
                clips = splits.split(catalog, DataConfig(test_fold=fold, val_fold=val_fold), seed=fold)
                used = clips[clips.split != "left out"]
                assert used.groupby("recording").split.nunique().max() == 1
                assert part(clips, "test").path.tolist() == catalog.clips.path[catalog.clips.fold == fold].tolist()
                if val_fold is not None:
                    assert set(part(clips, "validation").fold) == {val_fold}


def test_left_out_are_only_the_recordings_that_lie_in_two_folds(official):
    for name, expected in (
        ("urbansound8k", {"77751", "106905", "132016", "176638", "180937"}),
        ("esc50", {"131943", "134049", "209698", "234879"}),
    ):
        catalog = official(name)
        folds = range(1, catalog.clips.fold.max() + 1)
        left_out = [part(splits.split(catalog, DataConfig(test_fold=fold), 1), "left out") for fold in folds]
        assert set(pd.concat(left_out).recording) == expected
        # Never more than one percent of the training clips.
        assert max(map(len, left_out)) <= 0.01 * len(catalog.clips)


@pytest.mark.parametrize("fraction", [0.1, 0.15, 0.3])
def test_validation_holds_its_share_of_every_class(official, fraction):
    catalog = official("urbansound8k")
    for fold in (1, 4, 9):
        clips = splits.split(catalog, DataConfig(test_fold=fold, val_fraction=fraction), seed=7)
        rest = clips[clips.split.isin(["train", "validation"])]
        shares = (rest.split == "validation").groupby(rest.label).mean()
        # Half a small recording (a few clips of some 800) is the most that whole recordings miss by.
        assert (shares - fraction).abs().max() < 0.01
        assert rest[rest.split == "validation"].groupby("label").recording.nunique().min() >= 2


def test_without_validation_every_other_clip_trains(official):
    catalog = official("urbansound8k")
    clips = splits.split(catalog, DataConfig(test_fold=3, val_fraction=0.0), seed=1)
    assert "validation" not in set(clips.split)
    in_test = clips.recording.isin(clips.recording[clips.fold == 3])
    assert (clips.split[~in_test] == "train").all()


def test_same_seed_same_split_whatever_the_order_of_the_clips_another_seed_another(official):
    catalog = official("urbansound8k")
    first = splits.split(catalog, DataConfig(), seed=1)
    shuffled = Catalog(catalog.clips.sample(frac=1, random_state=0), catalog.class_names, "")
    again = splits.split(shuffled, DataConfig(), seed=1)
    assert again.set_index("path").split.sort_index().equals(first.set_index("path").split.sort_index())
    other = splits.split(catalog, DataConfig(), seed=2)
    assert set(part(other, "validation").recording) != set(part(first, "validation").recording)


def test_labels_of_the_test_fold_have_no_influence(official):
    catalog = official("urbansound8k")
    clips = catalog.clips.copy()
    in_test = clips.fold == 3  # a fold none of whose recordings lies elsewhere
    clips.loc[in_test, "label"] = "siren"
    config = DataConfig(test_fold=3)
    changed = splits.split(Catalog(clips, catalog.class_names, ""), config, seed=1)
    assert changed.split.equals(splits.split(catalog, config, seed=1).split)


def test_input_is_left_as_it_was():
    catalog = small([("a", 1, "1"), ("b", 1, "2"), ("a", 2, "3"), ("b", 2, "4"), ("a", 2, "5")])
    splits.split(catalog, DataConfig(), seed=1)
    assert "split" not in catalog.clips


def test_a_class_with_two_recordings_has_one_to_train_and_one_to_validate():
    big_and_small = [("a", 2, "big")] * 50 + [("a", 2, "small")] * 2
    clips = splits.split(small([("a", 1, "t"), ("b", 1, "u"), ("b", 2, "only"), *big_and_small]), DataConfig(), seed=3)
    assert set(part(clips, "validation").recording) == {"small"}
    assert set(part(clips, "train").recording) == {"big", "only"}


def test_recordings_of_several_classes_leave_each_class_something_to_train_on():
    rows = [("a", 1, "t"), ("b", 1, "t"), ("a", 2, "ab"), ("b", 2, "ab"), ("a", 2, "a"), ("b", 3, "b")]
    for seed in range(10):
        clips = splits.split(small(rows), DataConfig(), seed=seed)
        assert set(part(clips, "train").label) == {"a", "b"}
        assert set(part(clips, "validation").label) == {"a", "b"}


@pytest.mark.parametrize(
    ("rows", "settings", "text"),
    [
        ([("a", 1, "1"), ("b", 2, "2")], {"test_fold": 3}, "the folds are 1, 2: pass --test_fold=FOLD$"),
        (
            [("a", 1, "1"), ("b", 2, "2")],
            {"val_fold": 9},
            "val_fold=9 does not exist; the folds are 1, 2: pass --val_fold=FOLD or --val_fold=none",
        ),
        (
            [("a", 1, "1"), ("b", 2, "2")],
            {"test_fold": 10, "val_fold": 9},
            "test_fold=10 and val_fold=9 do not exist; .* pass --test_fold=FOLD and --val_fold=FOLD or --val_fold=none",
        ),
        (
            [("a", 1, "1"), ("a", 2, "2"), ("b", 1, "3")],
            {},
            "class 'b' has no training clip, since none of its 1 recordings is left for training; add recordings of it",
        ),
        ([("a", 1, "1"), ("b", 1, "2")], {}, "class 'a' has no training clip"),
        ([("a", 1, "1"), ("a", 2, "2"), ("b", 2, "3")], {}, "no clip is left to validate on"),
    ],
)
def test_what_cannot_be_split_is_said(rows, settings, text):
    with pytest.raises(InputError, match=text):
        splits.split(small(rows), DataConfig(**settings), seed=1)


def test_assigned_folds_keep_recordings_whole_and_classes_even(official):
    clips = official("urbansound8k").clips
    folds = splits.assign_folds(clips)
    assert folds.groupby(clips.recording).nunique().max() == 1
    counts = pd.crosstab(folds, clips.label)
    # Evenly to the smallest recordings: 20 % of each class, give or take one of its clips in a hundred.
    assert (counts / counts.sum() - 0.2).abs().to_numpy().max() < 0.01
    shuffled = clips.sample(frac=1, random_state=0)
    assert splits.assign_folds(shuffled).sort_index().equals(folds)


def test_thousands_of_labels_cost_no_square_of_memory():
    names = [str(n) for n in range(3000)]
    clips = pd.DataFrame({"label": names * 3, "recording": [f"{n} of {name}" for n in range(3) for name in names]})
    tracemalloc.start()
    clips["fold"] = splits.assign_folds(clips)
    split = splits.split(Catalog(clips, tuple(names), ""), DataConfig(), seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(part(split, "train").label) == set(names)
    assert peak < 30e6  # bytes; one float64 per recording and label would be 216 MB


def test_a_class_of_five_recordings_is_in_all_five_folds():
    clips = pd.DataFrame({"label": ["a"] * 5 + ["b"] * 50, "recording": [str(n) for n in range(55)]})
    assert pd.crosstab(splits.assign_folds(clips), clips.label).a.tolist() == [1] * 5
    assert splits.assign_folds(clips[:3]).max() == 3


def several(clips, seed=0):
    """Clips of two of six classes with random chances, some of none, two to four of a recording: (clips, targets)."""
    generator = np.random.default_rng(seed)
    chances = np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
    recording = np.repeat(np.arange(clips), generator.integers(2, 5, clips))[:clips]
    targets = generator.uniform(size=(clips, 6)) < 0.6 * chances
    targets |= (generator.uniform(size=(clips, 6)) < chances)[recording]  # clips of a recording have much in common
    labels = MULTILABEL.labels(targets, list("abcdef"))
    return pd.DataFrame({"label": labels, "recording": recording.astype(str), "path": range(clips)}), targets


def test_clips_of_several_classes_keep_recordings_whole_and_each_class_even():
    clips, targets = several(4000)
    assert (clips.label == "").sum() > 100
    folds = splits.assign_folds(clips, targets=MULTILABEL)
    assert folds.groupby(clips.recording).nunique().max() == 1
    columns = np.column_stack([targets, ~targets.any(axis=1)])  # those of none are spread too
    shares = np.array([columns[folds == fold].sum(axis=0) for fold in range(1, 6)]) / columns.sum(axis=0)
    assert np.abs(shares - 0.2).max() < 0.02
    catalog = Catalog(clips.assign(fold=folds), tuple("abcdef"), "", targets=MULTILABEL)
    split = splits.split(catalog, DataConfig(test_fold=2, val_fraction=0.2), seed=1)
    assert split.groupby("recording").split.nunique().max() == 1
    assert (part(split, "test").index == split.index[folds == 2]).all()
    of_others = columns[folds != 2].sum(axis=0)
    assert columns[split.split == "validation"].sum(axis=0) / of_others == pytest.approx(0.2, abs=0.03)


def test_a_random_split_of_several_classes_tests_a_tenth_of_each():
    clips, targets = several(4000, seed=1)
    catalog = Catalog(clips.assign(fold=1), tuple("abcdef"), "", targets=MULTILABEL)
    tested = []
    for number in (1, 2):
        config = DataConfig(split="random", test_fold=number, val_fold=None, val_fraction=0)
        split = splits.split(catalog, config, seed=3).split
        assert targets[split == "test"].sum(axis=0) / targets.sum(axis=0) == pytest.approx(0.1, abs=0.03)
        assert np.mean(split[~targets.any(axis=1)] == "test") == pytest.approx(0.1, abs=0.005)
        tested.append(set(split.index[split == "test"]))
    assert not tested[0] & tested[1]


def test_a_class_that_only_test_clips_have_is_said_of_several_too():
    clips = pd.DataFrame({"label": ["a;b", "a", "a"], "recording": list("xyz"), "fold": [1, 2, 2], "path": range(3)})
    with pytest.raises(InputError, match="class 'b' has no training clip"):
        splits.split(Catalog(clips, ("a", "b"), "", targets=MULTILABEL), DataConfig(val_fraction=0), seed=1)


def test_random_split_tests_a_tenth_of_each_class_whatever_the_recordings(official):
    catalog = official("urbansound8k")
    config = DataConfig(split="random", val_fold=None, val_fraction=0)
    clips = splits.split(catalog, config, seed=3)
    assert set(clips.split) == {"train", "test"}
    shares = part(clips, "test").label.value_counts() / clips.label.value_counts()
    assert shares.between(0.095, 0.105).all()
    assert part(clips, "test").recording.isin(part(clips, "train").recording).mean() > 0.9
    pd.testing.assert_frame_equal(clips, splits.split(catalog, config, seed=3))
    assert not clips.equals(splits.split(catalog, config, seed=4))


def test_parts_of_a_random_split_test_other_clips(official):
    catalog = official("urbansound8k")
    tested = []
    for number in range(1, 11):
        config = DataConfig(split="random", test_fold=number, val_fold=None, val_fraction=0)
        tested += part(splits.split(catalog, config, seed=3), "test").path.tolist()
    assert len(set(tested)) / len(tested) > 0.99  # where a class's clips are no multiple of ten, some are tested twice
    assert len(set(tested)) / len(catalog.clips) > 0.99
    with pytest.raises(InputError, match="a random split has parts 1 to 10"):
        splits.split(catalog, DataConfig(split="random", test_fold=11, val_fraction=0), seed=3)


def test_random_split_validates_on_nothing():
    with pytest.raises(InputError, match="validates on nothing"):
        DataConfig(split="random")
