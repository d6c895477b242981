"""Standardize against float64 and scikit-learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from urbansound.models.parts import LEAST_DEVIATION, Standardize


@pytest.fixture
def values():
    """Float32 [37, 5, 3] of means far from 0."""
    return np.random.default_rng(0).normal([-40, 0, 3], [12, 0.1, 5], (37, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("batch", [None, 8])  # an array; batches of which the last is smaller
def test_values_are_standardized_as_scikit_learn_does(values, batch):
    layer = Standardize()
    layer.build(values.shape)
    layer.adapt(values if batch is None else tf.data.Dataset.from_tensor_slices(values).batch(batch))
    expected = StandardScaler().fit_transform(values.reshape(-1, 3).astype(np.float64)).reshape(values.shape)
    np.testing.assert_allclose(layer(values), expected, atol=1e-4)  # float32 sums of 185 values of some 40


def test_a_value_that_never_changes_stays_finite(values):
    values[..., 1] = 7
    layer = Standardize()
    layer.adapt(values)
    np.testing.assert_allclose(layer(values)[..., 1], 0, atol=1e-4)
    np.testing.assert_allclose(layer(values + 2 * LEAST_DEVIATION)[..., 1], 2, atol=1e-2)  # 7.002 in float32


def test_scores_follow_weights_that_are_set(values):
    log_mel = keras.Input(values.shape[1:])
    first, second = (keras.Model(log_mel, Standardize()(log_mel)) for _ in range(2))
    second(values)
    first.layers[-1].adapt(values)
    second.set_weights(first.get_weights())
    np.testing.assert_array_equal(second.predict(values, verbose=0), first.predict(values, verbose=0))
