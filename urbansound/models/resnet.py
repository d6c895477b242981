"""A small residual network.

Source: He et al. 2015, Deep Residual Learning for Image Recognition.
"""

import keras
from keras import layers

from urbansound.models import parts
from urbansound.models.record import Architecture

STEM_CHANNELS, STEM_KERNEL = 16, 5
# channels at width 1, stride of each block
ROWS = (
    (16, 1),
    (32, 2),
    (64, 2),
    (128, 2),
)
STEM, LAST = "stem", "blocks"


def build(input_shape, n_classes, config):
    """Ten layers; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    stem_channels = parts.channels(STEM_CHANNELS, config.width)
    x = parts.convolution(parts.picture(log_mel), stem_channels, STEM_KERNEL, 2)
    x = layers.ReLU(name=STEM)(x)
    for row, (channels, stride) in enumerate(ROWS):
        x = _block(x, parts.channels(channels, config.width), stride, LAST if row == len(ROWS) - 1 else None)
    x = parts.pool(keras.ops.mean(x, axis=2))  # [batch, channels]
    return keras.Model(log_mel, parts.scores(x, n_classes, config), name="resnet")


def _block(x, channels, stride, name):
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = parts.convolution(x, channels, 1, stride)
    x = layers.ReLU()(parts.convolution(x, channels, 3, stride))
    return layers.ReLU(name=name)(layers.Add()([shortcut, parts.convolution(x, channels, 3)]))


ARCHITECTURE = Architecture(
    name="resnet",
    summary="Ten layers with shortcuts, trained from scratch.",
    build=build,
    int8=parts.int8_between(STEM, LAST),
)
