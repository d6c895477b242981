"""YAMNet's published weights: yamnet.h5 (Keras 2, batch normalization apart) or yamnet.tflite (int8, folded in)."""

import struct
from pathlib import Path

import numpy as np

from urbansound.errors import InputError

URL = "https://storage.googleapis.com/audioset/yamnet.h5"
N_MELS = 64
EPSILON = 1e-4  # of its batch normalization, which has no scale
CONVOLUTIONS = (
    "layer1/conv",
    *(f"layer{block}/{kind}_conv" for block in range(2, 15) for kind in ("depthwise", "pointwise")),
)
CLASSIFIER = "dense"
LARGEST_BYTES = 1 << 24  # of a variable; YAMNet's are at most 4 MB


def load(model, config, class_names=()):
    """Set the weights of a model built by `models.yamnet` that are YAMNet's; with config.yamnet_weights None, nothing.

    These are its convolutions, and the rows of its last layer for the classes that config.yamnet_classes names.

    Returns:
      Whether there was a file to load.

    Raises:
      InputError: no such file, or it is not YAMNet's.
    """
    if config.yamnet_weights is None:
        return False
    weights = read(config.yamnet_weights)
    if model.input.shape[-1] != N_MELS:
        raise InputError(
            f"YAMNet takes {N_MELS} mel bands. Received: n_mels={model.input.shape[-1]}; "
            "start from configs/yamnet.flags"
        )
    for name in CONVOLUTIONS:
        model.get_layer(name.replace("/", "_")).set_weights(weights[name])
    if config.yamnet_classes:
        known = audioset_classes(config.yamnet_classes, class_names)
        layer = model.get_layer("audioset")
        for mine, theirs in zip(layer.weights, weights[CLASSIFIER], strict=True):
            values = np.zeros(mine.shape, np.float32)
            values[..., list(known)] = theirs[..., list(known.values())]
            mine.assign(values)
    return True


def audioset_classes(entries, class_names):
    """{place in `class_names`: AudioSet's class} of the entries "name=class" whose name is among them."""
    named = dict(entry.rsplit("=", 1) for entry in entries)
    return {i: int(named[name]) for i, name in enumerate(class_names) if name in named}


def read(path):
    """The weights in a published file, batch normalization folded into the convolutions.

    Args:
      path: yamnet.h5 or yamnet.tflite, whose int8 weights are dequantised.

    Returns:
      {name: (kernel, bias)}, float32 in Keras's layout: for each of CONVOLUTIONS a kernel [height, width,
      in, out], where depthwise [height, width, in, 1]; for CLASSIFIER [1024, 521].

    Raises:
      InputError: no such file, or it is not YAMNet's.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no YAMNet weights there; download {URL} and pass --yamnet_weights=FILE (none: random weights)"
        )
    try:
        weights = _read_tflite(path) if path.suffix == ".tflite" else _read_h5(path)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, struct.error, MemoryError) as error:
        raise InputError(f"{path}: not YAMNet's weights ({error}); download {URL}") from None
    return weights


def _read_h5(path):
    import h5py

    def variable(name):
        (found,) = (item for key, item in stored.items() if f"/{key}".endswith(f"/{name}:0"))
        # A file may say that its values are those of any other file.
        if found.external or found.is_virtual or found.nbytes > LARGEST_BYTES:
            raise ValueError(f"{name} has {found.nbytes} bytes, or lies in another file")
        return found[()]

    def folded(name):
        mean, variance, shift = (
            variable(f"{name}/bn/{part}") for part in ("moving_mean", "moving_variance", "beta")
        )  # [channels] each
        scale = 1 / np.sqrt(variance + EPSILON)
        if "depthwise" in name:
            return variable(f"{name}/depthwise_kernel") * scale[:, np.newaxis], shift - mean * scale
        return variable(f"{name}/kernel") * scale, shift - mean * scale

    stored = {}
    with h5py.File(path) as file:
        # Groups repeat the names of layers, which hold slashes themselves: the last parts are the variable's.
        file.visititems(lambda name, item: stored.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        weights = {name: folded(name) for name in CONVOLUTIONS}
        return weights | {CLASSIFIER: (variable(f"{CLASSIFIER}/kernel"), variable(f"{CLASSIFIER}/bias"))}


def _read_tflite(path):
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError("no TFLite file")
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    codes = [code.builtinCode for code in model.operatorCodes]
    weighted = {getattr(schema.BuiltinOperator, name) for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")}
    graph = model.subgraphs[0]
    _, *operators = (op for op in graph.operators if codes[op.opcodeIndex] in weighted)  # the first is the filterbank

    def constant(index):
        tensor = graph.tensors[index]
        dtype = np.int8 if tensor.type == schema.TensorType.INT8 else np.float32
        values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)
        if dtype == np.float32:
            return values
        steps = tensor.quantization
        along = [-1 if axis == steps.quantizedDimension else 1 for axis in range(values.ndim)]
        scale, zero = (np.reshape(part, along) for part in (steps.scale, steps.zeroPoint))
        return ((values - zero) * scale).astype(np.float32)

    # [out, height, width, in], where depthwise [1, height, width, in], or [out, in]: the first axis goes last.
    weights = [(np.moveaxis(constant(op.inputs[1]), 0, -1), constant(op.inputs[2])) for op in operators]
    return dict(zip((*CONVOLUTIONS, CLASSIFIER), weights, strict=True))
