"""What labels say: to targets and back, decisions, temperatures and likelihoods against scipy."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from urbansound import targets
from urbansound.config import Config, ModelConfig
from urbansound.errors import InputError
from urbansound.targets import KINDS, MULTILABEL, SINGLE

NAMES = ["bark", "horn", "siren"]


def test_the_settings_choices_are_the_kinds():
    assert ModelConfig.__dataclass_fields__["targets"].metadata["choices"] == tuple(KINDS)
    assert [targets.of(name) for name in KINDS] == list(KINDS.values())


def test_a_config_of_before_the_setting_has_one_class_per_clip():
    values = {"model": {}, "audio": {}, "data": {}, "augment": {}, "train": {}}
    assert Config.from_dict(values).model.targets == "single"


def test_weights_of_classes_are_for_clips_of_one_class():
    with pytest.raises(InputError, match="weighs clips by their one class"):
        Config().with_settings(targets="multilabel", class_weights="balanced")


def test_labels_and_targets_are_each_other_s_inverse():
    labels = ["", "bark", "siren", "bark;siren", "bark;horn;siren"]
    matrix = MULTILABEL.matrix(labels, NAMES)
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert MULTILABEL.labels(matrix > 0, NAMES) == labels
    odd = ["a;b", "c", "d"]  # where a clip has one class, its name may hold anything
    assert SINGLE.matrix(["a;b", "d"], odd).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert SINGLE.labels(SINGLE.matrix(["a;b", "d"], odd) > 0, odd) == ["a;b", "d"]


def test_one_class_is_decided_for_by_the_highest_score_and_any_number_by_thresholds():
    scores = np.array([[0.6, 0.55, 0.1], [0.2, 0.2, 0.2], [0.1, 0.3, 0.9]], np.float32)
    thresholds = {"classes": {"bark": 0.7, "horn": 0.3, "siren": 0.15}}
    assert SINGLE.labels(SINGLE.decide(scores, thresholds), NAMES) == ["bark", "bark", "siren"]
    assert MULTILABEL.labels(MULTILABEL.decide(scores), NAMES) == ["bark;horn", "", "siren"]
    # float32's 0.3 is above 0.3, as scores are compared in float64 wherever they are.
    assert MULTILABEL.labels(MULTILABEL.decide(scores, thresholds), NAMES) == ["horn", "siren", "horn;siren"]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_a_temperature_divides_logits(temperature):
    logits = np.random.default_rng(0).normal(0, 4, (2, 50, 3))
    np.testing.assert_allclose(
        SINGLE.tempered(softmax(logits, axis=-1), temperature), softmax(logits / temperature, axis=-1), rtol=1e-9
    )
    np.testing.assert_allclose(
        MULTILABEL.tempered(expit(logits), temperature), expit(logits / temperature), rtol=1e-5, atol=1e-9
    )


def test_likelihood_is_of_one_class_or_of_each_class_by_itself():
    logits = np.random.default_rng(1).normal(0, 3, (40, 3))
    one_hot = np.eye(3)[np.arange(40) % 3]
    expected = log_softmax(logits, axis=1)[one_hot > 0]
    np.testing.assert_allclose(SINGLE.likelihood(softmax(logits, axis=1), one_hot), expected, rtol=1e-9)
    several = (np.random.default_rng(2).uniform(size=(40, 3)) > 0.5).astype(float)
    signed = np.where(several > 0, logits, -logits)
    np.testing.assert_allclose(
        MULTILABEL.likelihood(expit(logits), several), np.log(expit(signed)).sum(axis=1), rtol=1e-9
    )


@pytest.mark.parametrize("kind", [SINGLE, MULTILABEL])
def test_scores_of_zero_and_one_stay_finite(kind):
    scores = np.array([[0.0, 1.0, 0.0]], np.float32)
    assert np.isfinite(kind.tempered(scores, 0.5)).all()
    assert np.isfinite(kind.likelihood(scores, np.array([[1.0, 0.0, 0.0]]))).all()


def test_what_is_no_class_has_all_alike_or_none():
    assert SINGLE.nothing(4) == 0.25
    assert MULTILABEL.nothing(4) == 0
