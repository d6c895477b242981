"""Metadata as MediaPipe's own schema and its AudioClassifier read it."""

import io
import zipfile

import numpy as np
import pytest
from mediapipe.tasks.metadata import metadata_schema_py_generated as mediapipe_schema
from mediapipe.tasks.python.audio import AudioClassifier
from mediapipe.tasks.python.components.containers import AudioData

from export.tflite import convert, metadata, quantization
from tiny import AUDIO, classifier_of, sounds
from urbansound.audio.decode import decode_file
from urbansound.audio.length import fit_length

NAMES = ("high tone", "low tone", "Straße", "noise")


@pytest.fixture(scope="module")
def classifier():
    return classifier_of(names=NAMES)


@pytest.fixture(scope="module")
def plain(classifier):
    """{format: bytes without metadata}."""
    return {name: convert.convert(classifier, name, sounds(AUDIO, 20, seed=2)) for name in convert.FORMATS}


@pytest.fixture(scope="module")
def files(classifier, plain):
    """{format: bytes with metadata}."""
    texts = {"version": "1.2", "author": "A. Nyone", "licence": "CC BY 4.0", "description": "Hears tones."}
    return {name: metadata.with_metadata(content, classifier, name="tones", **texts) for name, content in plain.items()}


def as_mediapipe_reads(content):
    model = quantization.unpack(content)
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    data = bytes(model.buffers[entry.buffer].data)
    assert mediapipe_schema.ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0)
    return mediapipe_schema.ModelMetadataT.InitFromObj(mediapipe_schema.ModelMetadata.GetRootAs(data, 0))


def test_the_published_schema_reads_every_field(files):
    model = as_mediapipe_reads(files["int8"])
    assert (model.name, model.version, model.author) == (b"tones", b"1.2", b"A. Nyone")
    assert (model.license, model.minParserVersion) == (b"CC BY 4.0", b"1.3.0")
    assert model.description.startswith(b"Hears tones. Front-end: sample_rate=8000, clip_seconds=0.5, n_fft=256")
    (graph,) = model.subgraphMetadata
    (source,), (target,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    assert source.content.contentPropertiesType == mediapipe_schema.ContentProperties.AudioProperties
    sound = source.content.contentProperties
    assert (sound.sampleRate, sound.channels) == (8000, 1)
    assert (source.name, list(source.stats.min), list(source.stats.max)) == (b"waveform", [-1], [1])
    assert (target.name, list(target.stats.min), list(target.stats.max)) == (b"scores", [0], [1])
    (labels,) = target.associatedFiles
    assert (labels.name, labels.type) == (b"labels.txt", mediapipe_schema.AssociatedFileType.TENSOR_AXIS_LABELS)


def test_a_spectrogram_is_not_called_sound(files):
    (graph,) = as_mediapipe_reads(files["int8_spectrogram"]).subgraphMetadata
    (source,) = graph.inputTensorMetadata
    assert source.name == b"log_mel"
    assert source.content.contentPropertiesType == mediapipe_schema.ContentProperties.FeatureProperties


@pytest.mark.parametrize("format", convert.FORMATS)
def test_what_is_written_is_read_back(files, classifier, format):
    values, labels = metadata.read_metadata(files[format])
    assert labels == list(NAMES)
    assert metadata._pack(values) == metadata._pack(metadata.read_metadata(files[format])[0])
    assert values["name"] == "tones"
    assert values["subgraph_metadata"][0]["output_tensor_metadata"][0]["stats"] == {"max": [1.0], "min": [0.0]}


def test_labels_lie_uncompressed_in_an_archive_behind_the_model(files):
    with zipfile.ZipFile(io.BytesIO(files["float32"])) as archive:
        (info,) = archive.infolist()
        assert (info.filename, info.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(info).decode() == "high tone\nlow tone\nStraße\nnoise\n"


def test_metadata_changes_no_score(files, plain):
    windows = sounds(AUDIO, 3)
    for name in convert.FORMATS:
        scores = [convert.score_windows(content[name], AUDIO)(windows) for content in (files, plain)]
        np.testing.assert_array_equal(*scores)


def heard(content, folder, waveforms, rate):
    """Scores float32 [clips, classes] by MediaPipe, in the order of NAMES."""
    path = folder / "model.tflite"
    path.write_bytes(content)
    rows = []
    with AudioClassifier.create_from_model_path(str(path)) as mediapipe:
        for waveform in waveforms:
            (result,) = mediapipe.classify(AudioData.create_from_array(waveform, rate))
            scores = {category.category_name: category.score for category in result.classifications[0].categories}
            rows.append([scores[name] for name in NAMES])
    return np.array(rows, np.float32)


# float32 within the order of sums; the others as in test_tflite.
@pytest.mark.parametrize(("format", "tolerance"), [("float32", 1e-4), ("float16", 0.01), ("int8", 0.15)])
def test_mediapipe_opens_the_file_and_hears_what_keras_hears(
    files, classifier, tmp_path, shared_data, format, tolerance
):
    paths = sorted((shared_data / "originals").rglob("*.wav"))
    waveforms = [
        fit_length(decode_file(path, AUDIO.sample_rate), AUDIO.clip_samples, "repeat").numpy() for path in paths
    ]
    expected = classifier.score_windows(np.array(waveforms)).numpy()
    scores = heard(files[format], tmp_path, waveforms, AUDIO.sample_rate)
    np.testing.assert_allclose(scores, expected, atol=tolerance)
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > tolerance  # an untrained network hardly tells some of them apart
    assert clear.sum() >= 5
    assert (scores.argmax(axis=1) == expected.argmax(axis=1))[clear].all()
