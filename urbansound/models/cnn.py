"""A plain convolutional network, compact and made of what int8 hardware runs: convolution, ReLU, pooling."""

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
    x = layers.Normalization(axis=-1, name="standardize")(log_mel)
    # How loud a recording is says nothing of its class: without this, unheard ones score six points lower.
    x = layers.Subtract()([x, keras.ops.mean(x, axis=(1, 2), keepdims=True)])
    x = layers.Reshape((*input_shape, 1))(x)  # [batch, frames, n_mels, 1]
    for channels, kernel, stride, pooling in ROWS:
        x = _convolution(x, max(8, 8 * round(channels * config.width / 8)), kernel, stride)
        if pooling > 1:
            x = layers.MaxPooling2D(pooling, padding="same")(x)
    x = keras.ops.mean(x, axis=2)  # [batch, frames, channels]
    x = layers.Add()([keras.ops.mean(x, axis=1), keras.ops.max(x, axis=1)])  # [batch, channels]
    x = layers.Dropout(config.dropout)(x)
    return keras.Model(log_mel, layers.Dense(n_classes, activation="softmax", name="scores")(x), name="cnn")


def _convolution(x, channels, kernel, stride):
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")(x)
    # The default momentum of 0.99 takes thousands of steps to settle, more than such data sets have.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)
