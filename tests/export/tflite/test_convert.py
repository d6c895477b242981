"""TFLite files against Keras: what they answer, of what types and operations they are."""

import dataclasses

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.tflite import convert, quantization
from tiny import AUDIO, classifier_of, sounds
from urbansound.audio.logmel import log_mel
from urbansound.errors import InputError
from urbansound.inference.classifier import score_waveforms

BUILTIN = schema.BuiltinOperator
TYPES = schema.TensorType
WAVEFORM_FORMATS = ("float32", "float16", "int8")


@pytest.fixture(scope="module", params=["cnn"])
def classifier(request):
    return classifier_of(model=request.param)


@pytest.fixture(scope="module")
def files(classifier):
    """{format: bytes}."""
    return {name: convert.convert(classifier, name, sounds(AUDIO, 40, seed=2)) for name in convert.FORMATS}


def ends(content):
    """((type, shape) of the input, of the output) of a file with one of each."""
    graph = quantization.unpack(content).subgraphs[0]
    (source,), (target,) = graph.inputs, graph.outputs
    return [(graph.tensors[i].type, list(graph.tensors[i].shape)) for i in (source, target)]


def operations(content):
    """[(BuiltinOperator, types of what it reads and writes)] of a file, in order."""
    model = quantization.unpack(content)
    tensors = model.subgraphs[0].tensors
    return [
        (code, {tensors[i].type for i in (*op.inputs, *op.outputs) if i >= 0}) for code, op in quantization.codes(model)
    ]


def test_inputs_and_outputs_are_as_promised(classifier, files):
    for name in WAVEFORM_FORMATS:
        assert ends(files[name]) == [(TYPES.FLOAT32, [1, AUDIO.clip_samples]), (TYPES.FLOAT32, [1, 4])]
    assert ends(files["int8_spectrogram"]) == [(TYPES.INT8, [1, AUDIO.frames, AUDIO.n_mels]), (TYPES.INT8, [1, 4])]


def test_all_operations_are_built_in(files):
    for content in files.values():
        assert not {BUILTIN.CUSTOM, BUILTIN.PLACEHOLDER_FOR_GREATER_OP_CODES} & {
            code for code, _ in operations(content)
        }
        assert all(not entry.customCode for entry in quantization.unpack(content).operatorCodes)


def test_a_spectrogram_file_holds_integers_alone(files):
    for code, types in operations(files["int8_spectrogram"]):
        assert types <= {TYPES.INT8, TYPES.INT32}, code
    model = quantization.unpack(files["int8_spectrogram"])
    assert {tensor.type for tensor in model.subgraphs[0].tensors if tensor.buffer} <= {TYPES.INT8, TYPES.INT32}


def test_int8_has_a_float_front_end_and_an_int8_model_up_to_its_pooling(files):
    convolutions = [types for code, types in operations(files["int8"]) if code == BUILTIN.CONV_2D]
    last = {BUILTIN.FULLY_CONNECTED, BUILTIN.MEAN, BUILTIN.REDUCE_MAX, BUILTIN.SOFTMAX}
    assert all(TYPES.INT8 not in types for code, types in operations(files["int8"]) if code in last)
    assert convolutions[0] == {TYPES.FLOAT32}
    assert convolutions[1:]
    assert all(types == {TYPES.INT8, TYPES.INT32} for types in convolutions[1:])
    transform = next(types for code, types in operations(files["int8"]) if code == BUILTIN.RFFT2D)
    assert TYPES.FLOAT32 in transform


def test_weights_have_a_step_for_each_channel(files):
    for name in ("int8", "int8_spectrogram"):
        model = quantization.unpack(files[name])
        tensors = model.subgraphs[0].tensors
        weights = [tensors[op.inputs[1]] for code, op in quantization.codes(model) if code == BUILTIN.CONV_2D]
        for tensor in weights:
            if tensor.type == TYPES.INT8:
                assert len(tensor.quantization.scale) == tensor.shape[0] > 1


def test_float16_halves_the_weights_and_leaves_the_front_end(files):
    model = quantization.unpack(files["float16"])
    tensors = model.subgraphs[0].tensors
    casts = [op for code, op in quantization.codes(model) if code == BUILTIN.DEQUANTIZE]
    assert casts
    assert all(tensors[op.inputs[0]].type == TYPES.FLOAT16 for op in casts)
    halved = sum(np.prod(tensors[op.inputs[0]].shape) for op in casts)
    assert len(files["float32"]) - len(files["float16"]) > 1.9 * halved - 2000  # the casts themselves take some
    assert not any(b"front_end" in tensors[op.outputs[0]].name for op in casts)


# float32: sums in another order. float16: 11 bits of each weight. int8: 8 bits of weights and of what lies between,
# in a model whose weights are random, with a head as steep as makes its classes differ: a trained one loses a fifth
# of that.
@pytest.mark.parametrize(
    ("format", "largest", "mean"),
    [("float32", 1e-4, 1e-5), ("float16", 0.01, 1e-3), ("int8", 0.15, 0.02), ("int8_spectrogram", 0.25, 0.03)],
)
def test_scores_are_those_of_keras(classifier, files, format, largest, mean):
    windows = sounds(AUDIO, 60, seed=3)[1:]  # the first one is of another kind, half silent
    expected = classifier.score_windows(windows).numpy()
    assert np.all(np.ptp(expected, axis=0) > 0.4)  # or the comparison below says nothing
    scores = convert.score_windows(files[format], AUDIO)(windows)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=largest)
    assert np.mean(np.abs(scores - expected)) < mean


@pytest.mark.parametrize("format", WAVEFORM_FORMATS)
def test_silence_gets_the_scores_of_keras(classifier, files, format):
    # The converter's own float16 answers NaN: the floor of the log-mel is 0 in float16.
    silence = np.zeros((1, AUDIO.clip_samples), np.float32)
    scores = convert.score_windows(files[format], AUDIO)(silence)
    np.testing.assert_allclose(scores, classifier.score_windows(silence), atol=0.1)


def test_a_file_scores_waveforms_of_any_length(classifier, files):
    waveform = np.concatenate(sounds(AUDIO, 3, seed=4))[np.newaxis, :-1000]
    scores = score_waveforms(waveform, convert.score_windows(files["float32"], AUDIO), classifier)
    np.testing.assert_allclose(scores, classifier.score(waveform), atol=1e-4)


def test_the_same_data_makes_the_same_file(classifier, files):
    assert convert.convert(classifier, "int8", sounds(AUDIO, 40, seed=2)) == files["int8"]


def test_rounding_does_not_favour_a_class(classifier):
    windows = sounds(AUDIO, 40, seed=2)
    content = convert.convert(classifier, "int8", windows)
    logits = [
        np.log(np.maximum(score, 1e-7))
        for score in (convert.score_windows(content, AUDIO)(windows), classifier.score_windows(windows).numpy())
    ]
    shift = np.mean([rows - rows.mean(axis=1, keepdims=True) for rows in logits], axis=1)
    # The step of the last layer's input leaves some; without the shift of its bias it is above 0.04.
    np.testing.assert_allclose(*shift, atol=0.03)


def test_a_bias_that_the_graph_computes_becomes_an_addition():
    # What made the converter write a bias that no int8 kernel takes: a sum of two vectors, then a layer.
    log_mels = keras.Input((AUDIO.frames, AUDIO.n_mels))
    features = keras.layers.Add()([keras.ops.mean(log_mels, axis=1), keras.ops.max(log_mels, axis=1)])
    model = keras.Model(log_mels, keras.layers.Dense(4, activation="softmax")(features / 50))
    classifier = dataclasses.replace(classifier_of(), model=model)
    file = quantization.unpack(convert.convert(classifier, "float32"))
    tensors = file.subgraphs[0].tensors
    for code, op in quantization.codes(file):
        if code == BUILTIN.FULLY_CONNECTED and op.inputs[2] >= 0:
            assert file.buffers[tensors[op.inputs[2]].buffer].data is not None
    content = convert.convert(classifier, "int8_spectrogram", sounds(AUDIO, 20))
    windows = sounds(AUDIO, 10, seed=5)
    scores = convert.score_windows(content, AUDIO)(windows)
    np.testing.assert_allclose(scores, model(log_mel(windows, AUDIO)), atol=0.05)


def test_an_n_fft_that_tflite_does_not_know_is_refused_before_any_work():
    audio = dataclasses.replace(AUDIO, n_fft=400, win_length=400)
    classifier = dataclasses.replace(classifier_of(), audio=audio, model=None)
    for format in WAVEFORM_FORMATS:
        with pytest.raises(InputError, match=r"power of two.*n_fft=400; train with --n_fft=512 --win_length=400"):
            convert.check(classifier, ["float32", format])
        with pytest.raises(InputError, match="power of two"):
            convert.convert(classifier, format)
    convert.check(classifier, ["int8_spectrogram"])


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match=r"format must be one of float32, .*Received: int4"):
        convert.check(classifier_of(), ["int4"])


@pytest.mark.parametrize("calibration", [None, np.zeros((0, 4000), np.float32), np.zeros((3, 10), np.float32)])
def test_int8_needs_calibration_data(calibration):
    with pytest.raises(InputError, match=r"int8 needs windows of training clips, float32 \[clips, 4000\]"):
        convert.convert(classifier_of(), "int8", calibration)


def test_a_model_that_cannot_be_all_int8_says_which_operation():
    log_mels = keras.Input((AUDIO.frames, AUDIO.n_mels))
    features = keras.ops.sin(keras.ops.mean(log_mels, axis=1))
    model = keras.Model(log_mels, keras.layers.Dense(4, activation="softmax")(features))
    classifier = dataclasses.replace(classifier_of(), model=model)
    with pytest.raises(InputError, match=r"can't be all int8: SIN .* leave out int8_spectrogram"):
        convert.convert(classifier, "int8_spectrogram", sounds(AUDIO, 5))
