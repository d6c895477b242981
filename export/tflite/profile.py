"""Figures of a .tflite file: its operations, multiply-adds, arena and latency, split into front-end and backbone.

The front-end of a file is its operations up to the last one in the name scope `convert.FRONT_END`.
"""

import math
import time
from collections import Counter

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from export.tflite import quantization
from export.tflite.convert import FRONT_END
from export.tflite.join import pack, unpack
from export.tflite.quantization import NAMES, WEIGHTED

WARM_UP = 5
BUILTIN = schema.BuiltinOperator
_TYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}


def operations(content):
    """What a file computes with.

    Returns:
      A dict per operation, in the order of their first use, loops' bodies included: `operation` (TFLite's
      name), `count`, `types` {dtype of the result: count}.
    """
    model = unpack(content)
    types = {}
    for number, graph in enumerate(model.subgraphs):
        for code, op in quantization.codes(model, number):
            kind = _TYPES[graph.tensors[op.outputs[0]].type] if len(op.outputs) else "none"
            types.setdefault(NAMES[code], Counter())[kind] += 1
    return [
        {"operation": name, "count": counts.total(), "types": dict(sorted(counts.items()))}
        for name, counts in types.items()
    ]


def front_end(content):
    """The front-end of a file as a file, waveform to log-mel, in the file's own operations; None if it has none."""
    model = unpack(content)
    graph = model.subgraphs[0]
    names = [(graph.tensors[op.outputs[0]].name or b"").decode() for op in graph.operators]
    within = [i for i, name in enumerate(names) if name.startswith(f"{FRONT_END}/")]
    if not within:
        return None
    graph.operators = graph.operators[: within[-1] + 1]
    graph.outputs = [graph.operators[-1].outputs[0]]
    model.signatureDefs, model.metadata = [], []  # they name what has gone
    return pack(model)


def latency(content, threads=1, runs=50):
    """Milliseconds from one window to its scores, in the interpreter as it comes, with XNNPACK.

    The interpreter's Python API times no single operation. So the front-end is cut out of the file (see
    `front_end`) and run in turn with the whole of it; the backbone is the difference of their medians.

    Args:
      content: a .tflite file whose one input has a fixed shape.
      threads: of the interpreter; more than there are cores gains nothing.
      runs: that are timed, after WARM_UP that are not.

    Returns:
      `median`, `p95`, and of the median `frontend` (None where the file has none) and `backbone`.
    """
    part = front_end(content)
    files = [ready(content, threads)] + ([ready(part, threads)] if part else [])
    times = np.empty((WARM_UP + runs, len(files)))
    for row in times:
        for i, interpreter in enumerate(files):
            start = time.perf_counter()
            interpreter.invoke()
            row[i] = 1000 * (time.perf_counter() - start)
    medians = np.median(times[WARM_UP:], axis=0).tolist()
    before = medians[1] if part else None
    return {
        "median": medians[0],
        "p95": float(np.percentile(times[WARM_UP:, 0], 95)),
        "frontend": before,
        "backbone": max(medians[0] - (before or 0), 0.0),
    }


def arena_bytes(content):
    """Peak memory of a file's tensors while it runs, in bytes; its weights, which stay in the file, not counted.

    No API tells it, but the interpreter's planner has placed every tensor once it is allocated: this is
    the stretch of memory from the first to the last of those that depend on the input, and the sizes of
    those that depend only on constants (weights unpacked from float16), which are kept elsewhere. Without
    delegates, as on a device that has none; XNNPACK keeps tensors within its own part of the graph itself.
    """
    interpreter = quantization.interpreter(content, num_threads=1)
    graph = unpack(content).subgraphs[0]
    computed, fixed = {int(i) for i in graph.inputs}, set()
    for op in graph.operators:
        of_input = any(int(i) in computed for i in op.inputs)
        (computed if of_input else fixed).update(map(int, op.outputs))
    views = [interpreter.tensor(i)() for i in sorted(computed)]
    starts = np.array([view.__array_interface__["data"][0] for view in views])
    sizes = np.array([view.nbytes for view in views])
    unpacked = sum(interpreter.tensor(i)().nbytes for i in fixed)
    return int((starts + sizes).max() - starts.min() + unpacked)


def multiply_adds(content):
    """Multiplications, each with its addition, that one window takes: convolutions, matrix products and the FFT.

    A real FFT of n points counts as n log2 n of them (a complex one by radix 2 is 4 * n/2 * log2 n, of
    which real input saves half). Element-wise operations and pooling are left out; a loop counts as often
    as it runs.

    Returns:
      An int; None for a loop whose number of turns is not a constant of the file.
    """
    return _multiply_adds(unpack(content), 0)


def _multiply_adds(model, index):
    graph, total = model.subgraphs[index], 0
    for code, op in quantization.codes(model, index):
        if code == BUILTIN.WHILE:
            turns = _turns(model, op.builtinOptions.condSubgraphIndex)
            body = _multiply_adds(model, op.builtinOptions.bodySubgraphIndex)
            if turns is None or body is None:
                return None
            total += turns * body
        elif code in _PRODUCTS:
            shapes = [[int(n) for n in graph.tensors[i].shape] if i >= 0 else None for i in op.inputs]
            result = [int(n) for n in graph.tensors[op.outputs[0]].shape]
            total += _PRODUCTS[code](shapes, result, op.builtinOptions)
    return total


def _fft(shapes, result, options):
    """Of RFFT2D over [..., 1, n]."""
    points = 2 * (result[-1] - 1)
    return round(math.prod(result[:-1]) * points * math.log2(points))


def _weighted(shapes, result, options):
    """Each value of the result takes the weights of its channel."""
    return math.prod(result) * math.prod(shapes[1]) // result[-1]


# From the shapes of an operation's inputs, of its result, and its options.
_PRODUCTS = {
    **dict.fromkeys(WEIGHTED, _weighted),
    BUILTIN.BATCH_MATMUL: lambda shapes, result, options: math.prod(result) * shapes[0][-2 if options.adjX else -1],
    BUILTIN.RFFT2D: _fft,
}


def _turns(model, index):
    """How often a loop runs that counts up from 0 while below a constant; None for another."""
    graph = model.subgraphs[index]
    limits = []
    for code, op in quantization.codes(model, index):
        if code == BUILTIN.LESS:
            data = model.buffers[graph.tensors[op.inputs[1]].buffer].data
            limits += [] if data is None else [int(np.frombuffer(bytes(data), np.int32)[0])]
    return min(limits, default=None)


def ready(content, threads):
    """An interpreter of a file with quiet noise at its one input, ready to be invoked; `threads` for it."""
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    noise = np.random.default_rng(0).normal(0, 0.1, source["shape"])
    noise = noise * 127 if source["dtype"] == np.int8 else noise
    interpreter.set_tensor(source["index"], noise.astype(source["dtype"]))
    return interpreter
