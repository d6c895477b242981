"""A float TFLite file to an int8 one by ai-edge-quantizer, its ranges from calibration data, its precision checked."""

import warnings

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import qtyping, quantizer

from export.tflite.join import pack, unpack

BUILTIN, KIND = schema.BuiltinOperator, schema.TensorType
CASTS = (BUILTIN.QUANTIZE, BUILTIN.DEQUANTIZE)
FLOATS = (KIND.FLOAT32, KIND.FLOAT16, KIND.FLOAT64)
NAMES = {value: name for name, value in vars(BUILTIN).items() if isinstance(value, int)}
# Convolutions of all kinds and matrix products: their second input is weights, the last axis of their result channels.
WEIGHTED = tuple(code for code, name in NAMES.items() if name.endswith(("CONV_2D", "CONV_3D", "FULLY_CONNECTED")))


def static_int8(content, calibration, float_ends):
    """The file with int8 weights, a step for each output channel, and int8 activations, a step for each tensor.

    A tensor's range is the widest of all calibration inputs: ai-edge-quantizer's own, a moving average over
    them, cuts off loud clips and lost 20 points of accuracy (measured).

    Args:
      content: the float file, of one input.
      calibration: iterable of the inputs of training clips, float32 of the input's shape.
      float_ends: whether input and output stay float.
    """
    engine = quantizer.Quantizer(content)
    engine.add_static_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8)
    for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT) if float_ends else ():
        engine.update_quantization_recipe(".*", end, algorithm_key=quantizer.AlgorithmName.NO_QUANTIZE)
    return _quantized(engine, _ranges(content, calibration))


def int8_weights(content):
    """The file with the weights of convolutions and matrix products in int8; it computes in float."""
    engine = quantizer.Quantizer(content)
    engine.add_weight_only_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=8)
    return _quantized(engine, None)


def codes(model, graph=0):
    """The operations of a ModelT's graph (0 is the main one) in order, as (BuiltinOperator, OperatorT)."""
    return [(model.operatorCodes[op.opcodeIndex].builtinCode, op) for op in model.subgraphs[graph].operators]


def float_operations(content):
    """Names of the operations, loops' bodies included, that read or write floating point, casts left out."""
    return _of_types(content, FLOATS, lambda op: (*op.inputs, *op.outputs))


def int8_operations(content):
    """Names of the operations, loops' bodies included, that write int8, casts left out."""
    return _of_types(content, (KIND.INT8,), lambda op: op.outputs)


def float_weights(content):
    """Names of the convolutions and matrix products whose constant weights are floating point."""
    model = unpack(content)
    result = []
    for number, graph in enumerate(model.subgraphs):
        cast = {op.outputs[0]: op.inputs[0] for code, op in codes(model, number) if code == BUILTIN.DEQUANTIZE}
        for code, op in codes(model, number):
            if code in (*WEIGHTED, BUILTIN.BATCH_MATMUL):
                weights = graph.tensors[cast.get(op.inputs[1], op.inputs[1])]
                if model.buffers[weights.buffer].data is not None and weights.type in FLOATS:
                    result.append(NAMES[code])
    return result


def _of_types(content, types, tensors_of):
    """Names of the operations that have a tensor of one of the types among `tensors_of(operation)`, casts left out."""
    model = unpack(content)
    return [
        NAMES[code]
        for number, graph in enumerate(model.subgraphs)
        for code, op in codes(model, number)
        if code not in CASTS and any(i >= 0 and graph.tensors[i].type in types for i in tensors_of(op))
    ]


def interpreter(content, **options):
    """TFLite's interpreter of a file, ready to run, without delegates: they hide what lies between fused operations."""
    made = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, **options
    )
    made.allocate_tensors()
    return made


def _quantized(engine, ranges):
    with warnings.catch_warnings():
        # It opens an interpreter that keeps all tensors, and is told that this takes memory.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors", category=UserWarning)
        result = engine.quantize(ranges, enable_progress_bar=False, enable_progress_report=False).quantized_model
    model = unpack(result)
    _match_unread(model.subgraphs[0])
    return pack(model)


def _match_unread(graph):
    """Give a float result that nothing reads the type of the operation's others; XNNPACK refuses mixed ones.

    The quantizer leaves it in float: the second gate of a GRU's first step is one.
    """
    read = {*graph.outputs, *(i for op in graph.operators for i in op.inputs)}
    for op in graph.operators:
        results = [graph.tensors[i] for i in op.outputs]
        rounded = [tensor for tensor in results if tensor.type == KIND.INT8]
        for number, tensor in zip(op.outputs, results, strict=True):
            if rounded and number not in read:
                tensor.type, tensor.quantization = rounded[0].type, rounded[0].quantization


def _ranges(content, calibration):
    """{tensor: {"min", "max"}}, each of the tensor's rank, of all that is computed in float."""
    runner = interpreter(content, experimental_preserve_all_tensors=True)
    model = unpack(content)
    computed = {*model.subgraphs[0].inputs, *(output for _, op in codes(model) for output in op.outputs)}
    details = [t for t in runner.get_tensor_details() if t["dtype"] == np.float32 and t["index"] in computed]
    ranges = {t["index"]: [0.0, 0.0] for t in details}
    for values in calibration:
        runner.set_tensor(runner.get_input_details()[0]["index"], values)
        runner.invoke()
        for index, (low, high) in ranges.items():
            tensor = runner.get_tensor(index)
            ranges[index] = [min(low, tensor.min()), max(high, tensor.max())]
    result = {}
    for detail in details:
        low, high = (np.full((1,) * len(detail["shape"]), end, np.float32) for end in ranges[detail["index"]])
        result[detail["name"]] = {"min": low, "max": high}
    return result
