"""A plain convolutional network, compact and made of what int8 hardware runs: convolution, ReLU, pooling.

Its parts serve the other networks that are trained from scratch.
"""

import keras
from keras import layers

# channels at width 1, kernel, stride, max pooling behind it
ROWS = (
    (16, 5, 2, 1),
    (48, 3, 1, 2),
    (96, 3, 1, 2),
    (192, 3, 1, 1),
)


def build(input_shape, n_classes, config):
    """The network; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = frames(log_mel, ROWS, config)
    return keras.Model(log_mel, scores(x, n_classes, config), name="cnn")


def frames(log_mel, rows, config):
    """Convolutions over [batch, frames, n_mels], then the mean over bands: [batch, fewer frames, channels]."""
    x = levelled(log_mel)
    for channels, kernel, stride, pooling in rows:
        x = convolution(x, channels_of(channels, config), kernel, stride)
        if pooling > 1:
            x = layers.MaxPooling2D(pooling, padding="same")(x)
    return keras.ops.mean(x, axis=2)


def scores(x, n_classes, config):
    """Frames [batch, frames, channels], pooled over time, to scores [batch, n_classes]."""
    x = layers.Add()([keras.ops.mean(x, axis=1), keras.ops.max(x, axis=1)])  # [batch, channels]
    x = layers.Dropout(config.dropout)(x)
    return layers.Dense(n_classes, activation="softmax", name="scores")(x)


def levelled(log_mel):
    """The log-mel standardised, without its level, as a picture [batch, frames, n_mels, 1]."""
    x = layers.Normalization(axis=-1, name="standardize")(log_mel)
    # How loud a recording is says nothing of its class: without this, unheard ones score six points lower.
    x = layers.Subtract()([x, keras.ops.mean(x, axis=(1, 2), keepdims=True)])
    return layers.Reshape((*log_mel.shape[1:], 1))(x)


def convolution(x, channels, kernel, stride, activation="relu"):
    """Convolution, batch normalisation, activation."""
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")(x)
    # The default momentum of 0.99 takes thousands of steps to settle, more than such data sets have.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if activation else x


def channels_of(channels, config):
    """Channels at the width of a ModelConfig: a multiple of eight, which vector units like."""
    return max(8, 8 * round(channels * config.width / 8))
