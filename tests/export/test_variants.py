"""Architectures beside the cnn, which test_tflite.py takes apart: each exports and answers as in Keras."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny import AUDIO, classifier_of, sounds

from export import quantization, tflite
from urbansound.errors import InputError

BUILTIN = schema.BuiltinOperator
FLOAT_TO_INT8 = 0.25  # of a score, tiny networks with weights that nobody trained


@pytest.fixture(scope="module", params=["resnet", "crnn", "transformer"])
def classifier(request):
    return classifier_of(model=request.param)


def test_files_answer_as_keras(classifier):
    waveforms = sounds(AUDIO, 16, seed=3)
    expected = np.array(classifier.score(waveforms))
    for format, tolerance in (("float32", 1e-4), ("int8", FLOAT_TO_INT8)):
        content = tflite.convert(classifier, format, sounds(AUDIO, 40, seed=2))
        codes = {code for code, _ in quantization.codes(quantization.unpack(content))}
        assert not {BUILTIN.CUSTOM, BUILTIN.PLACEHOLDER_FOR_GREATER_OP_CODES} & codes
        scores = tflite.score_windows(content, AUDIO)(waveforms)
        np.testing.assert_allclose(scores, expected, atol=tolerance)
        assert np.mean(scores.argmax(axis=1) == expected.argmax(axis=1)) >= (1 if format == "float32" else 0.75)


def test_what_cannot_be_all_int8_says_so_before_any_work(classifier):
    name = classifier.model.name
    if name == "resnet":
        assert tflite.formats_of(classifier.model) == list(tflite.FORMATS)
        return
    assert "int8_spectrogram" not in tflite.formats_of(classifier.model)
    with pytest.raises(InputError, match=rf"a {name} can't be all int8, its .* needs floating point; leave out int8_s"):
        tflite.check(classifier, ["float32", "int8_spectrogram"])
