"""The cnn's frames into a bidirectional recurrent layer, which hears in what order things sound.

Source: Cakir et al. 2017, Convolutional recurrent neural networks for polyphonic sound event detection.
"""

import keras
from keras import layers

from urbansound.models.cnn import channels_of, frames, scores

ROWS = (
    (16, 5, 2, 1),
    (32, 3, 1, 2),
    (64, 3, 1, 2),
    (96, 3, 1, 2),
)
UNITS = 64  # at width 1, each way


def build(input_shape, n_classes, config):
    """The network; see `models.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = frames(log_mel, ROWS, config)  # [batch, frames, channels]
    # Unrolled, 22 steps for 4 s: a loop in the graph would be one that TFLite can't make int8.
    x = layers.Bidirectional(layers.GRU(channels_of(UNITS, config), return_sequences=True, unroll=True))(x)
    return keras.Model(log_mel, scores(x, n_classes, config), name="crnn")
