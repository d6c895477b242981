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
MOMENTUM = 0.9  # of batch normalization: the default of 0.99 takes more steps to settle than such data sets have


def build(input_shape, n_classes, config):
    """The network; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = pool(frames(log_mel, config.width))
    return keras.Model(log_mel, scores(x, n_classes, config.dropout), name="cnn")


def frames(log_mel, width):
    """What the convolutions hear over time: log_mel [batch, frames, n_mels] to [batch, frames / 8, channels]."""
    x = picture(log_mel)
    for row_channels, kernel, stride, pooling in ROWS:
        x = layers.ReLU()(convolution(x, channels(row_channels, width), kernel, stride))
        if pooling > 1:
            x = layers.MaxPooling2D(pooling, padding="same")(x)
    return keras.ops.mean(x, axis=2)


def picture(log_mel):
    """Log-mel [batch, frames, n_mels] standardised and without the clip's level, as [batch, frames, n_mels, 1]."""
    x = layers.Normalization(axis=-1, name="standardize")(log_mel)
    # How loud a recording is says nothing of its class: without this, unheard ones score six points lower.
    x = layers.Subtract()([x, keras.ops.mean(x, axis=(1, 2), keepdims=True)])
    return layers.Reshape((*log_mel.shape[1:], 1))(x)


def convolution(x, channels, kernel, stride=1):
    """A convolution and batch normalization, [batch, height, width, any] to [batch, height / stride, …, channels]."""
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")(x)
    return layers.BatchNormalization(momentum=MOMENTUM)(x)


def channels(count, width):
    """`count` channels times `width`, in steps of eight."""
    return max(8, 8 * round(count * width / 8))


def pool(x):
    """Mean and maximum over time, added: [batch, frames, channels] to [batch, channels]."""
    return layers.Add()([keras.ops.mean(x, axis=1), keras.ops.max(x, axis=1)])


def scores(x, n_classes, dropout):
    """The last layer: an embedding [batch, channels] to "scores" [batch, n_classes]."""
    x = layers.Dropout(dropout)(x)
    return layers.Dense(n_classes, activation="softmax", name="scores")(x)
