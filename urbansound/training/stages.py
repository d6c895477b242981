"""What is trained, on what: a run has a stage for each network whose scores its model averages."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from urbansound.data import pipeline
from urbansound.data.parallel import mapped
from urbansound.data.views import steps_per_epoch
from urbansound.models import parts
from urbansound.training import embeddings


@dataclasses.dataclass(frozen=True)
class Stage:
    """One network's training.

    Attributes:
      part: keras.Model of the layers that are trained: the network, or its head where the body is frozen.
      learner: what Keras fits: `part`, or a `_Learner` of it.
      batches: function of the first epoch that gives endless training batches of (inputs, targets).
      steps: batches per epoch.
      validation: the validation clips once, in order, in batches; None where there are none.
      adaptation: the training clips' inputs of `part` once, in batches.
      validates_log_mels: whether the inputs of `validation` are log-mels, else embeddings.
      class_weights: {class: weight}, or None.
    """

    part: keras.Model
    learner: keras.Model
    batches: Callable
    steps: int
    validation: tf.data.Dataset | None
    adaptation: tf.data.Dataset
    validates_log_mels: bool
    class_weights: dict | None

    def adapt(self):
        """Adapt every layer of `part` that has an `adapt`, in its order, to its input for the training clips."""
        for layer in self.part.layers:
            if hasattr(layer, "adapt"):
                layer.adapt(mapped(self.adaptation, keras.Model(self.part.input, parts.input_of(layer, self.part))))


class _Learner(keras.Model):
    """Trains one model, and validates the scores of another that shares its weights.

    Args:
      part: what is trained, a keras.Model; with a weight, one that gives (scores, read-out) [batch, values].
      score: what is validated: `part`, or the mean of its scores and those of the networks trained before it.
      weight: None, or that of the mean squared error of the read-out in the loss. The input is then (the part's, what
        the read-out should be).
    """

    def __init__(self, part, score, weight=None):
        super().__init__(name=part.name)
        self.part, self.weight = part, weight
        self.score = lambda inputs: score(inputs, training=False)  # no layer of this one: it is not trained

    def call(self, inputs, training=False):
        """Scores [batch, n_classes]."""
        if not training:
            return self.score(inputs)
        if self.weight is None:
            return self.part(inputs, training=True)
        inputs, embeddings = inputs
        scores, read_out = self.part(inputs, training=True)
        self.add_loss(self.weight * keras.ops.mean(keras.ops.square(read_out - embeddings)))
        return scores


def is_frozen(record, network):
    """Whether an Architecture's network has a body of which no weight is trained."""
    return record.embedding is not None and not embeddings.split(network, record.embedding)[0].trainable_weights


def steps_of(training, config, lessons=None):
    """Batches per epoch, by the arguments of `stage`."""
    return steps_per_epoch(len(training[1]) if lessons is None else len(lessons.course.entries), config)


def settings(record, network, config):
    """The Config of a stage: masks and views are for networks that are trained on log-mels."""
    return config.with_settings(views=1, time_masks=0, mel_masks=0) if is_frozen(record, network) else config


def stage(record, network, mean, training, validation, config, lessons=None, read_out=None):
    """The Stage of one network.

    Args:
      record: its Architecture.
      network: a keras.Model from log-mel to scores.
      mean: the model that averages its scores with those of the networks trained before it, which is what is
        validated; `network` itself where it is the first.
      training, validation: (cache entries, targets float32 [clips, classes]) of the clips.
      config: what `settings` returns.
      lessons: None, or the Lessons by which the network is taught.
      read_out: with lessons, the layer that makes the teachers' embeddings of the network's.
    """
    frozen, first = is_frozen(record, network), mean is network
    if frozen:
        part, batches, once = _on_embeddings(record, network, training, config, lessons)
    else:
        part, batches, once = network, *_on_log_mels(training, config, lessons)
    _check_adaptable(network, part)
    steps = steps_of(training, config, lessons)
    # Noise is new in every epoch, so layers adapt to clips as they will come.
    ordered = batches(0).take(steps) if config.augment.uses_noise else once(training)
    validated, score = (once, part) if first else (_on_log_mels(training, config)[1], mean)
    if lessons is not None:
        taught = keras.Model(part.input, [part.output, read_out(parts.embedding(part))], name=part.name)
        learner = _Learner(taught, score, config.distill.embedding_weight)
    else:
        learner = part if first else _Learner(part, score)
    return Stage(
        part=part,
        learner=learner,
        batches=batches,
        steps=steps,
        validation=validated(validation) if len(validation[1]) else None,
        adaptation=mapped(ordered, lambda inputs, _: inputs[0] if isinstance(inputs, tuple) else inputs),
        validates_log_mels=not (first and frozen),
        class_weights=_class_weights(training[1], config.train),
    )


def _check_adaptable(network, part):
    """Raise ValueError where a layer has an `adapt` that no stage would call: in a frozen body or a nested model."""
    adaptable = {layer.name for layer in network._flatten_layers() if hasattr(layer, "adapt")}
    missed = adaptable - {layer.name for layer in part.layers}
    if missed:
        raise ValueError(
            f"{network.name}: {', '.join(sorted(missed))} would not be adapted; only layers of what is trained are, "
            "and those of a model nested in it are not"
        )


def _on_log_mels(training, config, lessons=None):
    """(batches as in Stage, function of clips that gives them once in order, in batches), both of log-mels."""

    def batches(first_epoch):
        if lessons is not None:
            return pipeline.taught_batches(lessons, first_epoch)
        return pipeline.training_batches(*training, config, first_epoch)

    return batches, lambda clips: pipeline.evaluation_batches(*clips, config)


def _on_embeddings(record, network, training, config, lessons):
    """(head, the same two of embeddings), which are cached; with noise or lessons, those in training are of views."""
    body, head = embeddings.split(network, record.embedding)

    def cached(clips):
        return embeddings.embeddings(body, clips[0], config), clips[1]

    def batches(first_epoch):
        if lessons is not None:
            taught = pipeline.taught_batches(lessons, first_epoch)
            return mapped(taught, lambda inputs, targets: ((body(inputs[0], training=False), inputs[1]), targets))
        if not config.augment.uses_noise:
            return pipeline.embedding_batches(*cached(training), config, first_epoch)
        log_mels = pipeline.training_batches(*training, config, first_epoch)
        return mapped(log_mels, lambda inputs, targets: (body(inputs, training=False), targets))

    return head, batches, lambda clips: pipeline.ordered_embeddings(*cached(clips), config)


def _class_weights(targets, config):
    """{class: weight of its clips} for "balanced", every class in sum as much and clips by 1 on average; else None."""
    if config.class_weights == "none":
        return None
    counts = np.sum(targets, axis=0, dtype=np.float64)
    return dict(enumerate((len(targets) / (len(counts) * counts)).tolist()))
