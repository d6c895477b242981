import numpy as np
import pandas as pd
import pytest

from urbansound.errors import InputError
from urbansound.files import read_csv, write_csv
from urbansound.report import metrics
from urbansound.report.predictions import mistakes_title, predictions_table, worst_mistakes

NAMES = ["dog", "siren", "drill"]
SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.4, 0.2, 0.4], [0.9, 0.06, 0.04]], np.float32)


@pytest.fixture
def clips():
    return pd.DataFrame(
        {
            "path": ["a.wav", "b.wav", "c.wav", "d.wav"],
            "label": ["dog", "siren", "drill", "siren"],
            "fold": 1,
            "recording": ["r1", "r1", "r2", "r3"],
            "salience": pd.array([1, 2, None, 1], dtype="Int64"),
        },
        index=[7, 3, 9, 1],  # rows picked out of a larger table
    )


def test_rows_hold_the_highest_scores_in_order(clips):
    table = predictions_table(clips, SCORES, NAMES)
    assert list(table["predicted"]) == ["dog", "drill", "dog", "dog"]
    assert list(table["correct"]) == [True, False, False, False]
    assert list(table["second"]) == ["siren", "siren", "drill", "siren"]
    assert list(table["third"]) == ["drill", "dog", "siren", "drill"]
    assert table["score"].dtype == np.float32
    assert list(table["second_score"]) == [np.float32(x) for x in (0.2, 0.3, 0.4, 0.06)]


def test_two_classes_have_no_third(clips):
    clips["label"] = "dog"
    assert "third" not in predictions_table(clips, SCORES[:, :2], NAMES[:2])


def test_figures_can_be_computed_again_from_the_file(clips, tmp_path):
    predictions_table(clips, SCORES, NAMES).to_csv(tmp_path / "predictions.csv", index=False)
    table = pd.read_csv(tmp_path / "predictions.csv", dtype={"salience": "Int64"})
    scores = table[[f"score_{name}" for name in NAMES]].to_numpy(np.float32)
    np.testing.assert_array_equal(scores, SCORES)
    again = metrics.evaluate(table["label"].map(NAMES.index), scores, table["recording"], NAMES, table["salience"])
    assert again == metrics.evaluate([0, 1, 2, 1], SCORES, clips["recording"], NAMES, clips["salience"])


@pytest.mark.parametrize("odd", ["None", "NA", "null", "N/A", "nan", "NaN", "", "1", "01", "1e5", "True", "a,b", '"'])
def test_names_that_look_like_missing_values_or_numbers_are_read_back_as_they_are(clips, tmp_path, odd):
    names = [odd, "siren", "drill"]
    clips = clips.assign(label=[odd, "siren", "drill", odd], recording=odd, path=odd)
    table = predictions_table(clips, SCORES, names)
    write_csv(tmp_path / "predictions.csv", table)
    again = read_csv(tmp_path / "predictions.csv")
    for name in ("path", "label", "recording", "predicted", "second", "third"):
        assert again[name].tolist() == table[name].tolist()
    assert again.salience.equals(table.salience)
    np.testing.assert_array_equal(again[[f"score_{name}" for name in names]].to_numpy(np.float32), SCORES)


def test_numbers_may_be_missing(tmp_path):
    write_csv(tmp_path / "history.csv", pd.DataFrame({"stage": ["null"], "loss": [0.5], "val_loss": [None]}))
    again = read_csv(tmp_path / "history.csv")
    assert (again.stage[0], again.loss[0]) == ("null", 0.5)
    assert np.isnan(again.val_loss[0])


def test_surest_mistakes_come_first_then_least_sure_hits(clips):
    table = predictions_table(clips, SCORES, NAMES)
    assert list(worst_mistakes(table, 10)["path"]) == ["d.wav", "b.wav", "c.wav", "a.wav"]
    assert list(worst_mistakes(table, 2)["path"]) == ["d.wav", "b.wav"]


@pytest.mark.parametrize(
    ("rows", "title"),
    [([0, 0], "worst mistakes"), ([0, 1], "worst mistakes and the least sure right answers"),
     ([1], "least sure right answers")],
)  # fmt: skip
def test_the_title_of_mistakes_names_right_answers_among_them(rows, title):
    assert mistakes_title(pd.DataFrame({"correct": rows})) == title


def test_scores_of_another_shape_are_refused(clips):
    with pytest.raises(InputError, match="scores must be"):
        predictions_table(clips, SCORES[:2], NAMES)


def test_names_like_formulas_and_line_ends_read_back_equal_from_the_file(clips, tmp_path):
    names = ["=1+1", "@SUM(1)", 'a"b,\r\nc']
    clips = clips.assign(path=["=cmd|'/C calc'!A0", "-1", "a\rb.wav", "a\nb.wav"], label=["=1+1", *names])
    table = predictions_table(clips, SCORES, names)
    write_csv(tmp_path / "predictions.csv", table)
    again = pd.read_csv(tmp_path / "predictions.csv", keep_default_na=False, na_values={"salience": [""]})
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
