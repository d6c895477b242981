"""ResNet50 as keras.applications has it, with one input channel.

Source: He et al. 2015, Deep Residual Learning for Image Recognition.
"""

import keras
from keras import layers

from urbansound.models import parts
from urbansound.models.record import FLOAT, INT8, Architecture, Int8
from urbansound.models.weights import resnet50 as weights

PIXEL_DEVIATION = 58  # of ImageNet's pixels, 0 to 255: the scale of input that the published weights expect
STEM, LAST = "conv1_relu", "conv5_block3_out"  # names of keras.applications


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`. Of one size, whatever the width."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = parts.picture(log_mel) * PIXEL_DEVIATION
    body = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = parts.MOMENTUM
    x = keras.ops.mean(body.output, axis=(1, 2))  # [batch, 2048]
    return keras.Model(log_mel, parts.scores(x, n_classes, config), name="resnet50")


ARCHITECTURE = Architecture(
    name="resnet50",
    summary="keras.applications' ResNet50 with ImageNet's weights, all of it trained on.",
    build=build,
    load_weights=weights.load,
    origin=lambda config: config.resnet_weights and "Keras's ResNet50, trained on ImageNet",
    int8=Int8(
        pieces=((STEM, FLOAT), (LAST, INT8), (None, FLOAT)),
        why="The first convolution, the pooling and the last layer are few operations.",
    ),
)
