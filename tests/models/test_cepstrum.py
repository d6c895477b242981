"""The statistics against float64, the rank scores against scikit-learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.fft import dct
from sklearn.preprocessing import QuantileTransformer

from urbansound.config import ModelConfig
from urbansound.models import cepstrum


def log_mels(count, frames=87, n_mels=64):
    return np.random.default_rng(5).normal(-40, 12, (count, frames, n_mels)).astype(np.float32)


def statistics_of(features):
    log_mel = keras.Input(features.shape[1:])
    return keras.Model(log_mel, cepstrum.statistics(log_mel))(features).numpy()


def mean_deviation(x):
    return np.abs(x - x.mean(1, keepdims=True)).mean(1)


def range_within(curve):
    """Highest and lowest of a curve [clips, frames] within whole stretches, on average, as the docstring has it."""
    for stretch in (4, 16, 64):
        length = min(stretch, curve.shape[1])
        whole = curve[:, : curve.shape[1] // length * length].reshape(len(curve), -1, length)
        yield whole.max(2).mean(1)
        yield whole.min(2).mean(1)


@pytest.mark.parametrize(("frames", "n_mels"), [(87, 64), (40, 16)])  # 40: the longest stretch is cut
def test_statistics_are_what_they_say(frames, n_mels):
    features = log_mels(3, frames, n_mels)
    x = features.astype(np.float64)
    x -= x.mean((1, 2), keepdims=True)
    coefficients = dct(x, axis=2, norm="ortho")[:, :, :14]
    loudness = coefficients[:, :, 0] - coefficients[:, :, 0].mean(1, keepdims=True)
    bands = x.reshape(3, frames, n_mels // 8, 8)
    contrast = bands.max(3) - bands.min(3)
    onset = np.maximum(np.diff(x, axis=1), 0).mean(2)
    expected = [
        coefficients.mean(1)[:, 1:],
        mean_deviation(coefficients),
        np.stack(list(range_within(loudness)), 1),
        contrast.mean(1),
        mean_deviation(contrast),
        np.abs(np.diff(coefficients, axis=1)).mean(1),
        onset.mean(1, keepdims=True),
        np.stack(list(range_within(onset)), 1),
    ]
    # float32 sums over up to 87 frames of some hundred.
    np.testing.assert_allclose(statistics_of(features), np.concatenate(expected, axis=1), atol=2e-3)


def test_sixty_four_bands_give_seventy_statistics():
    assert statistics_of(log_mels(1)).shape == (1, 70)


def test_statistics_do_not_depend_on_how_loud_a_clip_is():
    features = log_mels(3)
    np.testing.assert_allclose(statistics_of(features - 30), statistics_of(features), atol=2e-3)


@pytest.mark.parametrize(("frames", "n_mels"), [(1, 8), (2, 20)])  # no steps; bands that eight do not divide
def test_statistics_of_few_frames_and_bands(frames, n_mels):
    assert np.isfinite(statistics_of(log_mels(2, frames, n_mels))).all()


@pytest.mark.parametrize("batch", [None, 64])  # an array; batches of which the last is smaller
def test_values_become_the_normal_scores_of_their_ranks(batch):
    values = np.random.default_rng(1).gamma(2.0, 3.0, (500, 4)).astype(np.float32)
    layer = cepstrum.RankScores()
    layer.build(values.shape)
    layer.adapt(values if batch is None else tf.data.Dataset.from_tensor_slices(values).batch(batch))
    scored = np.concatenate([values, [[-5.0] * 4, [99.0] * 4]])  # two outside the range that was learned
    transform = QuantileTransformer(n_quantiles=cepstrum.KNOTS, output_distribution="uniform").fit(values)
    levels = np.linspace(0, 1, cepstrum.KNOTS)
    # Between knots scikit-learn's uniform scores are straight, as ours are on the normal scale.
    edge = QuantileTransformer(n_quantiles=cepstrum.KNOTS, output_distribution="normal").fit(values)
    knots = np.clip(edge.transform(transform.quantiles_)[:, 0], -cepstrum.EDGE, cepstrum.EDGE)
    expected = np.interp(transform.transform(scored), levels, knots)
    np.testing.assert_allclose(layer(scored), expected, atol=2e-3)


def test_a_statistic_that_is_the_same_in_every_clip_stays_finite():
    layer = cepstrum.RankScores()
    layer.build((None, 2))
    layer.adapt(np.full((10, 2), 3.0, np.float32))
    scores = layer(np.float32([[3, 3], [4, -1]])).numpy()
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() <= cepstrum.EDGE + 1e-5


def test_only_the_hidden_and_the_last_layer_are_trained():
    model = cepstrum.build((87, 64), 10, ModelConfig(model="cepstrum"))
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["hidden", "scores"]
