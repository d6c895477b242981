"""Catalogs of every kind of data set, and a line for every fault."""

import pandas as pd
import pytest

from urbansound.config import DataConfig
from urbansound.data import audio_files, catalog, datasets
from urbansound.data.datasets import csv, urbansound8k
from urbansound.errors import InputError
from urbansound.targets import MULTILABEL, SINGLE


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def lay_out(target, source, audio):
    """Put the official table `source` at `target`, with empty files for its clips; `audio(row)` is their path."""
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    for row in pd.read_csv(source).to_dict("records"):
        touch(target.parent.parent / "audio" / audio(row))


@pytest.fixture(scope="module")
def us8k(tmp_path_factory, shared_data):
    """UrbanSound8K as published, but for its clips, which are empty."""
    root = tmp_path_factory.mktemp("us8k")
    lay_out(
        root / "UrbanSound8K/metadata/UrbanSound8K.csv",
        shared_data / "us8k/UrbanSound8K.csv",
        lambda row: f"fold{row['fold']}/{row['slice_file_name']}",
    )
    return root


def small_us8k(root, rows):
    """A UrbanSound8K of (name, fsID, salience, fold, classID, class) rows, with empty clips."""
    columns = ["slice_file_name", "fsID", "salience", "fold", "classID", "class"]
    (root / "metadata").mkdir(parents=True)
    pd.DataFrame(rows, columns=columns).to_csv(root / "metadata" / "UrbanSound8K.csv", index=False)
    for row in rows:
        touch(root / "audio" / f"fold{row[3]}" / row[0])
    return root


def write_csv(tmp_path, text, clips="abcdef"):
    for name in clips:
        touch(tmp_path / f"{name}.wav")
    (tmp_path / "clips.csv").write_text(text)
    return tmp_path / "clips.csv"


def test_urbansound8k_as_published(us8k):
    found = datasets.load(DataConfig(dataset="urbansound8k", data_dir=str(us8k)))
    assert found.name == "urbansound8k"
    assert len(found.clips) == 8732
    assert found.class_names == (
        *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
        *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
    )
    assert tuple(found.clips) == catalog.COLUMNS
    assert found.clips.dtypes[["fold", "salience"]].astype(str).tolist() == ["int64", "Int64"]
    assert found.clips.salience.value_counts().to_dict() == {1: 5702, 2: 3030}
    assert found.clips.recording.nunique() == 1297
    first = found.clips.iloc[0]
    assert first.path == str(us8k / "UrbanSound8K" / "audio" / "fold5" / "100032-3-0-0.wav")
    assert (first.label, first.fold, first.recording) == ("dog_bark", 5, "100032")


def test_data_dir_may_be_the_data_set_itself_and_folds_chosen(us8k):
    found = urbansound8k.read(us8k / "UrbanSound8K", folds=(2, 10))
    assert found.clips.fold.value_counts().to_dict() == {2: 888, 10: 837}
    with pytest.raises(InputError, match="no fold 11; the folds are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"):
        urbansound8k.read(us8k, folds=(1, 11))


def test_a_chosen_fold_needs_no_audio_of_the_others(us8k, tmp_path):
    whole = us8k / "UrbanSound8K"
    (tmp_path / "metadata").symlink_to(whole / "metadata")
    (tmp_path / "audio").mkdir()
    for fold in (1, 2, 3, 4, 5, 6, 8, 9, 10):
        (tmp_path / "audio" / f"fold{fold}").symlink_to(whole / "audio" / f"fold{fold}")
    with pytest.raises(InputError, match=r"no such file .*100 or more of 8732 clips are missing.*--folds"):
        urbansound8k.read(tmp_path)
    assert len(urbansound8k.read(tmp_path, folds=(1, 2)).clips) == 1761


def test_esc50_and_esc10_as_published(tmp_path, shared_data):
    lay_out(tmp_path / "ESC-50-master/meta/esc50.csv", shared_data / "esc10/esc50.csv", lambda row: row["filename"])
    found = datasets.load(DataConfig(dataset="esc50", data_dir=str(tmp_path)))
    assert len(found.clips) == 2000
    assert len(found.class_names) == 50
    assert found.class_names[:3] == ("dog", "rooster", "pig")
    assert found.clips.salience.isna().all()
    ten = datasets.load(DataConfig(dataset="esc10", data_dir=str(tmp_path / "ESC-50-master")))
    assert ten.name == "esc10"
    assert ten.clips.label.value_counts().unique().tolist() == [40]
    assert ten.class_names == tuple(name for name in found.class_names if name in set(ten.clips.label))
    assert ten.clips.groupby("recording").fold.nunique().max() == 1


def test_csv_with_all_columns_beside_its_clips(tmp_path):
    path = write_csv(
        tmp_path,
        "\ufeffpath, label,fold,recording,salience\n"
        'a.wav,dog,1,r1,1\n\nb.wav,"cat, wild",1,r2,\nc.wav,dog,2,r3,2\nd.wav,"cat, wild",2,r4,1\n',
    )
    found = datasets.load(DataConfig(dataset="csv", csv=str(path), test_fold=2))
    assert found.class_names == ("cat, wild", "dog")
    assert found.clips.path.tolist() == [str(tmp_path / f"{name}.wav") for name in "abcd"]
    assert found.clips.recording.tolist() == ["r1", "r2", "r3", "r4"]
    assert found.clips.salience.isna().tolist() == [False, True, False, False]


def test_csv_with_paths_and_labels_alone(tmp_path):
    path = write_csv(tmp_path / "clips", "label,path\ndog,a.wav\nNA,b.wav\ndog,./c.wav\nNA,d.wav\n")
    moved = path.rename(tmp_path / "elsewhere.csv")
    found = csv.read(moved, data_dir=tmp_path / "clips")
    assert found.class_names == ("NA", "dog")
    assert found.clips.recording.tolist() == ["a.wav", "b.wav", "c.wav", "d.wav"]
    assert found.clips.groupby("label").fold.nunique().tolist() == [2, 2]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "misses the column 'path', 'label'; columns may be path, label, fold, recording, salience"),
        ("path,label\n", "no clips"),
        ("path;label\na.wav;dog\n", "misses the column 'path', 'label'"),
        ("path,label,speaker\na.wav,dog,1\n", "unknown column 'speaker'; columns may be path, label, fold"),
        ("path,label,label\na.wav,dog,1\n", "twice the column 'label'"),
        ("path,label\na.wav,dog\nb.wav\n", "row 3: 1 cells under 2 columns"),
        ("path,label\na.wav,dog\n\nb.wav,\n", "row 4: no label"),
        ("path,label\na.wav,dog\nb.wav,NaN\n", "row 3: no label"),
        ("path,label\n,dog\n", "row 2: no path"),
        ("path,label,recording\na.wav,dog,\n", "row 2: no recording"),
        (
            "path,label\na.wav,dog\nb.wav,cat\n./a.wav,cat\n",
            r"rows 2, 4: .*/a.wav and .*/a.wav are the same file, under the labels dog and cat",
        ),
        ("path,label\na.wav,dog\nb.wav,dog\n", "1 class found"),
        ("path,label\na.wav,dog\ngone.wav,cat\nlost.wav,cat\n", "gone.wav: no such file .*row 3; 2 of 3 clips"),
        ("path,label,fold\na.wav,dog,0\n", "row 2: fold must be a whole number from 1. Received: '0'"),
        ("path,label,fold\na.wav,dog,1\nb.wav,cat,1.5\n", "row 3: fold must be .* Received: '1.5'"),
        ("path,label,fold\na.wav,dog,\n", "row 2: fold must be .* Received: ''"),
        ("path,label,fold\na.wav,dog,²\n", "row 2: fold must be"),
        (f"path,label,fold\na.wav,dog,{'9' * 30}\n", "row 2: fold must be"),
        ("path,label,salience\na.wav,dog,3\n", "row 2: salience must be a whole number from 1 to 2"),
        (
            "path,label,fold,recording\na.wav,dog,1,r\nb.wav,cat,1,s\nc.wav,dog,2,r\n",
            r"recording 'r' is in fold 1 \(row 2\) and in fold 2 \(row 4\)",
        ),
    ],
)
def test_faulty_csv(tmp_path, text, fault):
    with pytest.raises(InputError, match=fault) as caught:
        datasets.load(DataConfig(dataset="csv", csv=str(write_csv(tmp_path, text))))
    assert "\n" not in str(caught.value)


def test_csv_of_several_labels_a_clip(tmp_path):
    path = write_csv(tmp_path, "path,labels\na.wav,dog ;cat\nb.wav,\nc.wav,dog\nd.wav,cat;dog;owl\n")
    found = csv.read(path)
    assert found.targets is MULTILABEL
    assert found.class_names == ("cat", "dog", "owl")
    assert found.clips.label.tolist() == ["cat;dog", "", "dog", "cat;dog;owl"]
    assert found.with_targets(MULTILABEL) is found
    with pytest.raises(InputError, match="pass --targets=multilabel"):
        found.with_targets(SINGLE)


def test_other_tables_give_a_clip_one_of_several_labels(tmp_path):
    found = csv.read(write_csv(tmp_path, "path,label\na.wav,dog\nb.wav,cat\n"))
    several = found.with_targets(MULTILABEL)
    assert (several.targets, several.class_names) == (MULTILABEL, ("cat", "dog"))
    assert several.clips.equals(found.clips)
    joined = csv.read(write_csv(tmp_path, "path,label\na.wav,dog;cat\nb.wav,cat\n"))
    with pytest.raises(InputError, match="class 'dog;cat' holds a ';'"):
        joined.with_targets(MULTILABEL)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("path,labels\na.wav,dog;;cat\n", "row 2: labels must be different names with ; between. Received: 'dog;;cat'"),
        ("path,labels\na.wav,cat;\n", "row 2: labels must be"),
        ("path,labels\na.wav,cat\nb.wav,dog;dog\n", "row 3: labels must be different names"),
        ("path,label,labels\na.wav,cat,dog\n", "unknown column 'label'"),
        ("path,labels\na.wav,\nb.wav,cat\n", "1 class found where two"),
        ("path,labels\n,cat\nb.wav,dog\n", "row 2: no path"),
        ("path,labels,fold\na.wav,cat;Cat,1\nb.wav,dog,1\n", "differ only in capitals"),
        ("path,labels,fold\na.wav,cat;dog,1\nb.wav,owl,2\n", "no fold 3"),
    ],
)
def test_faulty_csv_of_several_labels(tmp_path, text, fault):
    with pytest.raises(InputError, match=fault):
        csv.read(write_csv(tmp_path, text), folds=(3,) if "no fold" in fault else ())


@pytest.mark.parametrize(
    "names",
    [
        ("Caf\u00e9", "Cafe\u0301"),
        ("Dog", "dog"),
        ("STRASSE", "straße"),
        ("dog bark", "dog\u00a0bark"),
        ("dog", "dog\u200b"),
    ],
)
def test_labels_that_look_alike_are_refused_and_both_named(tmp_path, names):
    path = write_csv(tmp_path, f"path,label\na.wav,{names[0]}\nb.wav,{names[1]}\nc.wav,cat\n")
    first, second = sorted(names)
    with pytest.raises(InputError) as caught:
        csv.read(path)
    assert f"classes {first!a} and {second!a} differ only in capitals, spaces" in str(caught.value)


def test_a_no_break_space_in_a_label_is_text(tmp_path):
    path = write_csv(tmp_path, "path,label\na.wav,dog\u00a0bark\nb.wav,cat\n")
    assert csv.read(path).class_names == ("cat", "dog\u00a0bark")


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (
            [(0, "dog"), (1, "cat"), (0, "hound")],
            "classID 0 has class dog in row 2 and hound in row 4; give it one class",
        ),
        ([(0, "dog"), (1, "cat"), (2, "dog")], "class dog has classID 0 in row 2 and 2 in row 4; give it one classID"),
    ],
)
def test_a_class_number_with_two_names_is_refused(tmp_path, rows, fault):
    root = small_us8k(tmp_path, [(f"{n}.wav", n, 1, n + 1, *row) for n, row in enumerate(rows)])
    with pytest.raises(InputError, match=fault):
        urbansound8k.read(root)


def test_missing_files_are_counted_up_to_a_hundred(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(audio_files, "identity", asked.append)
    path = write_csv(tmp_path, "path,label\n" + "".join(f"{n}.mp3,{'ab'[n % 2]}\n" for n in range(1000)))
    with pytest.raises(InputError, match=r"/0.mp3: no such file .*row 2; 100 or more of 1000 clips are missing"):
        csv.read(path)
    assert len(asked) == 100
    assert len(csv.read(path, bad_clips="skip").clips) == 1000


def test_csv_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"gone.csv: can't be read \(No such file"):
        csv.read(tmp_path / "gone.csv")
    with pytest.raises(InputError, match="/dev/zero: not a file"):  # which has no end
        csv.read("/dev/zero")
    (tmp_path / "latin.csv").write_bytes("path,label\nä.wav,hund\n".encode("latin-1"))
    with pytest.raises(InputError, match="not CSV in UTF-8"):
        csv.read(tmp_path / "latin.csv")


def test_data_set_that_is_not_there_says_how_to_get_it(tmp_path):
    for name, dataset in (("urbansound8k", "urbansound8k"), ("esc50", "esc50"), ("esc10", "esc50")):
        with pytest.raises(
            InputError, match=f"python -m urbansound.download --dataset={dataset} --data_dir={tmp_path}"
        ):
            datasets.load(DataConfig(dataset=name, data_dir=str(tmp_path)))


def test_metadata_missing(tmp_path):
    (tmp_path / "UrbanSound8K" / "audio").mkdir(parents=True)
    with pytest.raises(InputError, match=r"metadata/UrbanSound8K.csv: no such file"):
        urbansound8k.read(tmp_path)


def test_class_that_the_chosen_folds_lack(tmp_path):
    rows = [("a.wav", 1, 1, 1, 0, "dog"), ("b.wav", 2, 1, 1, 1, "cat"), ("c.wav", 3, 2, 2, 0, "dog")]
    root = small_us8k(tmp_path, rows)
    assert urbansound8k.read(root).class_names == ("dog", "cat")
    with pytest.raises(InputError, match="folds 2: class 'cat' has no clip"):
        urbansound8k.read(root, folds=(2,))
