"""Surer or less sure scores of a trained model: its logits divided by a temperature."""

import keras
from keras import layers

from urbansound.models import ensemble

LEAST_SCORE = 1e-30  # whose logarithm is finite in float32


def divide(model, temperature):
    """A model whose networks' logits are divided by a temperature: softmax(logits / temperature).

    The order of a network's classes stays; below 1 its highest score grows. The networks of an ensemble all get the
    one temperature.

    Args:
      model: a keras.Model from log-mel to scores (see `Architecture.build`), or an ensemble of such.
      temperature: above 0.

    Returns:
      The keras.Model. It shares its layers with `model`, whose last weights may be changed: use it in place of that.

    Source: Guo, Pleiss, Sun, Weinberger 2017.
    """
    if temperature == 1:
        return model
    if networks := ensemble.members(model):
        return ensemble.average([divide(network, temperature) for network in networks.values()])
    last = model.layers[-1]
    if isinstance(last, layers.Dense) and last.activation is keras.activations.softmax:
        # The same operations with other weights: no exported file changes its form or its speed.
        last.set_weights([weight / temperature for weight in last.get_weights()])
        return model
    # A layer, since its name can't be that of another: operations of a model that is loaded have the names they had.
    scores = Temperature(temperature, name=f"{last.name}_calibrated")(model.output)
    return keras.Model(model.input, scores, name=model.name)


@keras.saving.register_keras_serializable(package="urbansound")
class Temperature(layers.Layer):
    """Scores [batch, classes] to softmax(log(scores) / temperature), whatever made them.

    The logarithms of scores are their logits, but for a constant that softmax does not see.
    """

    def __init__(self, temperature, **options):
        super().__init__(**options)
        self.temperature = temperature

    def call(self, scores):
        """Scores of the same shape; 0 stays 0."""
        return keras.ops.softmax(keras.ops.log(keras.ops.maximum(scores, LEAST_SCORE)) / self.temperature)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "temperature": self.temperature}
