"""A small residual network on one-channel spectrograms.

Source: He, Zhang, Ren, Sun 2016, Deep residual learning (basic blocks, projection shortcuts).
"""

import keras
from keras import layers

from urbansound.models.cnn import channels_of, convolution, levelled, scores

STEM = 16, 5, 2  # channels at width 1, kernel, stride
# channels at width 1, stride of the first of a block's two convolutions
BLOCKS = (
    (24, 1),
    (48, 2),
    (96, 2),
    (136, 1),
)


def build(input_shape, n_classes, config):
    """The network; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    channels, kernel, stride = STEM
    x = convolution(levelled(log_mel), channels_of(channels, config), kernel, stride)
    for channels, stride in BLOCKS:
        x = _block(x, channels_of(channels, config), stride)
    x = keras.ops.mean(x, axis=2)  # [batch, frames, channels]
    return keras.Model(log_mel, scores(x, n_classes, config), name="resnet")


def _block(x, channels, stride):
    y = convolution(x, channels, 3, stride)
    y = convolution(y, channels, 3, 1, activation=None)
    if stride > 1 or x.shape[-1] != channels:
        x = convolution(x, channels, 1, stride, activation=None)
    return layers.ReLU()(layers.Add()([x, y]))
