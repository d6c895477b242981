"""Statistics of a clip's log-mel under one hidden layer: 24 k parameters that train in seconds.

What was known before networks: how the cepstral coefficients (the log-mel's cosine transform) lie, spread and step
over time, how loudness and onsets rise and fall within stretches of some frames, how far neighbouring bands lie
apart. None of it knows how loud the clip is, and nothing of it learns, so it is computed once per clip and cached.
"""

import math

import keras
import numpy as np
from keras import layers
from scipy.fft import dct
from scipy.stats import norm

COEFFICIENTS = 14
STRETCHES = (4, 16, 64)  # frames
NEIGHBOURS = 8  # mel bands
HIDDEN = 256
KNOTS = 17  # of each statistic's distribution among the training clips
WAY = 6  # the length of the way between two of them, in the layer "standardize": int8 tools know a ReLU up to 6
LEAST_STEP = 1e-3  # from one unit of a way to the next; with 1e-6 XNNPACK does not load the int8 file
EDGE = 2.5  # deviations: what lies outside the training clips is heard as their edge
# Added to the normal scores in training. Of the order of a deviation, or recordings are remembered by heart: with
# little of it, unheard ones score three points lower.
NOISE = 0.8
# How it learns beside another network; configs/cepstrum.flags has the same. Masks and mixtures would spoil statistics.
SETTINGS = {
    "views": 1,
    "time_masks": 0,
    "mel_masks": 0,
    "mixup_alpha": 0.0,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "warmup_epochs": 0.0,
    "weight_decay": 0.01,
}
EPOCHS = 2.5  # for each one of the other network


def build(input_shape, n_classes, config):
    """The network; see `models.build`. Its layer "standardize" awaits `adapt`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = normal_scores(statistics(log_mel))
    x = layers.GaussianNoise(NOISE)(x)
    units = max(8, round(HIDDEN * config.width))
    x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name="hidden")(x)
    x = layers.Dropout(config.dropout)(x)
    return keras.Model(log_mel, layers.Dense(n_classes, activation="softmax", name="scores")(x), name="cepstrum")


def beside(model, config):
    """A network of log_mel whose scores are the mean of `model`'s and a cepstrum's, a layer of that name.

    They err differently: the mean hears unheard recordings better than either. Each learns by itself, since one that
    fits sooner would leave the other nothing to learn; so the cepstrum awaits its weights.
    """
    statistical = build(model.input_shape[1:], model.output_shape[-1], config)
    statistical.trainable = False
    scores = layers.Average(name="average")([model.output, statistical(model.input)])
    return keras.Model(model.input, scores, name=model.name)


def has_beside(model):
    """Whether a model is what `beside` returns."""
    return any(layer.name == "cepstrum" for layer in model.layers)


def alone(model):
    """What the cepstrum stands beside in a model of `beside`, by itself; layers and weights are the model's own."""
    return keras.Model(model.input, model.get_layer("scores").output, name=model.name)


def learner(model):
    """The part of a compiled model of `beside` that learns; its weights, optimizer and loss are the model's own."""
    part = _Learner(model)
    part.compile(model.optimizer, model.loss, metrics=["accuracy"])
    return part


class _Learner(keras.Model):
    """In training the network alone; else, as in validation, the mean of both, which is what will be used."""

    def __init__(self, whole):
        super().__init__(name=whole.name)
        self.whole = whole
        self.alone = alone(whole)

    def call(self, log_mel, training=False):
        """Scores [batch, n_classes]."""
        return self.alone(log_mel, training=True) if training else self.whole(log_mel, training=False)


def statistics(log_mel):
    """Log-mel [batch, frames, n_mels] to [batch, statistics], for 64 bands 70 of them.

    Each is divided by about its deviation among the clips of UrbanSound8K, so that one int8 tensor holds them all:
      - mean (but of the first), mean deviation and mean step of COEFFICIENTS cepstral coefficients;
      - `reach` of the first coefficient, the loudness, and of the onset, with the onset's mean;
      - mean and mean deviation of the contrast within NEIGHBOURS bands.
    """
    _, frames, n_mels = log_mel.shape
    x = log_mel - keras.ops.mean(log_mel, axis=(1, 2), keepdims=True)
    cosines = dct(np.eye(n_mels), axis=1, norm="ortho")[:, :COEFFICIENTS]
    cosines *= np.sqrt([0.25, *range(1, cosines.shape[1])])  # later ones are smaller, the first, the loudness, larger
    transform = layers.Dense(cosines.shape[1], use_bias=False, trainable=False, name="cosines")
    coefficients = transform(x)
    transform.set_weights([cosines])
    mean = keras.ops.mean(coefficients, axis=1)
    bands = layers.Reshape((frames, n_mels, 1))(x)
    contrast = keras.ops.squeeze(_highest(bands, (1, NEIGHBOURS)) + _highest(_mirrored(bands), (1, NEIGHBOURS)), axis=3)
    typical = keras.ops.mean(contrast, axis=1)
    centred = coefficients - keras.ops.expand_dims(mean, axis=1)
    # The first one's mean is nothing but in int8, where that of x is rounded, or out of range in the quietest clips.
    values = [mean[:, 1:] / 16, _mean_size(centred) / 6, *reach(centred[:, :, :1])]
    values += [typical / 5, _mean_size(contrast - keras.ops.expand_dims(typical, axis=1)) / 1.5]
    if frames > 1:  # one frame has no steps
        steps = _mean_size(coefficients[:, 1:] - coefficients[:, :-1])
        onset = keras.ops.mean(keras.ops.relu(x[:, 1:] - x[:, :-1]), axis=2, keepdims=True) * 4
        values += [steps / 2, keras.ops.mean(onset, axis=1), *reach(onset, floored=True)]
    return layers.Concatenate()(values)


def reach(curve, floored=False):
    """How high and how far down a curve [batch, frames, 1] comes within stretches of frames, on average.

    Both grow with the square root of the stretch, and are divided by that; what is `floored` comes down to one place.

    Yields:
      [batch, 1] twice for each of STRETCHES, halved.
    """
    pictures = keras.ops.expand_dims(curve, axis=2) / 2
    for stretch in STRETCHES:
        window, root = (min(stretch, curve.shape[1]), 1), math.sqrt(stretch)
        yield keras.ops.mean(_highest(pictures, window, "valid"), axis=(1, 2)) / root
        yield keras.ops.mean(_highest(_mirrored(pictures), window, "valid"), axis=(1, 2)) / (1 if floored else root)


def _highest(pictures, window, padding="same"):
    """The largest of each `window` of [batch, height, width, channels], side by side."""
    return layers.MaxPooling2D(window, padding=padding)(pictures)


def _mean_size(x):
    """Mean of |x| over time: [batch, time, values] to [batch, values], by ReLUs; int8 tools know no absolute value."""
    return keras.ops.mean(keras.ops.relu(x) + keras.ops.relu(_mirrored(x)), axis=1)


def _mirrored(x):
    """-x, by a product, since the int8 tools know no negation."""
    return x * -1.0


def normal_scores(x):
    """Each value [batch, values] as the normal deviate of its rank among the training clips, within EDGE.

    Straight between KNOTS quantiles, which `adapt` puts into the layer "standardize": of each value it says how far
    along the way from one quantile to the next it lies, for all of them. It is a convolution of one point, since int8
    rounds nothing between that and its ReLU; differences from quantiles would be rounded as coarsely as the largest.
    """
    levels = np.clip(norm.ppf(np.linspace(0, 1, KNOTS)), -EDGE, EDGE)
    count = x.shape[1]
    ways = layers.DepthwiseConv2D(1, depth_multiplier=KNOTS - 1, trainable=False, name="standardize")
    x = ways(layers.Reshape((1, 1, count))(x))
    x = layers.Reshape((count, KNOTS - 1))(layers.ReLU(max_value=WAY)(x))
    rises = np.diff(levels / WAY).astype(np.float32)
    return keras.ops.sum(x * rises, axis=2) + levels[0].astype(np.float32)


def adapt(layer, values):
    """Set the layer "standardize" of this model.

    Args:
      layer: that layer.
      values: what reaches it from the training clips, float [clips, 1, 1, values].
    """
    quantiles = np.quantile(np.asarray(values)[:, 0, 0], np.linspace(0, 1, KNOTS), axis=0)
    factors = 1 / np.maximum(np.diff(quantiles, axis=0) / WAY, LEAST_STEP)
    layer.set_weights([factors.T[np.newaxis, np.newaxis], np.ravel((-quantiles[:-1] * factors).T)])
