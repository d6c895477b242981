"""A temperature of networks and of ensembles, against float64; of every architecture see architecture_checks.py."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import expit

from urbansound.models import ensemble
from urbansound.models.temperature import divide

LOG_MELS = np.random.default_rng(0).normal(0, 3, (6, 5, 4)).astype(np.float32)


def network(name, seed, ending, activation="softmax"):
    """A small network whose scores are made by a Dense layer with softmax, a layer of its own or an operation."""
    keras.utils.set_random_seed(seed)
    log_mel = keras.Input((5, 4))
    x = layers.Flatten()(log_mel)
    x = layers.Dense(3, activation=activation if ending == "dense" else None, bias_initializer="normal")(x)
    if ending == "layer":
        x = layers.Softmax(name="scores")(x) if activation == "softmax" else layers.Activation(activation)(x)
    elif ending == "operation":
        x = getattr(keras.ops, activation)(x)
    return keras.Model(log_mel, x, name=name)


def expected(scores, temperature):
    powers = scores.astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("ending", ["dense", "layer", "operation"])
@pytest.mark.parametrize("temperature", [0.3, 1, 2.5])
def test_logits_are_divided_whatever_makes_the_scores(ending, temperature):
    model = network("small", 1, ending)
    scores = model.predict(LOG_MELS, verbose=0)
    calibrated = divide(model, temperature)
    # float32 rounds each of a handful of steps by 6e-8 of numbers up to 10.
    np.testing.assert_allclose(calibrated.predict(LOG_MELS, verbose=0), expected(scores, temperature), atol=1e-5)
    assert calibrated.name == "small"
    assert (calibrated is model) == (ending == "dense" or temperature == 1)


@pytest.mark.parametrize("ending", ["dense", "layer", "operation"])
@pytest.mark.parametrize("temperature", [0.3, 2.5])
def test_logits_of_sigmoids_are_divided_too(ending, temperature, tmp_path):
    model = network("small", 1, ending, "sigmoid")
    scores = model.predict(LOG_MELS, verbose=0).astype(np.float64)
    calibrated = divide(model, temperature, "sigmoid")
    wanted = expit(np.log(scores / (1 - scores)) / temperature)
    # 1 - score has few digits where the score is near 1.
    np.testing.assert_allclose(calibrated.predict(LOG_MELS, verbose=0), wanted, atol=1e-4)
    calibrated.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(LOG_MELS, verbose=0), calibrated.predict(LOG_MELS, verbose=0))


def test_sigmoids_of_zero_and_one_stay_so_and_finite():
    model = network("small", 1, "layer", "sigmoid")
    dense = model.layers[-2]
    dense.set_weights([0 * dense.get_weights()[0], np.array([300, -300, 0], np.float32)])
    np.testing.assert_allclose(divide(model, 0.5, "sigmoid").predict(LOG_MELS, verbose=0)[0], [1, 0, 0.5], atol=1e-6)


def test_a_score_of_zero_stays_zero_and_finite():
    model = network("small", 1, "layer")
    dense = model.layers[-2]
    dense.set_weights([0 * dense.get_weights()[0], np.array([300, 0, 299], np.float32)])
    scores = divide(model, 0.5).predict(LOG_MELS, verbose=0)[0]
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-2)), 0, 1 / (1 + np.exp(2))], atol=1e-5)


def test_a_network_is_divided_twice_and_kept_as_a_file_whatever_its_operations_are_called(tmp_path):
    log_mel = keras.Input((5, 4))
    keras.ops.log(log_mel)
    x = layers.Dense(3)(layers.Flatten()(keras.ops.log(keras.ops.maximum(keras.ops.exp(log_mel / 2), 1e-3)) / 3))
    model = keras.Model(log_mel, layers.Softmax(name="scores")(x), name="small")
    scores = model.predict(LOG_MELS, verbose=0)
    model.save(tmp_path / "model.keras")
    keras.utils.clear_session()  # the names of operations are counted from the first again
    once = divide(keras.models.load_model(tmp_path / "model.keras"), 0.5)
    once.save(tmp_path / "once.keras")
    twice = divide(keras.models.load_model(tmp_path / "once.keras"), 0.5)
    np.testing.assert_allclose(twice.predict(LOG_MELS, verbose=0), expected(scores, 0.25), atol=1e-5)


def test_members_of_an_ensemble_get_one_temperature_each_and_keep_their_names():
    networks = [network("a", 1, "dense"), network("b", 2, "layer"), network("b", 3, "dense")]
    inner = ensemble.average(networks[:2])
    whole = ensemble.average([inner, networks[2]])
    scores = [n.predict(LOG_MELS, verbose=0) for n in networks]
    names = list(ensemble.members(whole))
    calibrated = divide(whole, 0.5)
    a, b, c = (expected(s, 0.5) for s in scores)
    np.testing.assert_allclose(calibrated.predict(LOG_MELS, verbose=0), ((a + b) / 2 + c) / 2, atol=1e-5)
    assert list(ensemble.members(calibrated)) == names


def test_leaves_are_the_networks_with_their_shares_of_the_mean():
    networks = [network("a", 1, "dense"), network("b", 2, "dense"), network("c", 3, "dense")]
    whole = ensemble.average([ensemble.average(networks[:2]), networks[2]])
    leaves = ensemble.leaves(whole)
    assert [share for _, share in leaves] == [0.25, 0.25, 0.5]
    mean = sum(share * leaf.predict(LOG_MELS, verbose=0) for leaf, share in leaves)
    np.testing.assert_allclose(whole.predict(LOG_MELS, verbose=0), mean, atol=1e-6)
    assert ensemble.leaves(networks[0]) == [(networks[0], 1.0)]
