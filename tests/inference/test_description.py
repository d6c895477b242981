"""What an exported model says of itself is read back equal, or refused."""

import dataclasses
import json

import pytest

from urbansound.config import AudioConfig
from urbansound.errors import InputError
from urbansound.inference.description import BELIEF, LABELS, NAME, Description

NAMES = ("Straße", "rain")
OF_CLASSES = {"classes": dict.fromkeys(NAMES, 0.5), "weights": dict.fromkeys(NAMES, 1)}
THRESHOLDS = {"temperature": 0.8, "none": 0.3, "bias": 0.1, **OF_CLASSES}
PLAIN = Description(AudioConfig(sample_rate=8000, f_max=3000.0), "zeros", NAMES)
DESCRIBED = dataclasses.replace(PLAIN, thresholds=THRESHOLDS)


@pytest.mark.parametrize("described", [PLAIN, DESCRIBED])
def test_a_description_is_read_back_equal(described):
    files = described.files()
    assert Description.read(files.get) == described
    assert Description.read({name: text.encode() for name, text in files.items()}.get) == described
    assert files[LABELS] == "Straße\nrain\n"
    assert (BELIEF in files) == (described is DESCRIBED)
    assert json.loads(described.belief()) == {"labels": list(NAMES), "thresholds": described.thresholds}


def test_thresholds_are_written_once():
    assert "thresholds" not in DESCRIBED.files()[NAME]


def test_without_thresholds_in_its_file_a_description_has_none():
    assert Description.read({**DESCRIBED.files(), BELIEF: PLAIN.belief()}.get) == PLAIN


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2},
        {"audio": {"sample_rate": -1}},
        {"audio": None},
        {"class_names": []},
        {"class_names": [1, 2]},
        {"class_names": None},
        {"more": 1},
    ],
    ids=str,
)
def test_another_form_is_refused(changed):
    with pytest.raises(InputError, match=f"its {NAME} is none that this version reads"):
        Description.read({NAME: json.dumps({**json.loads(PLAIN.files()[NAME]), **changed})}.get)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, b"\xff", None])
def test_what_is_no_description_is_refused(text):
    with pytest.raises(InputError, match="export the model again"):
        Description.read({NAME: text}.get)


@pytest.mark.parametrize(
    "changed", [{"none": None}, {"temperature": 0}, {"classes": {"rain": 0.5, "Straße": 0.5}}], ids=str
)
def test_thresholds_of_other_classes_or_of_no_numbers_are_refused(changed):
    text = json.dumps({"labels": NAMES, "thresholds": {**THRESHOLDS, **changed}})
    with pytest.raises(InputError, match=f"its {BELIEF} is damaged; export the model again"):
        Description.read({**PLAIN.files(), BELIEF: text}.get)
