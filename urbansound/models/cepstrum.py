"""Cepstral statistics of a clip under one hidden layer: 18 k parameters that train in seconds.

Twenty coefficients of the log-mel's cosine transform, and of each its mean, deviation and mean step over time: what
speech recognition knew before networks. Nothing of that learns, so it is computed once per clip and cached.
"""

import keras
import numpy as np
from keras import layers
from scipy.fft import dct
from scipy.stats import norm

COEFFICIENTS = 20
HIDDEN = 256
KNOTS = 17  # of each statistic's distribution among the training clips
WAY = 6  # the length of the way between two of them, in the layer "standardize": int8 tools know a ReLU up to 6
LEAST_STEP = 1e-6
EDGE = 2.5  # deviations: what lies outside the training clips is heard as their edge
# Added to the normal scores in training. Of the order of a deviation, or recordings are remembered by heart: without
# it, unheard ones score three points lower.
NOISE = 0.6


def build(input_shape, n_classes, config):
    """The network; see `models.build`. Its layer "standardize" awaits `adapt` instead of a mean and variance."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = normal_scores(statistics(log_mel))
    x = layers.GaussianNoise(NOISE)(x)
    units = max(8, round(HIDDEN * config.width))
    x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name="hidden")(x)
    x = layers.Dropout(config.dropout)(x)
    return keras.Model(log_mel, layers.Dense(n_classes, activation="softmax", name="scores")(x), name="cepstrum")


def statistics(log_mel):
    """Log-mel [batch, frames, n_mels] to [batch, 60]: mean, deviation, mean step of each cepstral coefficient."""
    _, frames, n_mels = log_mel.shape
    cosines = dct(np.eye(n_mels), axis=1, norm="ortho")[:, :COEFFICIENTS]
    transform = layers.Dense(cosines.shape[1], use_bias=False, trainable=False, name="cosines")
    x = transform(log_mel)
    transform.set_weights([cosines])
    mean = keras.ops.mean(x, axis=1)
    deviation = keras.ops.sqrt(keras.ops.mean(keras.ops.square(x - keras.ops.expand_dims(mean, 1)), axis=1))
    step = _mean_step(x) if frames > 1 else keras.ops.zeros_like(mean)  # one frame has none
    return layers.Concatenate()([mean, deviation, step])


def _mean_step(x):
    """Mean of |x[t + 1] - x[t]|: [batch, frames, values] to [batch, values]."""
    # By ReLUs, since the int8 tools know no absolute value.
    earlier, later = x[:, :-1], x[:, 1:]
    return keras.ops.mean(keras.ops.relu(later - earlier) + keras.ops.relu(earlier - later), axis=1)


def normal_scores(x):
    """Each value [batch, values] as the normal deviate of its rank among the training clips, within EDGE.

    Straight between KNOTS quantiles, which `adapt` puts into the layer "standardize": each of its rows says how far
    along the way from one quantile to the next the value lies.
    """
    levels = np.clip(norm.ppf(np.linspace(0, 1, KNOTS)), -EDGE, EDGE)
    x = layers.RepeatVector(KNOTS - 1)(x)
    x = layers.Normalization(axis=(1, 2), name="standardize")(x)
    x = layers.ReLU(max_value=WAY)(x)
    rises = np.diff(levels / WAY).astype(np.float32).reshape(-1, 1)
    return keras.ops.sum(x * rises, axis=1) + levels[0].astype(np.float32)


def adapt(layer, values):
    """Set the layer "standardize" of this model.

    Args:
      layer: that layer.
      values: what reaches it from the training clips, float [clips, KNOTS - 1, values].
    """
    quantiles = np.quantile(np.asarray(values)[:, 0], np.linspace(0, 1, KNOTS), axis=0)
    layer.adapt_mean.assign(quantiles[:-1])
    layer.adapt_variance.assign(np.maximum(np.diff(quantiles, axis=0) / WAY, LEAST_STEP) ** 2)
    layer.finalize_state()
