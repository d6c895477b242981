"""The cnn's frames into a small Transformer encoder and attention pooling.

Pre-norm, with batch normalization: once trained it is part of the next layer, and int8 files can hold it.
Position is a convolution over time, so that a clip may be of any length.

Source: Vaswani et al. 2017; batch normalization as in LeViT (Graham et al. 2021), positions as in
wav2vec 2.0 (Baevski et al. 2020), attention pooling as in Safari, India, Hernando 2020.
"""

import keras
from keras import layers

from urbansound.models import cnn, parts
from urbansound.models.record import FLOAT, INT8, Architecture, Int8

BLOCKS = 2
HEADS = 4
HEAD_SIZE = 24  # at width 1
POSITION_FRAMES = 9
LAST = "encoder"


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    size = HEADS * parts.channels(HEAD_SIZE, config.width)
    x = layers.Dense(size)(cnn.frames(log_mel, config.width))  # [batch, frames, size]
    x = layers.Add()([x, layers.DepthwiseConv1D(POSITION_FRAMES, padding="same")(x)])
    for _ in range(BLOCKS):
        y = _normalized(x)
        x = layers.Add()([x, layers.MultiHeadAttention(HEADS, size // HEADS)(y, y)])
        y = layers.Dense(2 * size, activation="relu", kernel_initializer="he_normal")(_normalized(x))
        x = layers.Add()([x, layers.Dense(size)(y)])
    x = _attention_pool(_normalized(x, name=LAST))
    return keras.Model(log_mel, parts.scores(x, n_classes, config), name="transformer")


def _normalized(x, name=None):
    return layers.BatchNormalization(momentum=parts.MOMENTUM, name=name)(x)


def _attention_pool(x):
    """Frames weighed by a softmax over time of a learned score: [batch, frames, size] to [batch, size]."""
    weights = keras.ops.softmax(layers.Dense(1)(x), axis=1)  # [batch, frames, 1]
    return layers.Flatten()(layers.Dot(axes=1)([weights, x]))


ARCHITECTURE = Architecture(
    name="transformer",
    summary="The cnn's convolutions into a small Transformer encoder with attention pooling.",
    build=build,
    int8=Int8(
        pieces=((cnn.STEM, FLOAT), (LAST, INT8), (None, FLOAT)),
        why="As the cnn; the encoder is int8, the attention pooling float.",
    ),
)
