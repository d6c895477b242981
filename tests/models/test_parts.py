"""Standardize against scikit-learn, BatchNormalization against float64 and Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from urbansound.models.parts import LEAST_DEVIATION, BatchNormalization, Standardize


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


@pytest.fixture
def pictures():
    """Float32 [6, 7, 5, 3] of means and deviations that differ by channel."""
    return np.random.default_rng(0).normal([-4, 0, 3], [2, 0.1, 5], (6, 7, 5, 3)).astype(np.float32)


def test_a_batch_is_normalized_as_in_float64(pictures):
    layer = BatchNormalization(momentum=0.9)
    normalized = layer(pictures, training=True)
    values = pictures.astype(np.float64)
    mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
    np.testing.assert_allclose(normalized, (values - mean) / np.sqrt(variance + layer.epsilon), atol=1e-5)
    unbiased = values.var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * unbiased, rtol=1e-5)


def test_gradients_of_a_normalized_batch_are_those_of_keras(pictures):
    wanted = tf.constant(np.random.default_rng(1).normal(size=pictures.shape).astype(np.float32))

    def gradients(layer):
        x = tf.constant(pictures)
        layer.build(x.shape)
        layer.gamma.assign([0.5, 1, 2])
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(wanted * layer(x, training=True) ** 2)
        return tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    ours, keras_own = gradients(BatchNormalization()), gradients(keras.layers.BatchNormalization())
    for ours_of, of_keras in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(ours_of, of_keras, rtol=1e-3, atol=1e-3)


def test_running_statistics_stay_where_a_layer_is_frozen_or_predicts(pictures):
    layer = BatchNormalization()
    layer.build(pictures.shape)
    layer.moving_mean.assign([1, 2, 3])
    expected = (pictures - [1, 2, 3]) / np.sqrt(1 + layer.epsilon)
    np.testing.assert_allclose(layer(pictures), expected, atol=1e-5)
    layer.trainable = False
    np.testing.assert_allclose(layer(pictures, training=True), expected, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, [1, 2, 3])
