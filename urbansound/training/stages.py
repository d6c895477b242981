"""What is trained, on what: a run has a stage for each network whose scores its model averages."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from urbansound.data import pipeline
from urbansound.training import embeddings


@dataclasses.dataclass(frozen=True)
class Stage:
    """One network's training.

    Attributes:
      part: keras.Model of the layers that are trained: the network, or its head where the body is frozen.
      learner: what Keras fits: `part`, or a model that shares its weights.
      batches: function of the first epoch that gives endless training batches of (inputs, targets).
      steps: batches per epoch.
      validation: the validation clips once, in order, in batches; None where there are none.
      adaptation: the training clips' inputs of `part` once, in batches.
      takes_log_mels: whether those inputs are log-mels, else embeddings.
      class_weights: {class: weight}, or None.
    """

    part: keras.Model
    learner: keras.Model
    batches: Callable
    steps: int
    validation: tf.data.Dataset | None
    adaptation: tf.data.Dataset
    takes_log_mels: bool
    class_weights: dict | None

    def adapt(self):
        """Adapt every layer that has an `adapt`, in the model's order, to what reaches it of the training clips."""
        for layer in self.part.layers:
            if hasattr(layer, "adapt"):
                layer.adapt(self.adaptation.map(keras.Model(self.part.input, _input_of(layer, self.part))))


def _input_of(layer, model):
    """The tensor that a layer takes in a functional model; `layer.input` is that of the first model it was part of."""
    (node,) = [node for nodes in model._nodes_by_depth.values() for node in nodes if node.operation is layer]
    return node.input_tensors[0]


class _ValidatedAsWhole(keras.Model):
    """A network in training; in validation the model that it is a member of, which is what will be used."""

    def __init__(self, network, whole):
        super().__init__(name=network.name)
        self.network = network
        self.score = lambda log_mel: whole(log_mel, training=False)  # no layer of this one: it is not trained

    def call(self, log_mel, training=False):
        """Scores [batch, n_classes]."""
        return self.network(log_mel, training=True) if training else self.score(log_mel)


def is_frozen(record, network):
    """Whether an Architecture's network has a body of which no weight is trained."""
    return record.embedding is not None and not embeddings.split(network, record.embedding)[0].trainable_weights


def settings(record, network, config):
    """The Config of a stage: masks and views are for networks that are trained on log-mels."""
    return config.with_settings(views=1, time_masks=0, mel_masks=0) if is_frozen(record, network) else config


def stage(record, network, whole, training, validation, n_classes, config):
    """The Stage of one network.

    Args:
      record: its Architecture.
      network: a keras.Model from log-mel to scores.
      whole: the model that averages its scores with others', or `network` itself.
      training, validation: (cache entries, int labels) of the clips.
      n_classes: number of classes.
      config: what `settings` returns.
    """
    if is_frozen(record, network):
        feeds = _embedding_feeds(record, network, training, validation, n_classes, config)
    else:
        feeds = _log_mel_feeds(network, whole, training, validation, n_classes, config)
    steps = pipeline.steps_per_epoch(len(training[1]), config)
    # Noise is new in every epoch, so layers adapt to clips as they will come.
    ordered, noisy = feeds.pop("ordered"), config.augment.noise_probability > 0
    once = feeds["batches"](0).take(steps) if noisy else ordered()
    return Stage(
        steps=steps,
        adaptation=once.map(lambda inputs, _: inputs),
        class_weights=_class_weights(training[1], n_classes, config.train),
        **feeds,
    )


def _log_mel_feeds(network, whole, training, validation, n_classes, config):
    """Fields of a Stage that is trained on log-mels, and a function that gives the training clips in order."""
    return {
        "part": network,
        "learner": network if network is whole else _ValidatedAsWhole(network, whole),
        "batches": lambda first_epoch: pipeline.training_batches(*training, n_classes, config, first_epoch),
        "ordered": lambda: pipeline.evaluation_batches(*training, n_classes, config),
        "validation": pipeline.evaluation_batches(*validation, n_classes, config) if len(validation[1]) else None,
        "takes_log_mels": True,
    }


def _embedding_feeds(record, network, training, validation, n_classes, config):
    """The same of a Stage that is trained on embeddings; with noise they are computed anew in every epoch."""
    body, head = embeddings.split(network, record.embedding)

    def embedded(dataset):
        return dataset.map(lambda log_mels, targets: (body(log_mels, training=False), targets))

    def cached(clips):
        return embeddings.embeddings(body, clips[0], config), clips[1]

    def batches(first_epoch):
        if config.augment.noise_probability > 0:
            return embedded(pipeline.training_batches(*training, n_classes, config, first_epoch))
        return pipeline.embedding_batches(*cached(training), n_classes, config, first_epoch)

    return {
        "part": head,
        "learner": head,
        "batches": batches,
        "ordered": lambda: pipeline.ordered_embeddings(*cached(training), n_classes, config),
        "validation": pipeline.ordered_embeddings(*cached(validation), n_classes, config)
        if len(validation[1])
        else None,
        "takes_log_mels": False,
    }


def _class_weights(labels, n_classes, config):
    """{class: weight of its clips} for "balanced", every class in sum as much and clips by 1 on average; else None."""
    if config.class_weights == "none":
        return None
    counts = np.bincount(labels, minlength=n_classes)
    return dict(enumerate((len(labels) / (n_classes * counts)).tolist()))
