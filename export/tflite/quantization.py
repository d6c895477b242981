"""A float TFLite file to an int8 one: ranges from calibration data, static int8 by ai-edge-quantizer, mended.

A file is bytes here; inside, it is the object tree of TFLite's schema (`ModelT`), changed and packed again.
"""

import re
import warnings

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, quantizer

from urbansound.errors import InputError

BUILTIN = schema.BuiltinOperator
CONVOLUTIONS = (BUILTIN.CONV_2D, BUILTIN.DEPTHWISE_CONV_2D, BUILTIN.CONV_3D)
WEIGHTED = (*CONVOLUTIONS, BUILTIN.FULLY_CONNECTED)
NETWORK = re.compile(r"\b(?:member\d+|cepstrum)(?=[_/])")  # name scopes of a network inside another
BESIDE = "/audioset"  # the layer of yamnet that stands beside its head and belongs to it
PRODUCT = "/product"  # ends the name of what `constant_biases` leaves of an operation
HALVED_ELEMENTS = 256  # smaller constants are not worth a cast


def unpack(content):
    """The ModelT of a file, every buffer inline."""
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


def pack(model):
    """The bytes of a ModelT, every buffer inside the flatbuffer, as readers with an older schema need it."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def codes(model):
    """The operations of the main graph in order, as (BuiltinOperator, OperatorT)."""
    return [(model.operatorCodes[op.opcodeIndex].builtinCode, op) for op in model.subgraphs[0].operators]


def constant_biases(content):
    """The same file with every bias that is computed in the graph made an ADD of its own.

    With a batch of 1 the converter turns Dense(a + b) into Dense(a, bias=Dense(b)). No kernel takes such a
    bias as int8: TensorFlow's own int8 conversion of it does not even load.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    stored = {i for i, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}
    operators = []
    for code, op in codes(model):
        operators.append(op)
        if code == BUILTIN.FULLY_CONNECTED and len(op.inputs) > 2 and op.inputs[2] >= 0 and op.inputs[2] not in stored:
            operators.append(_split_off_bias(model, op))
    graph.operators = operators
    return pack(model)


def float16_weights(content, float_scope):
    """The same file with constants stored as float16, those in the name scope `float_scope` as they were.

    The converter's own float16 turns the floor of the log-mel, 1e-10, into 0, and silence into NaN.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    keep = {i for _, op in codes(model) if float_scope in graph.tensors[op.outputs[0]].name.decode() for i in op.inputs}
    used = {i for _, op in codes(model) for i in op.inputs if i >= 0} - keep
    buffers = [tensor.buffer for tensor in graph.tensors]
    casts = []
    for index in sorted(used):
        tensor = graph.tensors[index]
        buffer = model.buffers[tensor.buffer]
        shared = buffers.count(tensor.buffer) > 1
        small = np.prod(tensor.shape) < HALVED_ELEMENTS
        if buffer.data is None or tensor.type != schema.TensorType.FLOAT32 or shared or small:
            continue
        half = np.frombuffer(bytes(buffer.data), np.float32).astype(np.float16)
        buffer.data = np.frombuffer(half.tobytes(), np.uint8)
        graph.tensors.append(_tensor(tensor, b"/float16", schema.TensorType.FLOAT16, tensor.buffer))
        tensor.buffer = 0
        casts.append(_operator(model, BUILTIN.DEQUANTIZE, [len(graph.tensors) - 1], [index]))
    graph.operators = casts + list(graph.operators)
    return pack(model)


def static_int8(content, calibration, float_scope=None):
    """Static int8 with a step per output channel of each weight.

    A tensor's range is the widest of all calibration inputs: ai-edge-quantizer's own, a moving average over
    them, cuts off what is loud and loses 20 points of accuracy (measured). What rounding does to the scores
    on average is measured on the same inputs and taken out of each last bias: about half of the error.

    Args:
      content: the float file, input float32 [1, ...], softmax scores out.
      calibration: float32 [clips, ...], inputs that the model was trained on.
      float_scope: None: every operation is int8, input and output too. A name scope: what lies in it, what
        follows up to the first operation with trained weights, and all behind the last but one (pooling, the
        last layer, the softmax) stay in float, with input and output. They are a few percent of the work; in
        int8 they double the error. So it is in each member of a committee; a network where no convolution
        looks at neighbours stays in float whole, since its work is nothing beside the front-end's. Of a
        network with depthwise convolutions that do, the weights alone are int8, and it computes in float:
        fourteen layers that each have one step for all their channels changed one answer in thirty.

    Raises:
      InputError: all is to be int8, and some operation can't be.
    """
    ranges = _ranges(content, calibration)
    as_float = _float_names(content, float_scope)
    weights_only = float_scope is not None and has_depthwise(content)
    rounded = _quantized(content, ranges, as_float, weights_only)
    content = _shift_biases(content, _log_scores(content, calibration), _log_scores(rounded, calibration))
    if float_scope is not None:
        return _quantized(content, ranges, as_float, weights_only)
    result = _quantized(content, ranges, None)
    _require_int8(result)
    return result


def has_depthwise(content):
    """Whether a file has depthwise convolutions that look at neighbours."""
    model = unpack(content)
    return any(code == BUILTIN.DEPTHWISE_CONV_2D and _looks_around(model, op) for code, op in codes(model))


def _looks_around(model, op):
    """Whether the weights of an operation reach beyond one point: [outputs, ..., inputs] of a convolution."""
    return np.prod(model.subgraphs[0].tensors[op.inputs[1]].shape[1:-1]) > 1


def _quantized(content, ranges, as_float, weights_only=False):
    """The int8 file; operations named in `as_float` and, unless it is None, input and output stay float."""
    everything, no = qtyping.TFLOperationName.ALL_SUPPORTED, quantizer.AlgorithmName.NO_QUANTIZE
    engine = quantizer.Quantizer(content)
    if weights_only:
        engine.add_weight_only_config(".*", everything, num_bits=8)
    else:
        engine.add_static_config(".*", everything, activation_num_bits=8, weight_num_bits=8)
    for name in as_float or ():
        engine.update_quantization_recipe(f"^{re.escape(name)};?$", everything, algorithm_key=no)
    if as_float is not None:
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            engine.update_quantization_recipe(".*", end, algorithm_key=no)
    with warnings.catch_warnings():
        # It opens an interpreter that keeps all tensors, and is told that this takes memory.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors", category=UserWarning)
        result = engine.quantize(ranges, enable_progress_bar=False, enable_progress_report=False).quantized_model
    return pack(_maximum_in_int8(unpack(result)))


def _float_names(content, float_scope):
    """Names of the operations to leave in float, see `static_int8`; with no scope, from each softmax on."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    named = [(code, ";".join(tensors[i].name.decode() for i in op.outputs)) for code, op in codes(model)]
    if float_scope is None:
        behind, names = set(), []
        for (code, name), (_, op) in zip(named, codes(model), strict=True):
            if code == BUILTIN.SOFTMAX or behind & set(op.inputs):
                behind |= set(op.outputs)
                names.append(name)
        return names
    trained = {}  # places of operations with trained weights, by network
    for i, (code, name) in enumerate(named):
        half = name.endswith(PRODUCT)  # of a layer, whose other half is the operation that makes its bias
        if code in WEIGHTED and not half and float_scope not in name and BESIDE not in name:
            network = tuple(NETWORK.findall(name.split(";")[0]))
            trained.setdefault(network, []).append(i)
    middle = set()
    operators = model.subgraphs[0].operators
    for places in trained.values():
        if len(places) > 2 and any(named[i][0] in CONVOLUTIONS and _looks_around(model, operators[i]) for i in places):
            middle |= set(range(places[0] + 1, places[-2] + 1))
    return [name for i, (_, name) in enumerate(named) if i not in middle]


def interpreter(content, **options):
    """TFLite's interpreter of a file, ready to run, without delegates: they hide what lies between fused operations."""
    made = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, **options
    )
    made.allocate_tensors()
    return made


def _ranges(content, calibration):
    """{tensor: {"min", "max"}}, each of the tensor's rank, of all that is computed in float."""
    runner = interpreter(content, experimental_preserve_all_tensors=True)
    model = unpack(content)
    computed = {*model.subgraphs[0].inputs, *(output for _, op in codes(model) for output in op.outputs)}
    details = [t for t in runner.get_tensor_details() if t["dtype"] == np.float32 and t["index"] in computed]
    ranges = {t["index"]: [0.0, 0.0] for t in details}
    for clip in calibration:
        runner.set_tensor(runner.get_input_details()[0]["index"], clip[np.newaxis])
        runner.invoke()
        for index, (low, high) in ranges.items():
            tensor = runner.get_tensor(index)
            ranges[index] = [min(low, tensor.min()), max(high, tensor.max())]
    result = {}
    for detail in details:
        low, high = (np.full((1,) * len(detail["shape"]), end, np.float32) for end in ranges[detail["index"]])
        result[detail["name"]] = {"min": low, "max": high}
    return result


def _log_scores(content, inputs):
    """Of a file with float input: {softmax's output: logits up to a constant of a row, float64 [inputs, classes]}."""
    runner = interpreter(content, experimental_preserve_all_tensors=True)
    model = unpack(content)
    places = [op.outputs[0] for code, op in codes(model) if code == BUILTIN.SOFTMAX]
    rows = {place: [] for place in places}
    for row in inputs:
        runner.set_tensor(runner.get_input_details()[0]["index"], row[np.newaxis])
        runner.invoke()
        for place in places:
            rows[place].append(runner.get_tensor(place)[0])
    logits = [np.log(np.maximum(np.array(rows[place], np.float64), 1e-7)) for place in places]
    names = [model.subgraphs[0].tensors[place].name for place in places]
    return {name: values - values.mean(axis=1, keepdims=True) for name, values in zip(names, logits, strict=True)}


def _shift_biases(content, exact, rounded):
    """The float file with what rounding takes from each softmax's logits on average added to its layer's bias."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    made_by = {op.outputs[0]: (code, op) for code, op in codes(model)}
    for code, op in codes(model):
        place = _bias_before(made_by, op.inputs[0]) if code == BUILTIN.SOFTMAX else None
        if place is not None:
            name, buffer = tensors[op.outputs[0]].name, model.buffers[tensors[place].buffer]
            bias = np.frombuffer(bytes(buffer.data), np.float32) + (exact[name] - rounded[name]).mean(axis=0)
            buffer.data = np.frombuffer(bias.astype(np.float32).tobytes(), np.uint8)
    return pack(model)


def _bias_before(made_by, tensor):
    """Place of the bias of the layer that gives a tensor, or one of the tensors that it is the sum of; else None."""
    code, op = made_by.get(tensor, (None, None))
    if code == BUILTIN.FULLY_CONNECTED and len(op.inputs) > 2 and op.inputs[2] >= 0:
        return op.inputs[2]
    if code == BUILTIN.ADD:
        first, second = (_bias_before(made_by, source) for source in op.inputs)
        return second if first is None else first
    return _bias_before(made_by, op.inputs[0]) if code == BUILTIN.SUB else None


def _split_off_bias(model, op):
    """Takes the bias from `op`; the ADD that gives it back."""
    tensors, bias, output = model.subgraphs[0].tensors, op.inputs[2], op.outputs[0]
    tensors.append(_tensor(tensors[output], PRODUCT.encode(), tensors[output].type, buffer=0))
    op.inputs, op.outputs = [op.inputs[0], op.inputs[1], -1], [len(tensors) - 1]
    add = _operator(model, BUILTIN.ADD, [len(tensors) - 1, bias], [output])
    add.builtinOptionsType, add.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    add.builtinOptions.fusedActivationFunction = op.builtinOptions.fusedActivationFunction
    op.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
    return add


def _tensor(like, ending, kind, buffer):
    tensor = schema.TensorT()
    tensor.shape, tensor.hasRank, tensor.name = like.shape, True, like.name + ending
    tensor.type, tensor.buffer = kind, buffer
    return tensor


def _operator(model, code, inputs, outputs):
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = _code_index(model, code), inputs, outputs
    return operator


def _code_index(model, code):
    known = [entry.builtinCode for entry in model.operatorCodes]
    if code not in known:
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = code
        entry.version = 2 if code == BUILTIN.DEQUANTIZE else 1  # DEQUANTIZE 1 knows no float16
        model.operatorCodes.append(entry)
        known.append(code)
    return known.index(code)


def _maximum_in_int8(model):
    """DEQUANTIZE, REDUCE_MAX, QUANTIZE made REDUCE_MAX, QUANTIZE in int8: the same, and no float.

    ai-edge-quantizer does not know REDUCE_MAX; the largest of some steps is the step of the largest.
    """
    graph = model.subgraphs[0]
    sources = {op.outputs[0]: op for code, op in codes(model) if code == BUILTIN.DEQUANTIZE}
    for code, op in codes(model):
        source = sources.get(op.inputs[0]) if code == BUILTIN.REDUCE_MAX else None
        users = [(code, user) for code, user in codes(model) if op.outputs[0] in list(user.inputs)]
        if source is None or any(code != BUILTIN.QUANTIZE for code, _ in users):
            continue
        steps, result = graph.tensors[source.inputs[0]], graph.tensors[op.outputs[0]]
        result.type, result.quantization = steps.type, steps.quantization
        op.inputs = [source.inputs[0], *op.inputs[1:]]
        model.operatorCodes[op.opcodeIndex].version = max(model.operatorCodes[op.opcodeIndex].version, 2)
    used = {i for _, op in codes(model) for i in op.inputs} | set(graph.outputs)
    graph.operators = [op for code, op in codes(model) if code != BUILTIN.DEQUANTIZE or op.outputs[0] in used]
    return model


def _require_int8(content):
    """InputError if any operation reads or writes floating point."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    names = {value: name for name, value in vars(BUILTIN).items() if isinstance(value, int)}
    floating = {schema.TensorType.FLOAT32, schema.TensorType.FLOAT16, schema.TensorType.FLOAT64}
    guilty = [
        code for code, op in codes(model) for i in (*op.inputs, *op.outputs) if i >= 0 and tensors[i].type in floating
    ]
    if guilty:
        # Casts stand around what is really to blame.
        code = next((code for code in guilty if code not in (BUILTIN.QUANTIZE, BUILTIN.DEQUANTIZE)), guilty[0])
        raise InputError(
            f"this model can't be all int8: {names[code]} stays in floating point; leave out int8_spectrogram"
        )
