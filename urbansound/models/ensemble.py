"""Several networks as one model: its scores are the mean of theirs."""

from collections import Counter

import keras
from keras import layers

NAME = "committee"  # of an ensemble of trained runs, where an architecture's name would stand


def average(networks):
    """One model of several.

    Args:
      networks: keras.Models of one input and output shape (see `Architecture.build`); ensembles may be
        among them.

    Returns:
      A keras.Model from log-mel to the mean of their scores. The networks, or copies that share their
      layers, are nested in it. One network is its own mean.
    """
    if len(networks) == 1:
        return networks[0]
    log_mel = keras.Input(networks[0].input_shape[1:], name="log_mel")
    scores = layers.Average(name="scores")([network(log_mel) for network in _with_different_names(networks)])
    return keras.Model(log_mel, scores, name="ensemble")


def members(model):
    """The networks that `average` made a model of.

    Returns:
      {name: keras.Model}, in their order; empty for any other model.
    """
    _, *networks, last = model.layers
    # A network may also end in a mean, or have another nested as its body.
    if not isinstance(last, layers.Average) or not all(isinstance(network, keras.Model) for network in networks):
        return {}
    return {network.name: network for network in networks}


def leaves(model, share=1.0):
    """The networks that a model is the weighted mean of, those of ensembles within it too.

    Returns:
      [(keras.Model, share)], in their order; shares add up to `share`. Any other model is its own only network.
    """
    networks = members(model).values()
    if not networks:
        return [(model, share)]
    return [leaf for network in networks for leaf in leaves(network, share / len(networks))]


def _with_different_names(networks):
    """The networks; those whose name occurs more than once get a number after it, since Keras asks for that."""
    counts, seen = Counter(network.name for network in networks), Counter()
    for network in networks:
        if counts[network.name] == 1:
            yield network
        else:
            seen[network.name] += 1
            yield keras.Model(network.input, network.output, name=f"{network.name}_{seen[network.name]}")
