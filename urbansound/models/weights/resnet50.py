"""ImageNet's weights of keras.applications.ResNet50, for one input channel."""

from pathlib import Path

import keras
import numpy as np

from urbansound.errors import InputError

IMAGENET = "imagenet"
URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
STEM = "conv1_conv"


def load(model, config, _class_names=()):
    """Set all but the last layer of a model built by `models.resnet50`; with config.resnet_weights None, nothing.

    The stem's kernel becomes the sum of its three channels: a grey picture through one channel then gives
    what it gives through three equal ones.

    Returns:
      Whether there were weights to load.

    Raises:
      InputError: the weights can't be downloaded; no such file, or it is not ResNet50's.
    """
    if config.resnet_weights is None:
        return False
    for layer in _published(config.resnet_weights).layers:
        weights = layer.get_weights()
        if layer.name == STEM:
            weights[0] = np.sum(weights[0], axis=2, keepdims=True)  # [height, width, 1, channels]
        if weights:
            model.get_layer(layer.name).set_weights(weights)
    return True


def _published(weights):
    """keras.applications.ResNet50 without its top, of "imagenet" or a file."""
    advice = f"download {URL} and pass --resnet_weights=FILE (none: random weights)"
    if weights != IMAGENET and not Path(weights).is_file():
        raise InputError(f"{weights}: no ResNet50 weights there; {advice}")
    try:
        return keras.applications.ResNet50(include_top=False, weights=weights)
    except Exception as error:  # Keras raises Exception itself where it can't download
        reason = " ".join(str(error).split())[:200]
        if weights == IMAGENET:
            raise InputError(f"ResNet50's ImageNet weights can't be had ({reason}); {advice}") from None
        raise InputError(f"{weights}: not ResNet50's weights without its top ({reason}); {advice}") from None
