"""A plain convolutional network, compact and made of what int8 hardware runs: convolution, ReLU, pooling."""

import keras
from keras import layers

from urbansound.models import parts
from urbansound.models.record import Architecture

# channels at width 1, kernel, stride, max pooling after it
ROWS = (
    (16, 5, 2, 1),
    (48, 3, 1, 2),
    (96, 3, 1, 2),
    (192, 3, 1, 1),
)
STEM, LAST = "stem", "convolutions"  # the first and the last ReLU


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = parts.pool(frames(log_mel, config.width))
    return keras.Model(log_mel, parts.scores(x, n_classes, config), name="cnn")


def frames(log_mel, width):
    """The convolutions: log_mel [batch, frames, n_mels] to [batch, frames / 8, channels]."""
    x = parts.picture(log_mel)
    for row, (channels, kernel, stride, pooling) in enumerate(ROWS):
        name = {0: STEM, len(ROWS) - 1: LAST}.get(row)
        x = layers.ReLU(name=name)(parts.convolution(x, parts.channels(channels, width), kernel, stride))
        if pooling > 1:
            x = layers.MaxPooling2D(pooling, padding="same")(x)
    return keras.ops.mean(x, axis=2)


ARCHITECTURE = Architecture(
    name="cnn",
    summary="Four convolutions, mean and maximum over time.",
    build=build,
    int8=parts.int8_between(STEM, LAST),
)
