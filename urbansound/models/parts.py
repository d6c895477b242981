"""Layers and groups of layers that several architectures are made of."""

import keras
from keras import layers

from urbansound import targets
from urbansound.errors import InputError
from urbansound.models.record import FLOAT, INT8, Int8

MOMENTUM = 0.9  # of batch normalization: the default of 0.99 takes more steps to settle than such data sets have
LEAST_DEVIATION = 1e-3
POOL = "pool"


@keras.saving.register_keras_serializable(package="urbansound")
class Standardize(layers.Normalization):
    """Keras's Normalization along the last axis; a value that no training clip moves is not divided by zero."""

    def adapt(self, data):
        """Learn mean and variance of each value from `data`, an array or a dataset of batches [batch, ..., values]."""
        super().adapt(data)
        self.adapt_variance.assign(keras.ops.maximum(self.adapt_variance, LEAST_DEVIATION**2))

    def call(self, x):
        """By the weights as they are now: Keras's own takes copies of them, which `set_weights` doesn't renew."""
        return (x - self.adapt_mean) / keras.ops.sqrt(self.adapt_variance)


@keras.saving.register_keras_serializable(package="urbansound")
class BatchNormalization(layers.BatchNormalization):
    """Keras's BatchNormalization of pictures [batch, height, width, channels], trained by TensorFlow's fused operation.

    Keras composes it of a dozen operations, each a pass over memory: a training step of the cnn takes 1.4 times as
    long. The running variance learns from the batch's unbiased one, as in PyTorch; otherwise the numbers are Keras's.
    """

    def call(self, x, training=None):
        """`x` normalised: by the batch in training, by the running mean and variance otherwise."""
        if not (training and self.trainable) or keras.backend.backend() != "tensorflow":
            return super().call(x, training=training)
        import tensorflow as tf  # other backends run without it

        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon
        )
        self.moving_mean.assign(self.momentum * self.moving_mean + (1 - self.momentum) * mean)
        self.moving_variance.assign(self.momentum * self.moving_variance + (1 - self.momentum) * variance)
        return y


def picture(log_mel):
    """Log-mel [batch, frames, n_mels], standardised, minus the clip's mean level, as [batch, frames, n_mels, 1]."""
    x = Standardize()(log_mel)
    # The level of a recording says nothing about its class: with it, held-out recordings score six points lower.
    x = layers.Subtract()([x, keras.ops.mean(x, axis=(1, 2), keepdims=True)])
    return layers.Reshape((*log_mel.shape[1:], 1))(x)


def convolution(x, channels, kernel, stride=1):
    """A convolution and batch normalization: [batch, height, width, any] to [batch, height / stride, ..., channels]."""
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")(x)
    return BatchNormalization(momentum=MOMENTUM)(x)


def channels(count, width):
    """`count` channels times `width`, in steps of eight."""
    return max(8, 8 * round(count * width / 8))


def pool(x):
    """Mean and maximum over time, added, in the layer POOL: [batch, frames, channels] to [batch, channels]."""
    return layers.Add(name=POOL)([keras.ops.mean(x, axis=1), maximum(x)])


def maximum(x):
    """Maximum over time: [batch, frames, channels] to [batch, channels], as a pooling, which int8 tools know."""
    return layers.Flatten()(layers.MaxPooling1D(x.shape[1])(x))


def scores(x, n_classes, config):
    """The last layer: an embedding [batch, channels] to "scores" [batch, n_classes], as a ModelConfig's targets ask."""
    x = layers.Dropout(config.dropout)(x)
    return layers.Dense(n_classes, activation=targets.of(config.targets).activation, name="scores")(x)


def embedding(model):
    """What the last layer of weights of a network makes its scores of: its input, a Keras tensor [batch, values].

    Raises:
      InputError: no layer of the network is a Dense.
    """
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    if not dense:
        raise InputError(f"{model.name}: no Dense layer makes its scores, so it can't teach or be taught; take another")
    return input_of(dense[-1], model)


def input_of(layer, model):
    """The one input of a layer in a functional model; `layer.input` is that of the first model it was part of."""
    (node,) = [node for nodes in model._nodes_by_depth.values() for node in nodes if node.operation is layer]
    (tensor,) = node.input_tensors
    return tensor


def int8_between(first, last, why="The first convolution, the pooling and the last layer are few operations."):
    """The Int8 of a network that `pool` ends: int8 from after the layer `first` to the layer `last`.

    The cut at the pool keeps the converter from folding the last layer into the addition before it, which no
    int8 kernel takes.
    """
    return Int8(pieces=((first, FLOAT), (last, INT8), (POOL, FLOAT), (None, FLOAT)), why=why)
