"""TFLite files put together: the outputs of one become the inputs of the next, in one graph.

A file is bytes here; inside, it is the object tree of TFLite's schema (`ModelT`).
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

SIGNATURE = "serving_default"
# The options that name another graph of the file: of loops, of branches, of what runs once.
SUBGRAPHS = ("condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex", "initSubgraphIndex")


def unpack(content):
    """The ModelT of a file, every buffer inline, as an array: anything else is packed byte by byte."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = np.asarray(buffer.data, np.uint8)
    return model


def pack(model):
    """The bytes of a ModelT, every buffer inside the flatbuffer, as readers with an older schema need it."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


class Join:
    """A graph that grows by whole files, from one input.

    Args:
      name: of the input.
      shape: of the input, float32, its batch of 1 included.
    """

    def __init__(self, name, shape):
        self._model = schema.ModelT()
        self._model.version, self._model.description = 3, "joined of several files"
        self._model.buffers = [schema.BufferT()]  # the first one stays empty, by the schema
        self._model.operatorCodes, self._graph = [], schema.SubGraphT()
        self._model.subgraphs = [self._graph]
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.hasRank = name.encode(), np.array(shape, np.int32), True
        tensor.type, tensor.buffer = schema.TensorType.FLOAT32, 0
        self._graph.tensors, self._graph.operators, self._graph.name = [tensor], [], b"main"
        self.input = 0

    def append(self, content, inputs, scope):
        """Append a file of one output.

        Args:
          content: its bytes.
          inputs: places of the tensors that become its inputs.
          scope: its tensors' names begin with this and a slash.

        Returns:
          The place of its output.
        """
        model = unpack(content)
        buffers, first_graph = len(self._model.buffers) - 1, len(self._model.subgraphs) - 1
        self._model.buffers += model.buffers[1:]
        codes = [self._code(code) for code in model.operatorCodes]
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                tensor.buffer += buffers if tensor.buffer else 0
                tensor.name = f"{scope}/".encode() + (tensor.name or b"")
            for op in graph.operators:
                op.opcodeIndex = codes[op.opcodeIndex]
                for field in SUBGRAPHS:
                    if hasattr(op.builtinOptions, field):
                        setattr(op.builtinOptions, field, getattr(op.builtinOptions, field) + first_graph)
        main, *others = model.subgraphs
        self._model.subgraphs += others
        return self._append_graph(main, inputs)

    def finish(self, output, name):
        """The bytes of the file whose output is the tensor at place `output`, called `name`."""
        self._graph.inputs, self._graph.outputs = np.array([self.input], np.int32), np.array([output], np.int32)
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
        source = self._graph.tensors[self.input].name
        signature.inputs, signature.outputs = [_named(source, self.input)], [_named(name.encode(), output)]
        self._model.signatureDefs = [signature]
        return pack(self._model)

    def _append_graph(self, graph, inputs):
        first, places = len(self._graph.tensors), {}
        given = dict(zip(map(int, graph.inputs), inputs, strict=True))
        for place, tensor in enumerate(graph.tensors):
            if place in given:
                places[place] = given[place]
            else:
                places[place] = first + len(places) - sum(p in given for p in places)
                self._graph.tensors.append(tensor)
        places[-1] = -1  # an input that is left out
        for op in graph.operators:
            op.inputs = np.array([places[int(i)] for i in op.inputs], np.int32)
            op.outputs = np.array([places[int(i)] for i in op.outputs], np.int32)
        self._graph.operators += graph.operators
        (output,) = graph.outputs
        return places[int(output)]

    def _code(self, code):
        """Place of an operation's code, of the highest version asked for."""
        for place, known in enumerate(self._model.operatorCodes):
            if (known.builtinCode, known.customCode) == (code.builtinCode, code.customCode):
                known.version = max(known.version, code.version)
                return place
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1


def _named(name, place):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, place
    return entry
