"""The head of a pretrained body: its embeddings over time to scores."""

import keras
from keras import layers

from urbansound import targets
from urbansound.models import parts

FIRST = "standardize"  # the head's first layer
SILENT = 9.0  # logits below -9 mean "not there"; how far below is noise in YAMNet's answers
RAREST = 8.0  # standard deviations; more would belong to a class that never occurred in training
TRUST = 0.5  # logits per standard deviation of a known class's score; 0.4 and 0.7 measured the same


def over_time(embeddings, n_classes, config, known=None):
    """Mean and maximum over time, standardised, into one layer of weights.

    Args:
      embeddings: a Keras tensor [batch, time, values].
      n_classes: number of classes.
      config: a ModelConfig.
      known: None, or what the pretrained network itself says of each class: logits [batch, time, n_classes],
        constant for classes that it doesn't know. Their maximum over time, standardised, is added to the
        learned logits: that AudioSet knows a class says more than a few recordings can.

    Returns:
      The tensor "scores" [batch, n_classes]. The layer FIRST takes [batch, 2 * values], and with `known`
      n_classes values more.
    """
    pooled = [keras.ops.mean(embeddings, axis=1), parts.maximum(embeddings)]
    if known is not None:
        # How far below certain each class is, 0 to SILENT. Made of ReLUs, since int8 files know no minimum. The
        # first stands before the maximum, where it is fused with the layer of `known`, whose logits go down to -500.
        pooled.append(keras.ops.relu(SILENT - parts.maximum(keras.ops.relu(known + SILENT))))
    x = parts.Standardize(name=FIRST)(layers.Concatenate()(pooled))
    if known is not None:
        x, doubt = x[:, :-n_classes], x[:, -n_classes:]
    # A value far outside the training clips' says no more than one at two standard deviations.
    x = layers.Activation("tanh")(x / 2)
    if known is None:
        return parts.scores(x, n_classes, config)
    learned = layers.Dense(n_classes, name="learned")(layers.Dropout(config.dropout)(x))
    logits = learned - TRUST * (keras.ops.relu(doubt + RAREST) - RAREST)
    return layers.Activation(targets.of(config.targets).activation, name="scores")(logits)
