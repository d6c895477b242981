"""The cnn's frames into a bidirectional GRU, for sounds that differ in their order in time.

Source: Cakir et al. 2017, Convolutional Recurrent Neural Networks for Polyphonic Sound Event Detection.
"""

import keras
from keras import layers

from urbansound.models import cnn, parts
from urbansound.models.record import Architecture

UNITS = 64  # of each direction at width 1
POOLING = 2  # frames that make a step of the GRU
LAST = "directions"  # both of them, concatenated; "gru" is the name of Keras's first GRU


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = cnn.frames(log_mel, config.width)
    x = layers.AveragePooling1D(POOLING, padding="same")(x)  # [batch, steps, channels]
    units = parts.channels(UNITS, config.width)
    # Each direction in its own order: the pooling over time takes any.
    x = layers.Concatenate(name=LAST)([_gru(x, units, go_backwards) for go_backwards in (False, True)])
    x = parts.pool(x)  # [batch, 2 * units]
    return keras.Model(log_mel, parts.scores(x, n_classes, config), name="crnn")


def _gru(x, units, go_backwards):
    # Unrolled, it is plain matrix products, which int8 files can hold; as a loop it stays in float.
    return layers.GRU(units, return_sequences=True, go_backwards=go_backwards, unroll=True)(x)


ARCHITECTURE = Architecture(
    name="crnn",
    summary="The cnn's convolutions into a bidirectional GRU.",
    build=build,
    int8=parts.int8_between(cnn.STEM, LAST, why="As the cnn; the GRU is int8 too."),
)
