import io
import json

import numpy as np
import pandas as pd
import pytest

from urbansound.report import metrics
from urbansound.report.tables import headline, in_form, metrics_table, totals
from urbansound.text import columns

HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://x","y")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\ta",
    "a\rb",
    "a\nb",
    'a"b',
    "a,b",
    "\x1b[2J",
    "犬",
]

EXPECTED = """\
class  precision  recall     F1  average precision  clips
dog         66.7   100.0   80.0              100.0      2
siren      100.0    50.0   66.7              100.0      2
void           –       –      –                  –      0

accuracy      75.0 % (95 % interval 0.0 to 100.0, over 1 recording)
foreground    75.0 % (95 % interval 0.0 to 100.0, over 1 recording)
macro F1      73.3 %
macro AP      100.0 % (mean average precision)
calibration   32.5 points between confidence and accuracy (expected calibration error)
majority      50.0 % by always answering the most frequent class"""  # noqa: RUF001


def test_table_is_aligned():
    scores = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.6, 0.4, 0], [0.1, 0.8, 0.1]], np.float32)
    result = metrics.evaluate([0, 0, 1, 1], scores, ["r"] * 4, ["dog", "siren", "void"], [1] * 4)
    assert metrics_table(result) == EXPECTED


def test_headline_of_several_recordings():
    group = {"accuracy": 0.7134, "accuracy_interval": [0.66, 0.7621], "n_recordings": 64}
    assert headline(group) == "71.3 % (95 % interval 66.0 to 76.2, over 64 recordings)"


def test_an_empty_table_is_no_text():
    empty = pd.DataFrame({"path": [], "label": []})
    assert [in_form(empty, form).strip() for form in ("table", "csv", "jsonl")] == ["", "path,label", ""]


def test_long_labels_keep_to_100_columns():
    names = ["x" * 90, "y" * 41, "short", "z"]
    result = metrics.evaluate([0, 1, 2, 3], np.eye(4, dtype=np.float32), list("abcd"), names, [1, 1, 2, 2])
    lines = metrics_table(result).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith("x" * 39 + "…")


def test_members_of_an_ensemble_have_a_line_of_their_own():
    result = metrics.evaluate([0, 1], np.eye(2, dtype=np.float32), ["a", "b"], ["x", "y"])
    assert "members" not in totals(result)
    table = metrics_table(result | {"members": {"cnn": 0.634, "cepstrum": 0.552}})
    assert "\nmembers       cnn 63.4 %, cepstrum 55.2 %\n" in table


def test_wide_letters_are_aligned():
    names = ["犬の鳴き声", "siren"]
    lines = metrics_table(metrics.evaluate([0, 1], np.eye(2, dtype=np.float32), ["a", "b"], names)).splitlines()
    assert [columns(line) for line in lines[:3]] == [columns(lines[0])] * 3


def test_control_characters_of_labels_do_not_reach_the_terminal():
    result = metrics.evaluate([0, 1], np.eye(2, dtype=np.float32), ["a", "b"], ["\x1b[2J", "a\nb"])
    text = metrics_table(result)
    assert r"\x1b[2J" in text
    assert r"a\nb" in text
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_a_terminal_gets_escapes_in_every_form(form):
    table = pd.DataFrame(
        {"path": HOSTILE, "label": "\x9b1m", "score": 0.5, "place": [1, *["none"] * (len(HOSTILE) - 1)]}
    )
    text = in_form(table, form, on_terminal=True)
    assert len(text.splitlines()) == len(HOSTILE) + (form != "jsonl")
    assert text.replace("\n", "").isprintable()
    assert in_form(table, "table") == in_form(table, "table", on_terminal=True)


def test_names_like_formulas_read_back_equal_from_csv_and_jsonl():
    table = pd.DataFrame({"path": HOSTILE, "score": 0.5})
    again = pd.read_csv(io.StringIO(in_form(table, "csv")), keep_default_na=False, dtype={"path": str})
    assert again.path.tolist() == HOSTILE
    assert [json.loads(line)["path"] for line in in_form(table, "jsonl").splitlines()] == HOSTILE


def test_scores_read_back_equal_from_jsonl_and_what_is_missing_is_null():
    scores = np.array([1.2345678e-12, 1 / 3, np.nan], np.float32)
    rows = [json.loads(line) for line in in_form(pd.DataFrame({"score": scores, "n": 1}), "jsonl").splitlines()]
    assert [np.float32(row["score"]) for row in rows[:2]] == scores[:2].tolist()
    assert rows[2] == {"score": None, "n": 1}
