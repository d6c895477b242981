"""TFLite files of one small network: their ends, their operations, what is refused. Scores: test_architectures.py."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.tflite import convert, quantization
from export.tflite.join import unpack
from tiny import AUDIO, classifier_of, sounds
from urbansound.errors import InputError
from urbansound.inference import litert
from urbansound.inference.classifier import score_clips
from urbansound.models import ensemble

BUILTIN = schema.BuiltinOperator
TYPES = schema.TensorType
WAVEFORM_FORMATS = ("float32", "float16", "int8")


@pytest.fixture(scope="module")
def classifier():
    return classifier_of()


@pytest.fixture(scope="module")
def files(classifier):
    """{format: bytes}."""
    return {name: convert.convert(classifier, name, sounds(AUDIO, 40, seed=2)) for name in convert.FORMATS}


def ends(content):
    """[(type, shape) of the input, of the output] of a file with one of each."""
    graph = unpack(content).subgraphs[0]
    (source,), (target,) = graph.inputs, graph.outputs
    return [(graph.tensors[i].type, list(graph.tensors[i].shape)) for i in (source, target)]


def test_inputs_and_outputs_are_as_promised(files):
    for name in WAVEFORM_FORMATS:
        assert ends(files[name]) == [(TYPES.FLOAT32, [1, AUDIO.clip_samples]), (TYPES.FLOAT32, [1, 4])]
    assert ends(files["int8_spectrogram"]) == [(TYPES.INT8, [1, AUDIO.frames, AUDIO.n_mels]), (TYPES.INT8, [1, 4])]


def test_the_signature_names_input_and_output(files):
    for name in convert.FORMATS:
        runner = quantization.interpreter(files[name]).get_signature_runner()
        source = "waveform" if name in WAVEFORM_FORMATS else "log_mel"
        assert (list(runner.get_input_details()), list(runner.get_output_details())) == ([source], ["scores"])


def test_all_operations_are_built_in(files):
    for content in files.values():
        model = unpack(content)
        used = {code for code, _ in quantization.codes(model)}
        assert not {BUILTIN.CUSTOM, BUILTIN.PLACEHOLDER_FOR_GREATER_OP_CODES} & used
        assert all(not entry.customCode for entry in model.operatorCodes)


def test_weights_have_a_step_for_each_channel(files):
    for name in ("int8", "int8_spectrogram"):
        model = unpack(files[name])
        tensors = model.subgraphs[0].tensors
        weights = [tensors[op.inputs[1]] for code, op in quantization.codes(model) if code == BUILTIN.CONV_2D]
        steps = [(len(t.quantization.scale), t.shape[0]) for t in weights if t.type == TYPES.INT8]
        assert steps
        assert all(count == channels > 1 for count, channels in steps)


def test_float16_halves_the_weights_and_leaves_the_front_end(files):
    model = unpack(files["float16"])
    tensors = model.subgraphs[0].tensors
    casts = [op for code, op in quantization.codes(model) if code == BUILTIN.DEQUANTIZE]
    assert casts
    assert all(tensors[op.inputs[0]].type == TYPES.FLOAT16 for op in casts)
    halved = sum(np.prod(tensors[op.inputs[0]].shape) for op in casts)
    assert len(files["float32"]) - len(files["float16"]) > 1.9 * halved - 4000  # the casts themselves take some
    assert not any(b"front_end" in tensors[op.outputs[0]].name for op in casts)


@pytest.mark.parametrize("format", WAVEFORM_FORMATS)
def test_silence_gets_the_scores_of_keras(classifier, files, format):
    # With the front-end in float16 they would be NaN: the floor of the log-mel is 0 there.
    silence = np.zeros((1, AUDIO.clip_samples), np.float32)
    scores = litert.score_windows(files[format], AUDIO)(silence)
    np.testing.assert_allclose(scores, classifier.score_windows(silence), atol=0.1)


@pytest.mark.parametrize("format", WAVEFORM_FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_waveform_of_no_numbers_gets_no_confident_score(files, format, value):
    score, waveforms = litert.score_windows(files[format], AUDIO), sounds(AUDIO, 2, seed=3)
    expected = score(waveforms)
    for place in (0, 2000, AUDIO.clip_samples - 1):
        broken = waveforms.copy()
        broken[0, place] = value
        scores = score(broken)
        assert np.isnan(scores[0]).all()
        np.testing.assert_array_equal(scores[1], expected[1])  # and the next is scored as ever


@pytest.mark.parametrize("format", WAVEFORM_FORMATS)
def test_a_recorder_s_dc_offset_costs_a_file_nothing(classifier, files, format):
    score, waveforms = litert.score_windows(files[format], AUDIO), sounds(AUDIO, 10, seed=3)
    # int8 activations next to the middle between two steps fall on either side of it.
    tolerance = 0.02 if format == "int8" else 1e-3
    np.testing.assert_allclose(score(waveforms + np.float32(0.1)), score(waveforms), atol=tolerance)
    np.testing.assert_allclose(score(waveforms), classifier.score_windows(waveforms), atol=5 * tolerance)


def test_a_file_scores_waveforms_of_any_length(classifier, files):
    waveform = np.concatenate(sounds(AUDIO, 3, seed=4))[:-1000]
    scores = score_clips([(0, waveform)], 1, classifier, litert.score_windows(files["float32"], AUDIO))
    np.testing.assert_allclose(scores, classifier.score(waveform[np.newaxis]), atol=1e-4)


def test_the_same_data_makes_the_same_file(classifier, files):
    assert convert.convert(classifier, "int8", sounds(AUDIO, 40, seed=2)) == files["int8"]


def test_an_ensemble_of_runs_of_ensembles_is_the_mean_of_means(classifier):
    both = classifier_of(cepstrum=True)
    model = ensemble.average([both.model, classifier.model])
    nested = dataclasses.replace(both, model=model, architectures=(*both.architectures, *classifier.architectures))
    windows = sounds(AUDIO, 10, seed=5)
    scores = litert.score_windows(convert.convert(nested, "float32"), AUDIO)(windows)
    mean = (both.score_windows(windows) + classifier.score_windows(windows)) / 2
    np.testing.assert_allclose(scores, mean, atol=1e-4)


def test_an_ensemble_of_three_members_two_of_them_ensembles_is_all_int8(classifier):
    other = classifier_of(width=0.25)
    pairs = [ensemble.average([classifier.model, other.model]), ensemble.average([other.model, classifier.model])]
    model = ensemble.average([*pairs, classifier.model])
    nested = dataclasses.replace(classifier, model=model, architectures=("cnn",) * 5)
    content = convert.convert(nested, "int8_spectrogram", sounds(AUDIO, 40, seed=2))
    names = [tensor.name for tensor in unpack(content).subgraphs[0].tensors]
    assert len(set(names)) == len(names)  # the quantizer knows tensors by their names
    windows = sounds(AUDIO, 10, seed=5)
    scores = litert.score_windows(content, AUDIO)(windows)
    # Rounding of random weights: see test_architectures.py.
    assert np.mean(np.abs(scores - nested.score_windows(windows))) < 0.08


def test_an_n_fft_that_tflite_does_not_know_is_refused_before_any_work():
    audio = dataclasses.replace(AUDIO, n_fft=400, win_length=400)
    classifier = dataclasses.replace(classifier_of(), audio=audio, model=None)
    for format in WAVEFORM_FORMATS:
        with pytest.raises(InputError, match=r"power of two.*n_fft=400; train with --n_fft=512 --win_length=400"):
            convert.convert(classifier, format)
    assert convert.unfit(classifier, "int8_spectrogram") is None


@pytest.mark.parametrize("calibration", [None, np.zeros((0, 4000), np.float32), np.zeros((3, 10), np.float32)])
def test_int8_needs_calibration_data(classifier, calibration):
    with pytest.raises(InputError, match=r"int8 needs windows of training clips, float32 \[clips, 4000\]"):
        convert.convert(classifier, "int8", calibration)
