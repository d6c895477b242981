"""VGGish, Google's VGG trained on the sounds of YouTube, as an embedding of every 0.96 s, with a head on top.

Its input is ln(mel + 0.01) as configs/vggish.flags sets it.

Source: Hershey et al. 2017; tensorflow/models research/audioset/vggish.
"""

import keras
from keras import layers

from urbansound.models import heads, parts
from urbansound.models.record import FLOAT, INT8, Architecture, Int8
from urbansound.models.weights import vggish as weights

EXAMPLE_FRAMES = 96
CLIP = 2.0  # the largest value, and less the smallest, that the published postprocessing lets through
# name, channels at width 1, max pooling after it
CONVOLUTIONS = (
    ("conv1", 64, 2),
    ("conv2", 128, 2),
    ("conv3_1", 256, 1),
    ("conv3_2", 256, 2),
    ("conv4_1", 512, 1),
    ("conv4_2", 512, 2),
)
# name, values at width 1, activation
DENSE = (("fc1_1", 4096, "relu"), ("fc1_2", 4096, "relu"), ("fc2", 128, None))


def build(input_shape, n_classes, config):
    """The network; see `Architecture.build`."""
    log_mel = keras.Input(input_shape, name="log_mel")
    x = embedding(_examples(log_mel), config)  # [batch * examples, values]
    if config.vggish_pca is not None:
        x = postprocessed(x)
    x = keras.ops.reshape(x, (-1, _count(input_shape[0]), x.shape[-1]))  # [batch, examples, values]
    return keras.Model(log_mel, heads.over_time(x, n_classes, config), name="vggish")


def embedding(examples, config):
    """VGGish itself: examples [n, EXAMPLE_FRAMES, n_mels, 1] to embeddings [n, 128 at width 1].

    Args:
      examples: a Keras tensor.
      config: a ModelConfig; its trainable_blocks are layers with weights here, nine in all.
    """
    x, place = examples, len(CONVOLUTIONS) + len(DENSE)  # of a layer, counted from the last
    for name, channels, pooling in CONVOLUTIONS:
        options = _options(name, place, config)
        x = layers.Conv2D(parts.channels(channels, config.width), 3, padding="same", activation="relu", **options)(x)
        place -= 1
        if pooling > 1:
            x = layers.MaxPooling2D(pooling, padding="same")(x)
    x = layers.Flatten()(x)  # time first, then bands, then channels, as fc1_1 was trained
    for name, values, activation in DENSE:
        x = layers.Dense(parts.channels(values, config.width), activation, **_options(name, place, config))(x)
        place -= 1
    return x


def postprocessed(embeddings):
    """The published PCA, whitening included, and clipping of embeddings [n, values]; same shape.

    AudioSet's own files hold these rounded to 8 bits, which an int8 file does anyway.
    """
    x = layers.Dense(embeddings.shape[-1], name="pca", trainable=False)(embeddings)
    # Of ReLUs, since int8 files know no minimum.
    return CLIP - layers.ReLU()(2 * CLIP - layers.ReLU()(x + CLIP))


def _options(name, place, config):
    return {"name": name, "kernel_initializer": "he_normal", "trainable": place <= config.trainable_blocks}


def _examples(log_mel):
    """Stretches of [batch, frames, n_mels], end to end, as pictures [batch * examples, EXAMPLE_FRAMES, n_mels, 1].

    The rest at the end is left out, as in the original; a clip too short for one example is repeated.
    """
    _, frames, n_mels = log_mel.shape
    if frames < EXAMPLE_FRAMES:
        log_mel = layers.Concatenate(axis=1)([log_mel] * (-(-EXAMPLE_FRAMES // frames)))
    whole = log_mel[:, : _count(frames) * EXAMPLE_FRAMES]
    return keras.ops.reshape(whole, (-1, EXAMPLE_FRAMES, n_mels, 1))


def _count(frames):
    """Examples in so many frames."""
    return max(frames // EXAMPLE_FRAMES, 1)


ARCHITECTURE = Architecture(
    name="vggish",
    summary="Google's VGGish, trained on the sounds of YouTube, under the same head.",
    build=build,
    load_weights=weights.load,
    origin=lambda config: config.vggish_checkpoint and "Google's VGGish, trained on YouTube-8M (weights: Apache 2.0)",
    embedding=heads.FIRST,
    int8=Int8(
        pieces=(("conv1", FLOAT), ("fc2", INT8), (None, FLOAT)),
        why="The first convolution and the head are few operations.",
    ),
)
