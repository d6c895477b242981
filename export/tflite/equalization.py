"""Channels of a float TFLite file brought closer in range, so that they share the steps of an int8 tensor fairly.

In MobileNets most channels of a tensor may lie a hundred times below its loudest; int8 rounds them away. Between
two convolutions with a ReLU a channel may be divided by any positive factor, if what reads it multiplies: the
same function in float. So may one of the last convolution, if the standardisation of its pooled values takes it back.

Source: Nagel, van Baalen, Blankevoort, Welling 2019 (cross-layer equalization), here by activations, since weights
have a step for each channel anyway.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.tflite.convert.quantization import BUILTIN, codes, interpreter, pack, unpack

# Axes of output and input channels in the weights.
AXES = {BUILTIN.CONV_2D: (0, 3), BUILTIN.DEPTHWISE_CONV_2D: (3, 3), BUILTIN.FULLY_CONNECTED: (0, 1)}
POOLING = (BUILTIN.MEAN, BUILTIN.REDUCE_MAX, BUILTIN.RESHAPE)  # as large as what they take
LEAST = 0.01  # no channel is raised by more than a hundred times


def equalized(content, calibration):
    """The same function with each channel between two convolutions closer to the range of the loudest.

    Args:
      content: a float file, input float32 [1, ...].
      calibration: float32 [clips, ...], inputs to take the channels' ranges from.

    Returns:
      The file's bytes; unchanged where no depthwise convolution stands next to another convolution and no
      embedding is standardised.
    """
    model = unpack(content)
    pairs, embedding = _pairs(model), _embedding(model)
    if not pairs and embedding is None:
        return content
    tensors = [first.outputs[0] for (_, first), _ in pairs]
    loudest = _loudest(content, tensors + ([embedding[1].outputs[0]] if embedding else []), calibration)
    for (first_code, first), (second_code, second) in pairs:
        factor = _factor(loudest[first.outputs[0]])
        _divide_output(model, first_code, first, factor)
        _multiply(model, second.inputs[1], factor, AXES[second_code][1])
    if embedding:
        code, last, parts, mean, scale = embedding
        factor = _factor(loudest[last.outputs[0]])
        _divide_output(model, code, last, factor)
        factors = np.concatenate([factor if ours else np.ones(size) for size, ours in parts])
        _multiply(model, mean, 1 / factors, -1)
        _multiply(model, scale, factors, -1)
        for reader in _layers_on(model, last):
            _multiply(model, reader.inputs[1], factor, 1)
    return pack(model)


def _factor(channels):
    """What to divide channels of these largest values by."""
    # The root: raised all the way, a quiet channel is loud where its weights multiply it, and rounds there instead.
    return np.maximum(np.sqrt(channels / max(channels.max(), 1e-12)), LEAST)


def _divide_output(model, code, op, factor):
    _multiply(model, op.inputs[1], 1 / factor, AXES[code][0])
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        _multiply(model, op.inputs[2], 1 / factor, 0)


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


def _embedding(model):
    """The layer whose pooled values are standardised, or None.

    Returns:
      (code, operator, [(values, whether they are its pooled ones)] of what is standardised, tensor of means,
      tensor of scales).
    """
    tensors = model.subgraphs[0].tensors
    made_by = {op.outputs[0]: (code, op) for code, op in codes(model)}
    for code, op in codes(model):
        source = made_by.get(op.inputs[0], (None, None))
        if code != BUILTIN.MUL or source[0] != BUILTIN.SUB or source[1].inputs[1] in made_by:
            continue
        scale, mean, values = op.inputs[1], source[1].inputs[1], source[1].inputs[0]
        joined = made_by.get(values, (None, None))
        sources = list(joined[1].inputs) if joined[0] == BUILTIN.CONCATENATION else [values]
        pooled = [_before_pooling(made_by, value) for value in sources]
        code, layer = pooled[0]
        if code in AXES:
            parts = [(tensors[value].shape[-1], made[1] is layer) for value, made in zip(sources, pooled, strict=True)]
            channels = tensors[layer.outputs[0]].shape[-1]
            fits = sum(size for size, _ in parts) == tensors[mean].shape[-1]
            if fits and all(size == channels for size, ours in parts if ours):
                return code, layer, parts, mean, scale
    return None


def _layers_on(model, layer):
    """Fully connected layers that read what `layer` gives, pooled."""
    made_by = {op.outputs[0]: (code, op) for code, op in codes(model)}
    connected = [op for code, op in codes(model) if code == BUILTIN.FULLY_CONNECTED]
    return [op for op in connected if _before_pooling(made_by, op.inputs[0])[1] is layer]


def _before_pooling(made_by, tensor):
    """(code, operator) that a tensor comes from, poolings left out; (None, None) for an input."""
    made = made_by.get(tensor, (None, None))
    while made[0] in POOLING:
        made = made_by.get(made[1].inputs[0], (None, None))
    return made


def _loudest(content, tensors, calibration):
    """{tensor: largest value float32 [channels] of each channel} over all calibration inputs."""
    runner = interpreter(content, experimental_preserve_all_tensors=True)
    result = dict.fromkeys(tensors, 0.0)
    for clip in calibration:
        runner.set_tensor(runner.get_input_details()[0]["index"], clip[np.newaxis])
        runner.invoke()
        for index in tensors:
            values = np.abs(runner.get_tensor(index))
            result[index] = np.maximum(result[index], values.max(axis=tuple(range(values.ndim - 1))))
    return result


def _multiply(model, tensor, factors, axis):
    """Multiply a constant float tensor by float [channels] along one of its axes."""
    tensor = model.subgraphs[0].tensors[tensor]
    buffer = model.buffers[tensor.buffer]
    values = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape)
    factors = np.reshape(factors, [-1 if i == axis % values.ndim else 1 for i in range(values.ndim)])
    buffer.data = np.frombuffer((values * factors).astype(np.float32).tobytes(), np.uint8)
