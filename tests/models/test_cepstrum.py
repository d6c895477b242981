"""The statistics against float64, the normal scores against scikit-learn, a cepstrum beside another network."""

import shlex

import keras
import numpy as np
import pytest
from scipy.fft import dct
from sklearn.preprocessing import QuantileTransformer

from running import ROOT
from urbansound.config import ModelConfig, TrainConfig
from urbansound.models import FROM_SCRATCH, build, cepstrum
from urbansound.models.ensemble import members
from urbansound.training.embeddings import is_frozen


def log_mels(count, frames=87, n_mels=64):
    return np.random.default_rng(5).normal(-40, 12, (count, frames, n_mels)).astype(np.float32)


def statistics_of(features):
    log_mel = keras.Input(features.shape[1:])
    return keras.Model(log_mel, cepstrum.statistics(log_mel))(features).numpy()


def mean_deviation(x):
    return np.abs(x - x.mean(1, keepdims=True)).mean(1)


def reach(curve, floored):
    """Highest and lowest of a curve [clips, frames] within whole stretches, on average, as the docstring has it."""
    for stretch in (4, 16, 64):
        length = min(stretch, curve.shape[1])
        whole = curve[:, : curve.shape[1] // length * length].reshape(len(curve), -1, length)
        yield whole.max(2).mean(1) / 2 / np.sqrt(stretch)
        yield -whole.min(2).mean(1) / 2 / (1 if floored else np.sqrt(stretch))


@pytest.mark.parametrize(("frames", "n_mels"), [(87, 64), (40, 16)])
def test_statistics_are_what_they_say(frames, n_mels):
    features = log_mels(3, frames, n_mels)
    x = features.astype(np.float64)
    x -= x.mean((1, 2), keepdims=True)
    coefficients = dct(x, axis=2, norm="ortho")[:, :, :14] * np.sqrt([0.25, *range(1, 14)])
    bands = x.reshape(3, frames, n_mels // 8, 8)
    contrast = bands.max(3) - bands.min(3)
    onset = 4 * np.maximum(np.diff(x, axis=1), 0).mean(2)
    expected = [
        coefficients.mean(1)[:, 1:] / 16,
        mean_deviation(coefficients) / 6,
        np.stack(list(reach(coefficients[:, :, 0], floored=False)), 1),
        contrast.mean(1) / 5,
        mean_deviation(contrast) / 1.5,
        np.abs(np.diff(coefficients, axis=1)).mean(1) / 2,
        onset.mean(1, keepdims=True),
        np.stack(list(reach(onset, floored=True)), 1),
    ]
    # float32 sums over up to 87 frames of some hundred.
    np.testing.assert_allclose(statistics_of(features), np.concatenate(expected, axis=1), atol=1e-3)


def test_statistics_do_not_know_how_loud_a_clip_is():
    features = log_mels(3)
    np.testing.assert_allclose(statistics_of(features - 30), statistics_of(features), atol=1e-3)


def test_statistics_of_few_frames_and_bands():
    assert np.isfinite(statistics_of(log_mels(2, 1, 8))).all()
    assert np.isfinite(statistics_of(log_mels(2, 2, 20))).all()


def test_values_become_the_normal_scores_of_their_ranks():
    values = np.random.default_rng(1).gamma(2.0, 3.0, (500, 4)).astype(np.float32)
    statistics = keras.Input([4])
    model = keras.Model(statistics, cepstrum.normal_scores(statistics))
    layer = model.get_layer("standardize")
    cepstrum.adapt(layer, keras.Model(statistics, layer.input)(values))
    heard = np.concatenate([values, [[-5.0] * 4, [99.0] * 4]])  # two beyond all that was learnt from
    transform = QuantileTransformer(n_quantiles=cepstrum.KNOTS, output_distribution="uniform").fit(values)
    levels = np.linspace(0, 1, cepstrum.KNOTS)
    # Between knots scikit-learn's uniform scores are straight, as ours are on the normal scale.
    edge = QuantileTransformer(n_quantiles=cepstrum.KNOTS, output_distribution="normal").fit(values)
    knots = np.clip(edge.transform(transform.quantiles_)[:, 0], -cepstrum.EDGE, cepstrum.EDGE)
    expected = np.interp(transform.transform(heard), levels, knots)
    np.testing.assert_allclose(model(heard), expected, atol=2e-3)


def test_a_statistic_that_is_the_same_in_every_clip_stays_finite():
    statistics = keras.Input([2])
    model = keras.Model(statistics, cepstrum.normal_scores(statistics))
    layer = model.get_layer("standardize")
    cepstrum.adapt(layer, np.full((10, 1, 1, 2), 3.0))
    assert np.all(np.isfinite(model(np.float32([[3, 3], [4, -1]]))))


def test_nothing_below_the_hidden_layer_learns():
    model = build("cepstrum", (87, 64), 10, ModelConfig(model="cepstrum"))
    assert is_frozen(model)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["hidden", "scores"]


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_beside_a_cepstrum_scores_are_the_mean_of_both_and_the_other_alone_learns(name):
    features = log_mels(4, 40, 16)
    keras.utils.set_random_seed(1)
    model = build(name, (40, 16), 3, ModelConfig(model=name, width=0.25, cepstrum=True))
    model.compile("sgd", "categorical_crossentropy")
    alone, beside = members(model).values()
    cepstrum.adapt(beside.get_layer("standardize"), np.zeros((4, 1, 1, 58)))
    assert np.ptp(alone(features) - beside(features)) > 0.01  # or the mean says nothing
    # float32 shares of up to 1.
    np.testing.assert_allclose(model(features), (alone(features) + beside(features)) / 2, atol=1e-6)
    learner = cepstrum.learner(model)
    np.testing.assert_array_equal(learner(features), model(features))
    before = beside.get_weights(), alone.get_weights()
    learner.fit(features, np.eye(3)[[0, 1, 2, 0]], verbose=0)
    for was, value in zip(before[0], beside.get_weights(), strict=True):
        np.testing.assert_array_equal(value, was)
    assert any(np.any(was != value) for was, value in zip(before[1], alone.get_weights(), strict=True))


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_the_network_learns_as_it_would_alone(name):
    features, targets = log_mels(4, 40, 16), np.eye(3)[[0, 1, 2, 0]]
    weights = []
    for beside in (True, False):
        keras.utils.set_random_seed(1)
        model = build(name, (40, 16), 3, ModelConfig(model=name, width=0.25, cepstrum=beside, dropout=0.0))
        model.compile("sgd", "categorical_crossentropy")
        (cepstrum.learner(model) if beside else model).fit(features, targets, verbose=0)
        weights.append([variable.numpy() for variable in model.trainable_variables])
    for first, second in zip(*weights, strict=True):
        # Sums of float32 in another order.
        np.testing.assert_allclose(first, second, atol=1e-4)


def test_pretrained_networks_have_no_cepstrum_beside_them():
    settings = ModelConfig(model="yamnet", cepstrum=True)
    assert not cepstrum.has_beside(build("yamnet", (96, 64), 3, settings))


def test_the_flag_file_and_a_cepstrum_beside_another_network_learn_alike():
    lines = (ROOT / "configs/cepstrum.flags").read_text().splitlines()
    flags = dict(shlex.split(line)[0][2:].split("=") for line in lines if line.startswith("--"))
    learns = {name: float(value) for name, value in flags.items() if name in cepstrum.SETTINGS}
    defaults = {"learning_rate": TrainConfig().learning_rate}
    assert learns | defaults == cepstrum.SETTINGS
