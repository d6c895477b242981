"""What stands on a pretrained body: its embeddings over time to scores."""

import keras
from keras import layers


def over_time(embeddings, n_classes, config):
    """Mean and maximum over time, standardised, into one layer of weights.

    Args:
      embeddings: a Keras tensor [batch, time, values].
      n_classes: number of classes.
      config: a ModelConfig.

    Returns:
      The tensor "scores" [batch, n_classes]. The layer "standardize" gets [batch, 2 * values].
    """
    x = layers.Concatenate()([keras.ops.mean(embeddings, axis=1), keras.ops.max(embeddings, axis=1)])
    x = layers.Normalization(name="standardize")(x)
    # A value far from what was heard in training says no more than one at its edge, two standard deviations off.
    x = layers.Activation("tanh")(x / 2)
    x = layers.Dropout(config.dropout)(x)
    return layers.Dense(n_classes, activation="softmax", name="scores")(x)
