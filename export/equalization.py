"""Channels of a float TFLite file brought to one range, so that they share the steps of an int8 tensor fairly.

In MobileNets most channels of a tensor may lie a hundred times below its loudest; int8 rounds them away. Between
two convolutions with a ReLU a channel may be divided by any positive factor, if what reads it multiplies: the
same function in float.

Source: Nagel, van Baalen, Blankevoort, Welling 2019 (cross-layer equalization), here by activations, since weights
have a step for each channel anyway.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.quantization import BUILTIN, codes, interpreter, pack, unpack

AXES = {BUILTIN.CONV_2D: (0, 3), BUILTIN.DEPTHWISE_CONV_2D: (3, 3)}  # of output and input channels in the weights
LEAST = 0.01  # of the loudest channel's range: what lies lower is not raised all the way


def equalized(content, calibration):
    """The same function with each channel between two convolutions at the range of the loudest.

    Args:
      content: a float file, input float32 [1, ...].
      calibration: float32 [clips, ...], inputs to take the channels' ranges from.

    Returns:
      The file's bytes; unchanged where no depthwise convolution stands next to another convolution.
    """
    model = unpack(content)
    pairs = _pairs(model)
    if not pairs:
        return content
    loudest = _loudest(content, [first.outputs[0] for (_, first), _ in pairs], calibration)
    for (first_code, first), (second_code, second) in pairs:
        channels = loudest[first.outputs[0]]
        factor = np.maximum(channels / max(channels.max(), 1e-12), LEAST)
        _multiply(model, first.inputs[1], 1 / factor, AXES[first_code][0])
        _multiply(model, first.inputs[2], 1 / factor, 0)
        _multiply(model, second.inputs[1], factor, AXES[second_code][1])
    return pack(model)


def _pairs(model):
    """[((code, operator), (code, operator))], one of them depthwise, the ReLU of the first read by the second alone."""
    # Elsewhere the channels' spread does no harm, and the room above the quieter ones serves clips louder than these.
    depthwise, relu, operators = BUILTIN.DEPTHWISE_CONV_2D, schema.ActivationFunctionType.RELU, codes(model)
    pairs = []
    for code, op in operators:
        if code in AXES and op.builtinOptions.fusedActivationFunction == relu:
            readers = [(other, reader) for other, reader in operators if op.outputs[0] in list(reader.inputs)]
            if len(readers) == 1 and depthwise in (code, readers[0][0]) and readers[0][0] in AXES:
                pairs.append(((code, op), readers[0]))
    return pairs


def _loudest(content, tensors, calibration):
    """{tensor: largest value float32 [channels] of each channel} over all calibration inputs."""
    runner = interpreter(content, experimental_preserve_all_tensors=True)
    result = dict.fromkeys(tensors, 0.0)
    for clip in calibration:
        runner.set_tensor(runner.get_input_details()[0]["index"], clip[np.newaxis])
        runner.invoke()
        for index in tensors:
            result[index] = np.maximum(result[index], runner.get_tensor(index).max(axis=(0, 1, 2)))
    return result


def _multiply(model, tensor, factors, axis):
    """Multiply a constant float tensor by float [channels] along one of its axes."""
    tensor = model.subgraphs[0].tensors[tensor]
    buffer = model.buffers[tensor.buffer]
    values = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape)
    factors = np.reshape(factors, [-1 if i == axis else 1 for i in range(values.ndim)])
    buffer.data = np.frombuffer((values * factors).astype(np.float32).tobytes(), np.uint8)
