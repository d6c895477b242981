"""What stands on a pretrained body: its embeddings over time to scores."""

import keras
from keras import layers

SILENT = 9.0  # logits below -9 are as good as never: beyond it YAMNet's answers are noise
RAREST = 8.0  # standard deviations; more would be of a class that was never heard in training
TRUST = 0.5  # of a known class's score, in standard deviations; 0.4 and 0.7 measured the same


def over_time(embeddings, n_classes, config, known=None):
    """Mean and maximum over time, standardised, into one layer of weights.

    Args:
      embeddings: a Keras tensor [batch, time, values].
      n_classes: number of classes.
      config: a ModelConfig.
      known: None, or what the pretrained network itself says of each class: logits [batch, time, n_classes],
        constant for classes that it doesn't know. Their maximum over time, standardised, is added to the
        learned logits: that a class has a name that AudioSet knows says more than a few recordings can.

    Returns:
      The tensor "scores" [batch, n_classes]. The layer "standardize" gets [batch, 2 * values], and with `known`
      n_classes values more.
    """
    pooled = [keras.ops.mean(embeddings, axis=1), keras.ops.max(embeddings, axis=1)]
    if known is not None:
        # How far below certain each class is, 0 to SILENT. Made of ReLUs, since int8 files know no minimum. The first
        # stands before the maximum to be one with the layer of `known`, whose logits reach down to -500.
        pooled.append(keras.ops.relu(SILENT - keras.ops.max(keras.ops.relu(known + SILENT), axis=1)))
    x = layers.Normalization(name="standardize")(layers.Concatenate()(pooled))
    if known is not None:
        x, doubt = x[:, :-n_classes], x[:, -n_classes:]
    # A value far from what was heard in training says no more than one at its edge, two standard deviations off.
    x = layers.Activation("tanh")(x / 2)
    x = layers.Dropout(config.dropout)(x)
    if known is None:
        return layers.Dense(n_classes, activation="softmax", name="scores")(x)
    learned = layers.Dense(n_classes, name="learned")(x)
    return layers.Softmax(name="scores")(learned - TRUST * (keras.ops.relu(doubt + RAREST) - RAREST))
