"""Residual networks on spectrograms: a small one, and ResNet50 as keras.applications has it.

Source: He et al. 2015, Deep Residual Learning for Image Recognition.
"""

import keras
from keras import layers

from urbansound.models import cnn

STEM_CHANNELS, STEM_KERNEL = 16, 5
# channels at width 1, stride of each block
ROWS = (
    (16, 1),
    (32, 2),
    (64, 2),
    (128, 2),
)
PIXEL_DEVIATION = 58  # of ImageNet's pixels, 0 to 255: what published weights expect of their input


def build(input_shape, n_classes, config):
    """Ten layers; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = cnn.convolution(cnn.picture(log_mel), cnn.channels(STEM_CHANNELS, config.width), STEM_KERNEL, 2)
    x = layers.ReLU()(x)
    for channels, stride in ROWS:
        x = _block(x, cnn.channels(channels, config.width), stride)
    x = cnn.pool(keras.ops.mean(x, axis=2))  # [batch, channels]
    return keras.Model(log_mel, cnn.scores(x, n_classes, config.dropout), name="resnet")


def build_resnet50(input_shape, n_classes, config):
    """ResNet50 of one input channel; see `models.build`. Of one size, whatever the width."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = cnn.picture(log_mel) * PIXEL_DEVIATION
    body = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = cnn.MOMENTUM
    x = keras.ops.mean(body.output, axis=(1, 2))  # [batch, 2048]
    return keras.Model(log_mel, cnn.scores(x, n_classes, config.dropout), name="resnet50")


def _block(x, channels, stride):
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = cnn.convolution(x, channels, 1, stride)
    x = layers.ReLU()(cnn.convolution(x, channels, 3, stride))
    return layers.ReLU()(layers.Add()([shortcut, cnn.convolution(x, channels, 3)]))
