"""What an exported model says of itself is read back equal, or refused."""

import json

import pytest

from urbansound.config import AudioConfig
from urbansound.errors import InputError
from urbansound.inference.description import Description

DESCRIBED = Description(AudioConfig(sample_rate=8000, f_max=3000.0), "zeros", ("Straße", "rain"))


def test_a_description_is_read_back_equal():
    assert Description.from_json(DESCRIBED.to_json()) == DESCRIBED
    assert Description.from_json(DESCRIBED.to_json().encode()) == DESCRIBED


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
    with pytest.raises(InputError):
        Description.from_json(json.dumps({**json.loads(DESCRIBED.to_json()), **changed}))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, b"\xff"])
def test_what_is_no_description_is_refused(text):
    with pytest.raises(InputError, match="export the model again"):
        Description.from_json(text)
