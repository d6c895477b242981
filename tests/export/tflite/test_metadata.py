"""Metadata: what the files say of themselves, and that MediaPipe's AudioClassifier opens them."""

import dataclasses
import io
import json
import time
import zipfile

import numpy as np
import pytest
from mediapipe.tasks.python.audio import AudioClassifier
from mediapipe.tasks.python.components.containers import AudioData

from export.tflite import convert, metadata
from export.tflite import metadata_schema_py_generated as schema
from tiny import AUDIO, classifier_of, sounds
from urbansound.audio.decode import decode_file
from urbansound.audio.length import fit_length
from urbansound.inference import litert
from urbansound.inference.description import Description

NAMES = ("high tone", "low tone", "Straße", "noise")


@pytest.fixture(scope="module")
def classifier():
    return classifier_of(names=NAMES)


@pytest.fixture(scope="module")
def plain(classifier):
    """{format: bytes without metadata}."""
    return {name: convert.convert(classifier, name, sounds(AUDIO, 20, seed=2)) for name in convert.FORMATS}


def described(content, classifier):
    texts = {"version": "1.2", "author": "A. Nyone", "licence": "CC BY 4.0", "description": "Tells tones apart."}
    return metadata.with_metadata(content, classifier, name="tones", **texts)


@pytest.fixture(scope="module")
def files(classifier, plain):
    """{format: bytes with metadata}."""
    return {name: described(content, classifier) for name, content in plain.items()}


def tensors(content):
    """TensorMetadataT of a file's only input and only output."""
    (graph,) = metadata.read_metadata(content)[0].subgraphMetadata
    (source,), (target,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    return source, target


def test_the_model_is_described(files):
    model, _ = metadata.read_metadata(files["int8"])
    assert (model.name, model.version, model.author) == ("tones", "1.2", "A. Nyone")
    assert (model.license, model.minParserVersion) == ("CC BY 4.0", "1.3.0")
    assert model.description.startswith("Tells tones apart. Front-end: sample_rate=8000, clip_seconds=0.5, ")


def test_a_waveform_is_described_as_audio(files):
    source, _ = tensors(files["int8"])
    assert source.content.contentPropertiesType == schema.ContentProperties.AudioProperties
    audio = source.content.contentProperties
    assert (audio.sampleRate, audio.channels) == (8000, 1)
    assert (source.name, list(source.stats.min), list(source.stats.max)) == ("waveform", [-1], [1])


def test_a_spectrogram_is_not_described_as_audio(files):
    source, _ = tensors(files["int8_spectrogram"])
    assert source.name == "log_mel"
    assert source.content.contentPropertiesType == schema.ContentProperties.FeatureProperties


@pytest.mark.parametrize("format", convert.FORMATS)
def test_scores_have_labels(files, format):
    _, target = tensors(files[format])
    assert (target.name, list(target.stats.min), list(target.stats.max)) == ("scores", [0], [1])
    (labels,) = target.associatedFiles
    assert (labels.name, labels.type) == ("labels.txt", schema.AssociatedFileType.TENSOR_AXIS_LABELS)
    assert metadata.read_metadata(files[format])[1] == list(NAMES)


def test_the_same_model_makes_the_same_bytes_at_any_time(files, plain, classifier, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert described(plain["float32"], classifier) == files["float32"]


def test_labels_and_description_lie_uncompressed_in_an_archive_after_the_model(files, classifier):
    with zipfile.ZipFile(io.BytesIO(files["float32"])) as archive:
        labels, described = archive.infolist()
        assert (labels.filename, labels.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(labels).decode() == "high tone\nlow tone\nStraße\nnoise\n"
        assert (described.filename, described.compress_type) == ("urbansound.json", zipfile.ZIP_STORED)
        assert Description.read({described.filename: archive.read(described)}.get) == Description.of(classifier)


def test_thresholds_lie_beside_the_labels(classifier, plain):
    thresholds = {"none": 0.3, "classes": dict.fromkeys(NAMES, 0.5), "temperature": 0.7}
    believed = dataclasses.replace(classifier, thresholds=thresholds)
    content = described(plain["float32"], believed)
    _, target = tensors(content)
    labels, others = target.associatedFiles
    assert labels.type == schema.AssociatedFileType.TENSOR_AXIS_LABELS
    assert (others.name, others.type) == ("labels.json", schema.AssociatedFileType.DESCRIPTIONS)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("labels.json")) == {"labels": list(NAMES), "thresholds": thresholds}
    assert metadata.read_metadata(content)[1] == list(NAMES)


def test_metadata_changes_no_score(files, plain):
    windows = sounds(AUDIO, 3)
    for name in convert.FORMATS:
        scores = [litert.score_windows(content[name], AUDIO)(windows) for content in (files, plain)]
        np.testing.assert_array_equal(*scores)


def scores_by_mediapipe(content, folder, waveforms, rate):
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


def test_mediapipe_opens_a_file_with_thresholds(classifier, plain, tmp_path):
    believed = dataclasses.replace(classifier, thresholds={"classes": dict.fromkeys(NAMES, 0.5), "none": 0.9})
    windows = sounds(AUDIO, 3)
    scores = scores_by_mediapipe(described(plain["float32"], believed), tmp_path, windows, AUDIO.sample_rate)
    np.testing.assert_allclose(scores, classifier.score_windows(windows), atol=1e-4)


# float32 within the order of sums; the others as in test_tflite.
@pytest.mark.parametrize(("format", "tolerance"), [("float32", 1e-4), ("float16", 0.01), ("int8", 0.15)])
def test_mediapipe_opens_the_file_and_scores_as_keras_does(files, classifier, tmp_path, shared_data, format, tolerance):
    paths = sorted((shared_data / "originals").rglob("*.wav"))
    waveforms = [
        fit_length(decode_file(path, AUDIO.sample_rate), AUDIO.clip_samples, "repeat").numpy() for path in paths
    ]
    expected = classifier.score_windows(np.array(waveforms)).numpy()
    scores = scores_by_mediapipe(files[format], tmp_path, waveforms, AUDIO.sample_rate)
    np.testing.assert_allclose(scores, expected, atol=tolerance)
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > tolerance  # an untrained network hardly tells some of them apart
    assert clear.sum() >= 5
    assert (scores.argmax(axis=1) == expected.argmax(axis=1))[clear].all()
