"""The cnn's frames into a small Transformer encoder, pooled by attention.

Source: Vaswani et al. 2017; normalisation before each part as in Xiong et al. 2020.
"""

import keras
import numpy as np
from keras import layers

from urbansound.models.cnn import frames

ROWS = (
    (16, 5, 2, 1),
    (32, 3, 1, 2),
    (64, 3, 1, 2),
    (96, 3, 1, 2),
)
BLOCKS, HEADS = 2, 4


def build(input_shape, n_classes, config):
    """The network; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = frames(log_mel, ROWS, config)  # [batch, frames, channels]
    channels = x.shape[-1]
    x = x + _positions(x.shape[1], channels)
    for _ in range(BLOCKS):
        x = layers.Add()([x, _attention(layers.LayerNormalization()(x), channels)])
        y = layers.Dense(2 * channels, activation="relu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(channels)(y)])
    x = layers.LayerNormalization()(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))  # [batch, frames, 1]
    x = keras.ops.sum(layers.Multiply()([x, weights]), axis=1)  # [batch, channels]
    x = layers.Dropout(config.dropout)(x)
    return keras.Model(log_mel, layers.Dense(n_classes, activation="softmax", name="scores")(x), name="transformer")


def _attention(x, channels):
    return layers.MultiHeadAttention(HEADS, channels // HEADS)(x, x)


def _positions(count, channels):
    """Sines and cosines float32 [1, count, channels], so that the same weights take clips of any length."""
    angle = np.arange(count)[:, np.newaxis] / 10_000 ** (np.arange(0, channels, 2) / channels)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(1, count, channels).astype(np.float32)
