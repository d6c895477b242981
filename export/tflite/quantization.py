"""A float TFLite file to an int8 one by ai-edge-quantizer, its ranges from calibration data, its precision checked."""

import warnings

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import qtyping, quantizer

from export.tflite.join import pack, unpack

BUILTIN, KIND = schema.BuiltinOperator, schema.TensorType
WEIGHTED = (BUILTIN.CONV_2D, BUILTIN.DEPTHWISE_CONV_2D, BUILTIN.CONV_3D, BUILTIN.FULLY_CONNECTED)
CASTS = (BUILTIN.QUANTIZE, BUILTIN.DEQUANTIZE)
FLOATS = (KIND.FLOAT32, KIND.FLOAT16, KIND.FLOAT64)
NAMES = {value: name for name, value in vars(BUILTIN).items() if isinstance(value, int)}


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


def codes(model):
    """The operations of a ModelT's main graph in order, as (BuiltinOperator, OperatorT)."""
    return [(model.operatorCodes[op.opcodeIndex].builtinCode, op) for op in model.subgraphs[0].operators]


def float_operations(content):
    """Names of the operations that read or write floating point, casts left out, in order."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    return [
        NAMES[code]
        for code, op in codes(model)
        if code not in CASTS and any(i >= 0 and tensors[i].type in FLOATS for i in (*op.inputs, *op.outputs))
    ]


def int8_operations(content):
    """Names of the operations that write int8, casts left out, in order."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    return [
        NAMES[code]
        for code, op in codes(model)
        if code not in CASTS and any(tensors[i].type == KIND.INT8 for i in op.outputs)
    ]


def float_weights(content):
    """Names of the convolutions and matrix products whose constant weights are floating point, in order."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    cast = {op.outputs[0]: op.inputs[0] for code, op in codes(model) if code == BUILTIN.DEQUANTIZE}
    result = []
    for code, op in codes(model):
        if code in WEIGHTED:
            weights = tensors[cast.get(op.inputs[1], op.inputs[1])]
            if model.buffers[weights.buffer].data is not None and weights.type in FLOATS:
                result.append(NAMES[code])
    return result


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
    return pack(unpack(result))


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
