"""YAMNet, Google's MobileNet v1 trained on AudioSet, as an embedding of patches of 0.96 s, with a head on top.

Its input is ln(mel + 0.001) as configs/yamnet.flags sets it. Batch normalization is folded into the
convolutions, as published .tflite files have it: a small data set's own statistics are no better.

Source: Plakal and Ellis 2020, tensorflow/models research/audioset/yamnet; Howard et al. 2017.
"""

import math

import keras
from keras import layers

from urbansound.models import heads
from urbansound.models.record import FLOAT, INT8_WEIGHTS, Architecture, Int8
from urbansound.models.weights import yamnet as weights

PATCH_FRAMES, PATCH_HOP = 96, 48
# stride, channels of each block: a convolution first, then depthwise and pointwise ones
ROWS = (
    (2, 32),
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
)


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = _patches(log_mel)  # [batch * patches, PATCH_FRAMES, n_mels, 1]
    x = embedding(x, config.trainable_blocks)  # [batch * patches, channels]
    x = keras.ops.reshape(x, (-1, _count(input_shape[0]), x.shape[-1]))  # [batch, patches, channels]
    known = None
    if config.yamnet_classes:
        # Rows of YAMNet's own last layer, one for each class; `weights` fills in those of classes that it knows.
        known = layers.Dense(n_classes, kernel_initializer="zeros", trainable=False, name="audioset")(x)
    return keras.Model(log_mel, heads.over_time(x, n_classes, config, known), name="yamnet")


def embedding(patches, trainable_blocks):
    """YAMNet's body: patches [n, PATCH_FRAMES, n_mels, 1] to embeddings [n, 1024].

    Args:
      patches: a Keras tensor.
      trainable_blocks: how many of the 14 blocks learn, counted from the last.
    """
    x = patches
    for block, (stride, channels) in enumerate(ROWS, start=1):
        options = {"padding": "same", "activation": "relu", "trainable": block > len(ROWS) - trainable_blocks}
        if block == 1:
            x = layers.Conv2D(channels, 3, stride, name="layer1_conv", kernel_initializer="he_normal", **options)(x)
            continue
        # Each of its outputs has nine inputs, of one channel; Keras would count those of all channels.
        nine = keras.initializers.RandomNormal(stddev=math.sqrt(2 / 9))
        name = f"layer{block}_depthwise_conv"
        x = layers.DepthwiseConv2D(3, stride, name=name, depthwise_initializer=nine, **options)(x)
        name = f"layer{block}_pointwise_conv"
        x = layers.Conv2D(channels, 1, name=name, kernel_initializer="he_normal", **options)(x)
    return keras.ops.mean(x, axis=(1, 2))


def _patches(log_mel):
    """Overlapping stretches of [batch, frames, n_mels] as pictures [batch * patches, ≤ PATCH_FRAMES, n_mels, 1]."""
    _, frames, n_mels = log_mel.shape
    length = min(frames, PATCH_FRAMES)
    starts = range(0, _count(frames) * PATCH_HOP, PATCH_HOP)
    patches = keras.ops.stack([log_mel[:, start : start + length] for start in starts], axis=1)
    return keras.ops.reshape(patches, (-1, length, n_mels, 1))


def _count(frames):
    """Patches in so many frames; what is shorter than a patch makes one."""
    return 1 + max(frames - PATCH_FRAMES, 0) // PATCH_HOP


ARCHITECTURE = Architecture(
    name="yamnet",
    summary="Google's YAMNet, trained on AudioSet, under a head on mean and maximum of its embeddings.",
    build=build,
    load_weights=weights.load,
    origin=lambda config: config.yamnet_weights and "Google's YAMNet, trained on AudioSet (weights: Apache 2.0)",
    embedding=heads.FIRST,
    int8=Int8(
        pieces=(("layer1_conv", FLOAT), ("layer14_pointwise_conv", INT8_WEIGHTS), (None, FLOAT)),
        why="The channels of its activations differ too much in range for one int8 step per tensor.",
        integer_only=False,
    ),
)
