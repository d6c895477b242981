"""The cnn's frames into a bidirectional GRU, for sounds that their order in time tells apart.

Source: Cakir et al. 2017, Convolutional Recurrent Neural Networks for Polyphonic Sound Event Detection.
"""

import keras
from keras import layers

from urbansound.models import cnn

UNITS = 64  # of each direction at width 1
POOLING = 2  # frames that make a step of the GRU


def build(input_shape, n_classes, config):
    """The network; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = cnn.frames(log_mel, config.width)
    x = layers.AveragePooling1D(POOLING, padding="same")(x)  # [batch, steps, channels]
    units = cnn.channels(UNITS, config.width)
    # Each direction in its own order: what follows pools over time.
    x = layers.Concatenate()([_gru(x, units, go_backwards) for go_backwards in (False, True)])
    x = cnn.pool(x)  # [batch, 2 * units]
    return keras.Model(log_mel, cnn.scores(x, n_classes, config.dropout), name="crnn")


def _gru(x, units, go_backwards):
    # Unrolled, it is plain matrix products, which int8 files can hold; as a loop it stays in float.
    return layers.GRU(units, return_sequences=True, go_backwards=go_backwards, unroll=True)(x)
