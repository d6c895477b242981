"""Surer or less sure scores of a trained model: its logits divided by a temperature."""

import keras
from keras import layers

from urbansound.models import ensemble

LEAST_SCORE = 1e-30  # whose logarithm is finite in float32
LEAST_REST = 2.0**-25  # half a step of float32 below 1
ACTIVATIONS = {"softmax": keras.activations.softmax, "sigmoid": keras.activations.sigmoid}


def divide(model, temperature, activation="softmax"):
    """A model whose networks' logits are divided by a temperature: activation(logits / temperature).

    The order of a network's classes stays; below 1 its highest score grows. The networks of an ensemble all get the
    one temperature.

    Args:
      model: a keras.Model from log-mel to scores (see `Architecture.build`), or an ensemble of such.
      temperature: above 0.
      activation: that made the scores of its logits, one of ACTIVATIONS.

    Returns:
      The keras.Model. It shares its layers with `model`, whose last weights may be changed: use it in place of that.

    Source: Guo, Pleiss, Sun, Weinberger 2017.
    """
    if temperature == 1:
        return model
    if networks := ensemble.members(model):
        return ensemble.average([divide(network, temperature, activation) for network in networks.values()])
    last = model.layers[-1]
    if isinstance(last, layers.Dense) and last.activation is ACTIVATIONS[activation]:
        # The same operations with other weights: no exported file changes its form or its speed.
        last.set_weights([weight / temperature for weight in last.get_weights()])
        return model
    # A layer, since its name can't be that of another: operations of a model that is loaded have the names they had.
    scores = Temperature(temperature, activation, name=f"{last.name}_calibrated")(model.output)
    return keras.Model(model.input, scores, name=model.name)


@keras.saving.register_keras_serializable(package="urbansound")
class Temperature(layers.Layer):
    """Scores [batch, classes] to activation(logits / temperature), whatever made them.

    The logarithms of scores are the logits of a softmax, but for a constant that it does not see. Those of a sigmoid
    are log(scores / (1 - scores)).
    """

    def __init__(self, temperature, activation="softmax", **options):
        super().__init__(**options)
        self.temperature, self.activation = temperature, activation

    def call(self, scores):
        """Scores of the same shape; 0 stays 0."""
        logits = keras.ops.log(keras.ops.maximum(scores, LEAST_SCORE))
        if self.activation == "sigmoid":
            logits -= keras.ops.log(keras.ops.maximum(1 - scores, LEAST_REST))
        return ACTIVATIONS[self.activation](logits / self.temperature)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "temperature": self.temperature, "activation": self.activation}
