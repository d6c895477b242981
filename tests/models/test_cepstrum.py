"""The statistics against float64, the normal scores against scikit-learn."""

import keras
import numpy as np
from scipy.fft import dct
from sklearn.preprocessing import QuantileTransformer

from urbansound.config import ModelConfig
from urbansound.frozen import is_frozen
from urbansound.models import build, cepstrum


def log_mels(count, frames=87, n_mels=64):
    return np.random.default_rng(5).normal(-40, 12, (count, frames, n_mels)).astype(np.float32)


def test_statistics_are_those_of_the_orthonormal_cosine_transform():
    features = log_mels(3)
    log_mel = keras.Input(features.shape[1:])
    got = keras.Model(log_mel, cepstrum.statistics(log_mel))(features)
    x = dct(features.astype(np.float64), axis=2, norm="ortho")[:, :, :20]
    expected = np.concatenate([x.mean(1), x.std(1), np.abs(np.diff(x, axis=1)).mean(1)], axis=1)
    # float32 sums over 87 frames of up to 400.
    np.testing.assert_allclose(got, expected, atol=1e-3)


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


def test_a_value_that_never_varies_makes_no_nan():
    statistics = keras.Input([2])
    model = keras.Model(statistics, cepstrum.normal_scores(statistics))
    layer = model.get_layer("standardize")
    cepstrum.adapt(layer, np.full((10, cepstrum.KNOTS - 1, 2), 3.0))
    assert np.all(np.isfinite(model(np.float32([[3, 3], [4, -1]]))))


def test_nothing_below_the_hidden_layer_learns():
    model = build("cepstrum", (87, 64), 10, ModelConfig(model="cepstrum"))
    assert is_frozen(model)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["hidden", "scores"]


def test_a_clip_of_one_frame_has_no_step():
    log_mel = keras.Input((1, 32))
    got = keras.Model(log_mel, cepstrum.statistics(log_mel))(log_mels(2, 1, 32)).numpy()
    np.testing.assert_array_equal(got[:, 20:], 0)
