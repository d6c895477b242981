"""Architectures beside the cnn and the pretrained: each exports to built-in operations and answers as in Keras."""

import numpy as np
import pytest
from test_tflite import BUILTIN, TYPES, operations

from export.serving import savedmodel
from export.tflite import convert
from tiny import AUDIO, classifier_of, sounds
from urbansound.audio.logmel import log_mel
from urbansound.models import cepstrum
from urbansound.training.embeddings import body


@pytest.fixture(scope="module", params=["resnet", "crnn", "transformer", "cepstrum"])
def classifier(request):
    return classifier_of(model=request.param)


# int8: weights of no training and 40 clips for the ranges. A step of rounding now and then is another label.
@pytest.mark.parametrize(
    ("format", "mean", "same"), [("float32", 1e-5, 1.0), ("int8", 0.06, 0.8), ("int8_spectrogram", 0.06, 0.8)]
)
def test_files_answer_as_keras(classifier, format, mean, same):
    content = convert.convert(classifier, format, sounds(AUDIO, 40, seed=2))
    assert not {BUILTIN.CUSTOM, BUILTIN.PLACEHOLDER_FOR_GREATER_OP_CODES} & {code for code, _ in operations(content)}
    if format == "int8_spectrogram":
        assert all(types <= {TYPES.INT8, TYPES.INT32} for _, types in operations(content))
    waveforms = sounds(AUDIO, 60, seed=3)
    expected = classifier.score_windows(waveforms).numpy()
    assert np.all(np.ptp(expected, axis=0) > 0.1)  # or the comparison below says nothing
    if format == "int8_spectrogram" and classifier.model.name == "cepstrum":
        mean, same = 0.11, 0.7  # ranks among 32 clips lie closer than those among a real training set
    scores = convert.score_windows(content, AUDIO)(waveforms)
    assert np.mean(np.abs(scores - expected)) < mean
    assert np.mean(scores.argmax(axis=1) == expected.argmax(axis=1)) >= same


def test_a_statistic_that_is_the_same_in_every_training_clip_does_not_stop_the_int8_file():
    classifier, waveforms = classifier_of(model="cepstrum"), sounds(AUDIO, 30, seed=1)
    values = body(classifier.model)(log_mel(waveforms, AUDIO)).numpy()
    values[..., ::3] = values[0, ..., ::3]
    cepstrum.adapt(classifier.model.get_layer("standardize"), values)
    content = convert.convert(classifier, "int8_spectrogram", sounds(AUDIO, 40, seed=2))
    scores = convert.score_windows(content, AUDIO)(waveforms)
    assert np.mean(np.abs(scores - classifier.score_windows(waveforms))) < 0.11


def test_the_saved_model_answers_as_keras(classifier, tmp_path):
    savedmodel.write(classifier, tmp_path / "1")
    waveforms = sounds(AUDIO, 4, seed=3)
    scores = savedmodel.load(tmp_path / "1")("serving_default", {"waveform": waveforms})["scores"]
    np.testing.assert_allclose(scores, classifier.score_windows(waveforms), atol=1e-4)


def test_resnet50_can_be_all_int8():
    # Rounding through fifty layers of no training leaves nothing to compare scores by.
    content = convert.convert(classifier_of(model="resnet50"), "int8_spectrogram", sounds(AUDIO, 4, seed=2))
    assert BUILTIN.CUSTOM not in {code for code, _ in operations(content)}
    assert all(types <= {TYPES.INT8, TYPES.INT32} for _, types in operations(content))
