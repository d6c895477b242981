"""Several networks that hear the same log-mel, as one whose scores are the mean of theirs."""

import keras
from keras import layers

from urbansound.models import cepstrum


def average(networks):
    """One network of several.

    Args:
      networks: trained models of one input and output shape (see `models.build`).

    Returns:
      A keras.Model as `models.build` returns them, but for the layer "standardize": nothing of it is left to learn.
    """
    log_mel = keras.Input(networks[0].input_shape[1:], name="log_mel")
    # Renamed, since two of one architecture may sit here; what `export` tells members apart by.
    named = [keras.Model(model.input, model.output, name=f"member{i}") for i, model in enumerate(networks)]
    scores = layers.Average(name="scores")([model(log_mel) for model in named])
    return keras.Model(log_mel, scores, name="committee")


def members(model):
    """The networks that a model's scores are the mean of, its cepstrum and what it stands beside or a committee's.

    Returns:
      {name: keras.Model of log_mel}; empty of any other model.
    """
    if cepstrum.has_beside(model):
        return {model.name: cepstrum.alone(model), "cepstrum": model.get_layer("cepstrum")}
    if model.name == "committee":
        return {layer.name: layer for layer in model.layers if isinstance(layer, keras.Model)}
    return {}
