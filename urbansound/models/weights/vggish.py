"""VGGish's published weights: the TensorFlow 1 checkpoint vggish_model.ckpt and vggish_pca_params.npz."""

import lzma
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from urbansound.errors import InputError

CHECKPOINT_URL = "https://storage.googleapis.com/audioset/vggish_model.ckpt"
PCA_URL = "https://storage.googleapis.com/audioset/vggish_pca_params.npz"
PCA_BYTES = 1 << 24  # the published one takes 132 kB
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
SCOPES = (
    "vggish/conv1",
    "vggish/conv2",
    "vggish/conv3/conv3_1",
    "vggish/conv3/conv3_2",
    "vggish/conv4/conv4_1",
    "vggish/conv4/conv4_2",
    "vggish/fc1/fc1_1",
    "vggish/fc1/fc1_2",
    "vggish/fc2",
)


def load(model, config, _class_names=()):
    """Set the body of a model built by `models.vggish`, from the files that its settings name.

    Returns:
      Whether there was a checkpoint to load; with config.vggish_checkpoint None the body stays random.

    Raises:
      InputError: no such file, not VGGish's, damaged, or the model has other shapes than its variables; the model is
        as it was then.
    """
    if config.vggish_checkpoint is None:
        return False
    layers = {scope: model.get_layer(scope.split("/")[-1]) for scope in SCOPES}
    shapes = {}
    for scope, layer in layers.items():
        shapes |= {f"{scope}/weights": tuple(layer.kernel.shape), f"{scope}/biases": tuple(layer.bias.shape)}
    variables = _read(config.vggish_checkpoint, shapes)
    if config.vggish_pca is not None:
        model.get_layer("pca").set_weights(read_pca(config.vggish_pca, model.get_layer("pca").units))
    for scope, layer in layers.items():
        layer.set_weights([variables[f"{scope}/{part}"] for part in ("weights", "biases")])
    return True


def read_pca(path, values):
    """The published PCA as a layer of weights.

    Args:
      path: the .npz file of pca_eigen_vectors [values, values], a row per component, and pca_means [values].
      values: length of an embedding.

    Returns:
      (kernel float32 [values, values], bias float32 [values]): embedding @ kernel + bias is
      pca_eigen_vectors @ (embedding - pca_means).

    Raises:
      InputError: no such file, or an array that it lacks or that has another shape.
    """
    try:
        with open(path, "rb") as file:
            _check_size(file)
            with np.load(file, allow_pickle=False) as arrays:
                stored = dict(arrays)
    except FileNotFoundError:
        raise InputError(f"{path}: no PCA parameters there; download {PCA_URL} and pass --vggish_pca=FILE") from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError, MemoryError, RuntimeError, *DAMAGED_ZIP):
        raise InputError(f"{path}: not an .npz file; download {PCA_URL}") from None
    if "pca_means" in stored:
        stored["pca_means"] = stored["pca_means"].reshape(-1)  # a column in some copies
    shapes = {name: array.shape for name, array in stored.items()}
    _check_shapes(path, shapes, {"pca_eigen_vectors": (values, values), "pca_means": (values,)}, PCA_URL)
    components, means = (stored[name].astype(np.float64) for name in ("pca_eigen_vectors", "pca_means"))
    return components.T.astype(np.float32), (-components @ means).astype(np.float32)


def _check_size(file):
    """Raise ValueError for an .npz file whose arrays take more than PCA_BYTES when they are unpacked."""
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > PCA_BYTES:
            raise ValueError("too large")
    file.seek(0)


def _read(path, shapes):
    """{variable: array} of those that `shapes` names, all of the checkpoint at `path` or none."""
    try:
        reader = tf.train.load_checkpoint(path)
    except (tf.errors.OpError, ValueError, IndexError):  # the last where a file ends too early
        raise InputError(
            f"{path}: no TensorFlow checkpoint there; download {CHECKPOINT_URL} and pass --vggish_checkpoint=FILE "
            "(none: random weights)"
        ) from None
    _check_shapes(path, reader.get_variable_to_shape_map(), shapes, CHECKPOINT_URL)
    try:
        return {name: reader.get_tensor(name) for name in shapes}
    except (tf.errors.OpError, IndexError):
        raise InputError(f"{path}: damaged, its variables can't be read; download {CHECKPOINT_URL} again") from None


def _check_shapes(path, found, expected, url):
    for name, shape in expected.items():
        if name not in found:
            raise InputError(f"{path}: has no {name}, which should be {list(shape)}; download {url}")
        if tuple(found[name]) != shape:
            raise InputError(
                f"{path}: {name} is {list(found[name])}, but the model takes {list(shape)}; "
                f"start from configs/vggish.flags, or download {url}"
            )
