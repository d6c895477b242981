"""One way to average networks: the mean of their scores, members by name, and what is no ensemble."""

import keras
import numpy as np
import pytest
from architecture_checks import adapted, config_of, noise

from urbansound import models
from urbansound.models import ensemble


@pytest.fixture(scope="module")
def log_mels():
    return noise(6, 40, 16)


@pytest.fixture(scope="module")
def networks(log_mels):
    return [adapted(config_of(name), log_mels, 3) for name in ("cepstrum", "cnn", "cnn")]


def test_scores_are_the_mean_of_the_members(networks, log_mels):
    scores = [network(log_mels).numpy() for network in networks]
    assert np.ptp(scores[0] - scores[1]) > 0.01  # or the mean says nothing
    # float32 shares of up to 1.
    np.testing.assert_allclose(ensemble.average(networks)(log_mels), np.mean(scores, axis=0), atol=1e-6)


def test_members_of_one_name_are_numbered(networks, log_mels, tmp_path):
    model = ensemble.average(networks)
    assert list(ensemble.members(model)) == ["cepstrum", "cnn_1", "cnn_2"]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert list(ensemble.members(again)) == ["cepstrum", "cnn_1", "cnn_2"]
    np.testing.assert_array_equal(again.predict(log_mels, verbose=0), model.predict(log_mels, verbose=0))


def test_networks_of_ensembles_of_ensembles_are_found_in_order(networks, log_mels):
    cepstrum, first, second = networks
    nested = ensemble.average([ensemble.average([cepstrum, first]), second])
    assert list(ensemble.members(nested)) == ["ensemble", "cnn"]
    inner, last = ensemble.members(nested).values()
    found = [*ensemble.members(inner).values(), last]
    assert [network.name for network in found] == ["cepstrum", "cnn", "cnn"]
    for network, expected in zip(found, networks, strict=True):
        np.testing.assert_array_equal(network(log_mels), expected(log_mels))


def test_one_network_is_its_own_mean(networks):
    assert ensemble.average(networks[1:2]) is networks[1]
    assert ensemble.members(networks[1]) == {}


def test_a_network_with_a_nested_model_is_no_ensemble(networks):
    log_mel = keras.Input((40, 16))
    body = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    several_heads = [keras.layers.Dense(3, activation="softmax")(body(log_mel)) for _ in range(2)]
    for scores in (keras.layers.Dense(3, activation="softmax")(body(log_mel)), keras.layers.Average()(several_heads)):
        network = keras.Model(log_mel, scores)
        assert ensemble.members(network) == {}
        assert list(ensemble.members(ensemble.average([network, networks[1]])).values()) == [network, networks[1]]


def test_a_model_with_a_cepstrum_has_both_networks_in_the_order_of_training():
    model, networks = models.build((40, 16), 3, config_of("cnn", cepstrum=True))
    assert [record.name for record, _ in networks] == ["cepstrum", "cnn"]
    assert list(ensemble.members(model).values()) == [network for _, network in networks]
