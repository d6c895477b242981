"""TFLite metadata: what a file hears and says, inside the file, as MediaPipe Tasks and Android read it.

A table of TFLite's metadata schema is a dict here; `SCHEMA` names the fields that we write in the schema's
order, which is all that a flatbuffer knows of them. So neither mediapipe nor tflite-support is needed, whose
own writers do not run: the one imports a module that its wheel lacks, the other is no longer kept.

Source: mediapipe/tasks/metadata/metadata_schema.fbs, 1.5.0.
"""

import dataclasses
import io
import zipfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import encode, packer
from flatbuffers.table import Table

from export.tflite import quantization

IDENTIFIER = b"M001"
BUFFER = b"TFLITE_METADATA"  # its name among the model's metadata
LABELS = "labels.txt"
AXIS_LABELS, FEATURE, AUDIO = 2, 1, 4  # AssociatedFileType.TENSOR_AXIS_LABELS; ContentProperties
PARSER = "1.3.0"  # the schema that brought audio properties

# Fields in slot order. Kinds: text, byte, uint, floats, a table's name, or [a table's name] for a list of it.
SCHEMA = {
    "ModelMetadata": {
        "name": "text",
        "description": "text",
        "version": "text",
        "subgraph_metadata": ["SubGraphMetadata"],
        "author": "text",
        "license": "text",
        "associated_files": ["AssociatedFile"],
        "min_parser_version": "text",
    },
    "SubGraphMetadata": {
        "name": "text",
        "description": "text",
        "input_tensor_metadata": ["TensorMetadata"],
        "output_tensor_metadata": ["TensorMetadata"],
    },
    "TensorMetadata": {
        "name": "text",
        "description": "text",
        "dimension_names": None,
        "content": "Content",
        "process_units": None,
        "stats": "Stats",
        "associated_files": ["AssociatedFile"],
    },
    "Content": {"content_properties_type": "byte", "content_properties": "AudioProperties"},
    "AudioProperties": {"sample_rate": "uint", "channels": "uint"},  # FeatureProperties has no fields
    "Stats": {"max": "floats", "min": "floats"},
    "AssociatedFile": {"name": "text", "description": "text", "type": "byte"},
}


def with_metadata(content, classifier, name, version, author="", licence="", description=""):
    """A TFLite file with its metadata and labels.

    Args:
      content: a file of `tflite.convert`.
      classifier: the Classifier that it was made of.
      name, version, author, licence: of the model, as shown to who uses it.
      description: what it is for; the front-end's settings are added.

    Returns:
      The file's bytes: the flatbuffer, then a zip archive that holds labels.txt.
    """
    model = quantization.unpack(content)
    graph = model.subgraphs[0]
    audio = classifier.audio
    settings = ", ".join(f"{key}={value}" for key, value in dataclasses.asdict(audio).items())
    table = {
        "name": name,
        "description": f"{description} Front-end: {settings}.".strip(),
        "version": version,
        "subgraph_metadata": [
            {
                "name": graph.name.decode() if graph.name else "main",
                "input_tensor_metadata": [_input(len(graph.tensors[graph.inputs[0]].shape), audio)],
                "output_tensor_metadata": [_output()],
            }
        ],
        "author": author,
        "license": licence,
        "min_parser_version": PARSER,
    }
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_pack(table), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = BUFFER, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(quantization.pack(model))
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        # Without a time, so that the same model makes the same file.
        archive.writestr(zipfile.ZipInfo(LABELS), "".join(f"{label}\n" for label in classifier.class_names))
    return file.getvalue()


def read_metadata(content):
    """(metadata, labels) of a file that `with_metadata` made: a dict as in SCHEMA, and a list of names."""
    model = quantization.unpack(content)
    (entry,) = [entry for entry in model.metadata if entry.name == BUFFER]
    data = bytes(model.buffers[entry.buffer].data)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        labels = archive.read(LABELS).decode().splitlines()
    root = encode.Get(packer.uoffset, data, 0)
    return _read(Table(data, root), "ModelMetadata"), labels


def _input(rank, audio):
    if rank == 2:
        return {
            "name": "waveform",
            "description": f"Mono sound in [-1, 1], {audio.clip_samples} samples at {audio.sample_rate} Hz.",
            "content": {
                "content_properties_type": AUDIO,
                "content_properties": {"sample_rate": audio.sample_rate, "channels": 1},
            },
            "stats": {"max": [1.0], "min": [-1.0]},
        }
    return {
        "name": "log_mel",
        "description": f"Log-mel spectrogram [{audio.frames} frames, {audio.n_mels} bands], quantized.",
        "content": {"content_properties_type": FEATURE, "content_properties": {}},
    }


def _output():
    return {
        "name": "scores",
        "description": "Probability of each class; they sum to 1.",
        "content": {"content_properties_type": FEATURE, "content_properties": {}},
        "stats": {"max": [1.0], "min": [0.0]},
        "associated_files": [{"name": LABELS, "description": "Class names, a line each.", "type": AXIS_LABELS}],
    }


def _pack(table):
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, "ModelMetadata", table), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _write(builder, kind, table):
    """Offset of `table`, a dict of fields of SCHEMA[kind]; what it refers to is written first."""
    fields = SCHEMA[kind]
    values = {field: _write_value(builder, fields[field], value) for field, value in table.items()}
    builder.StartObject(len(fields))
    for slot, field in enumerate(fields):
        if field in values:
            scalar = {"byte": builder.PrependInt8Slot, "uint": builder.PrependUint32Slot}.get(str(fields[field]))
            (scalar or builder.PrependUOffsetTRelativeSlot)(slot, values[field], 0)
    return builder.EndObject()


def _write_value(builder, kind, value):
    if kind in ("byte", "uint"):
        return value
    if kind == "text":
        return builder.CreateString(value)
    if kind == "floats":
        return builder.CreateNumpyVector(np.float32(value))
    if isinstance(kind, str):
        return _write(builder, kind, value)
    offsets = [_write(builder, kind[0], item) for item in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _read(table, kind):
    """The dict that `_write` was given, from a flatbuffers Table."""
    result = {}
    for slot, (field, inner) in enumerate(SCHEMA[kind].items()):
        offset = table.Offset(4 + 2 * slot)
        if offset and inner is not None:
            result[field] = _read_value(table, offset + table.Pos, inner)
    return result


def _read_value(table, place, kind):
    if kind == "byte":
        return table.Get(flatbuffers.number_types.Int8Flags, place)
    if kind == "uint":
        return table.Get(flatbuffers.number_types.Uint32Flags, place)
    if kind == "text":
        return table.String(place).decode()
    if isinstance(kind, str) and kind != "floats":
        return _read(Table(table.Bytes, table.Indirect(place)), kind)
    start, count = table.Vector(place - table.Pos), table.VectorLen(place - table.Pos)
    if kind == "floats":
        return np.frombuffer(table.Bytes, np.float32, count, start).tolist()
    return [_read(Table(table.Bytes, table.Indirect(start + 4 * i)), kind[0]) for i in range(count)]
