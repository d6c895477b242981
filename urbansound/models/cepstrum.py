"""Statistics of a clip's log-mel under one hidden layer: 22 k parameters that train in seconds.

The statistics are older than deep networks: how the cepstral coefficients (the log-mel's cosine transform)
lie, spread and step over time, how loudness and onsets rise and fall within stretches of some frames, how far
neighbouring bands lie apart. None depends on the clip's level and none is learned, so they are computed once
per clip and cached.
"""

import keras
import numpy as np
from keras import layers
from scipy.fft import dct
from scipy.stats import norm

from urbansound.models import parts
from urbansound.models.record import FLOAT, Architecture, Int8

COEFFICIENTS = 14
STRETCHES = (4, 16, 64)  # frames
NEIGHBOURS = 8  # mel bands
HIDDEN = 256
KNOTS = 17  # of each statistic's distribution among the training clips
LEAST_STEP = 1e-3  # between two quantiles: its inverse is finite in float16
EDGE = 2.5  # deviations: values outside the training clips' range count as its ends
# Standard deviation of the noise that is added to the normal scores in training. With much less of it the
# network remembers recordings: held-out ones score three points lower.
NOISE = 0.8
RANKS = "ranks"  # the first layer of the head


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = RankScores(name=RANKS)(statistics(log_mel))
    x = layers.GaussianNoise(NOISE)(x)
    units = max(8, round(HIDDEN * config.width))
    x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name="hidden")(x)
    return keras.Model(log_mel, parts.scores(x, n_classes, config), name="cepstrum")


def statistics(log_mel):
    """Log-mel [batch, frames, n_mels] to [batch, statistics], for 64 bands 70 of them.

      - mean (but of the first), mean deviation and mean step of COEFFICIENTS cepstral coefficients;
      - `range_within` stretches of the first coefficient, the loudness, and of the onset, and the onset's mean;
      - mean and mean deviation of the contrast within NEIGHBOURS bands.

    Their units differ and play no part, since `RankScores` follows.
    """
    _, frames, n_mels = log_mel.shape
    x = log_mel - keras.ops.mean(log_mel, axis=(1, 2), keepdims=True)
    cosines = dct(np.eye(n_mels), axis=1, norm="ortho")[:, :COEFFICIENTS].astype(np.float32)
    coefficients = keras.ops.matmul(x, cosines)  # [batch, frames, coefficients]
    mean = keras.ops.mean(coefficients, axis=1, keepdims=True)
    bands = keras.ops.expand_dims(x, axis=3)
    contrast = keras.ops.squeeze(_highest(bands, (1, NEIGHBOURS)) - _lowest(bands, (1, NEIGHBOURS)), axis=3)
    typical = keras.ops.mean(contrast, axis=1, keepdims=True)
    values = [mean[:, 0, 1:], _mean_size(coefficients - mean), *range_within((coefficients - mean)[:, :, :1])]
    values += [typical[:, 0], _mean_size(contrast - typical)]
    if frames > 1:  # one frame has no steps
        onset = keras.ops.mean(keras.ops.relu(x[:, 1:] - x[:, :-1]), axis=2, keepdims=True)
        values += [
            _mean_size(coefficients[:, 1:] - coefficients[:, :-1]),
            keras.ops.mean(onset, axis=1),
            *range_within(onset),
        ]
    return layers.Concatenate()(values)


def range_within(curve):
    """Highest and lowest value of a curve [batch, frames, 1] within stretches of frames, each averaged over time.

    Yields:
      [batch, 1] twice for each of STRETCHES.
    """
    picture = keras.ops.expand_dims(curve, axis=2)
    for stretch in STRETCHES:
        window = (min(stretch, curve.shape[1]), 1)
        for extreme in (_highest, _lowest):
            yield keras.ops.mean(extreme(picture, window, "valid"), axis=(1, 2))


def _highest(picture, window, padding="same"):
    """The largest value of each `window` of [batch, height, width, channels], windows next to each other."""
    return layers.MaxPooling2D(window, padding=padding)(picture)


def _lowest(picture, window, padding="same"):
    return -_highest(-picture, window, padding)


def _mean_size(x):
    """Mean of |x| over time: [batch, time, values] to [batch, values]."""
    return keras.ops.mean(keras.ops.abs(x), axis=1)


@keras.saving.register_keras_serializable(package="urbansound")
class RankScores(layers.Layer):
    """Each value [batch, values] as the normal deviate of its rank among the training clips, within EDGE.

    Straight between KNOTS quantiles, which `adapt` learns.
    """

    def build(self, input_shape):
        """Make the quantiles float32 [KNOTS, values]; until `adapt`, those of a normal distribution."""
        start = np.broadcast_to(_levels()[:, np.newaxis], (KNOTS, input_shape[-1]))
        self.quantiles = self.add_weight(
            shape=start.shape, initializer=lambda *_, **__: start, trainable=False, name="quantiles"
        )
        super().build(input_shape)

    def adapt(self, data):
        """Learn the quantiles of each value from `data`, an array or a dataset of batches [batch, values]."""
        batches = [data] if isinstance(data, np.ndarray) else data
        values = np.concatenate([np.asarray(batch) for batch in batches])
        self.quantiles.assign(np.quantile(values, np.linspace(0, 1, KNOTS), axis=0))

    def call(self, x):
        """Scores [batch, values]: how far `x` lies between each quantile and the next, 0 to 1, weighed and added."""
        step = keras.ops.maximum(self.quantiles[1:] - self.quantiles[:-1], LEAST_STEP)
        share = keras.ops.clip((keras.ops.expand_dims(x, axis=1) - self.quantiles[:-1]) / step, 0, 1)
        levels = _levels()
        return keras.ops.sum(share * np.diff(levels)[:, np.newaxis], axis=1) + levels[0]


def _levels():
    """The normal deviate of each quantile, float32 [KNOTS]."""
    return np.clip(norm.ppf(np.linspace(0, 1, KNOTS)), -EDGE, EDGE).astype(np.float32)


ARCHITECTURE = Architecture(
    name="cepstrum",
    summary="Statistics of cepstrum, loudness and onsets under one hidden layer.",
    build=build,
    embedding=RANKS,
    int8=Int8(
        pieces=((None, FLOAT),), why="Ranks need more than 8 bits, and it is few operations.", integer_only=False
    ),
)
