"""Every architecture, and an ensemble, in every TFLite format: scores against Keras, precisions against the records."""

from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest

from export.tflite import convert, pieces, quantization, recipes
from export.tflite.join import unpack
from tiny import classifier_of, sounds
from urbansound import models
from urbansound.config import AudioConfig
from urbansound.inference import litert
from urbansound.models.record import FLOAT, INT8, INT8_WEIGHTS

NOTES = Path(__file__).resolve().parents[3] / "BUILD_NOTES.md"
# 201 frames: two examples of VGGish and a rest; as few bands as its poolings take.
AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=20, n_mels=16)
WIDTH = {"vggish": 1 / 64}  # 72 million parameters at width 1
PLAIN = {"yamnet": {"yamnet_weights": None, "yamnet_classes": ("low=3",)}}
CASES = {name: {"model": name, **PLAIN.get(name, {})} for name in models.names()}
CASES["cnn with a cepstrum"] = {"model": "cnn", "cepstrum": True}
# float32: sums in another order. float16: 11 bits of each weight. int8: 8 bits of weights and activations, in models
# whose weights are random, with a head so steep that its classes differ, and up to fifty layers.
MEAN_DIFFERENCE = {"float32": 3e-5, "float16": 0.03, "int8": 0.06, "int8_spectrogram": 0.08}
# Rounding through fifty layers of random weights leaves no scores to compare.
ONLY_PRECISION = {("resnet50", "int8"), ("resnet50", "int8_spectrogram")}
KINDS = {quantization.KIND.INT8: INT8, quantization.KIND.FLOAT32: FLOAT, quantization.KIND.FLOAT16: "float16"}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """(name, classifier, {format: bytes of every format that it can be made})."""
    classifier = classifier_of(AUDIO, width=WIDTH.get(request.param, 0.25), **CASES[request.param])
    calibration = sounds(AUDIO, 4 if (request.param, "int8") in ONLY_PRECISION else 32, seed=1)
    formats = [form for form in convert.FORMATS if convert.unfit(classifier, form) is None]
    return request.param, classifier, {form: convert.convert(classifier, form, calibration) for form in formats}


def weighted(content):
    """[(scope, operation, precision)] of all operations with constant weights, of their results and weights."""
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    casts = {op.outputs[0]: op.inputs[0] for code, op in quantization.codes(model) if code in quantization.CASTS}
    result = []
    for code, op in quantization.codes(model):
        if code in quantization.WEIGHTED:
            weights = tensors[casts.get(op.inputs[1], op.inputs[1])]
            kinds = (KINDS[weights.type], KINDS[tensors[op.outputs[0]].type])
            precision = {(INT8, INT8): INT8, (INT8, FLOAT): INT8_WEIGHTS}.get(kinds, kinds[0])
            scope = tensors[op.outputs[0]].name.decode().split("/")[0]
            result.append((scope, quantization.NAMES[code], precision))
    return result


def test_only_records_that_say_so_have_no_all_int8_file(case):
    _, classifier, files = case
    integer_only = all(models.architecture(name).int8.integer_only for name in classifier.architectures)
    assert list(files) == [form for form in convert.FORMATS if form != convert.INTEGER_ONLY or integer_only]


def test_scores_are_those_of_keras(case):
    name, classifier, files = case
    windows = sounds(AUDIO, 24, seed=3)[1:]  # the first one is of another kind, half silent
    expected = classifier.score_windows(windows).numpy()
    assert np.all(np.ptp(expected, axis=0) > 0.1)  # or the comparison below says nothing
    for form, content in files.items():
        only_precision = (name, form) in ONLY_PRECISION
        scores = litert.score_windows(content, AUDIO)(windows[:2] if only_precision else windows)
        difference = np.mean(np.abs(scores - expected[: len(scores)]))
        assert np.all(np.isfinite(scores)), form
        assert difference < MEAN_DIFFERENCE[form] or only_precision, (form, difference)


def test_an_int8_file_has_the_precisions_of_its_records(case):
    _, classifier, files = case
    found = weighted(files["int8"])
    for name in classifier.architectures:
        asked = {precision for _, precision in models.architecture(name).int8.pieces}
        precisions = {precision for scope, _, precision in found if scope == f"{name}_1"}
        assert precisions == asked, name
    assert {precision for scope, _, precision in found if scope == convert.FRONT_END} == {FLOAT}


def test_an_all_int8_file_holds_only_integers(case):
    _, _, files = case
    if convert.INTEGER_ONLY in files:
        model = unpack(files[convert.INTEGER_ONLY])
        kinds = {tensor.type for tensor in model.subgraphs[0].tensors}
        assert kinds <= {quantization.KIND.INT8, quantization.KIND.INT32}


def test_a_record_that_asks_for_what_an_operation_cannot_do_is_refused():
    log_mels = keras.Input((AUDIO.frames, AUDIO.n_mels))
    network = keras.Model(log_mels, keras.layers.Dense(3)(keras.ops.sin(log_mels)[:, 0]))
    content = pieces.converted(network)
    calibration = [np.ones((1, AUDIO.frames, AUDIO.n_mels), np.float32)]
    with pytest.raises(RuntimeError, match=r"toy: SIN should be int8; mend its record"):
        recipes.checked(quantization.static_int8(content, calibration, float_ends=True), INT8, "toy")
    with pytest.raises(RuntimeError, match=r"toy: FULLY_CONNECTED should be int8 weights; mend its record"):
        recipes.checked(content, INT8_WEIGHTS, "toy")


def test_the_table_of_precisions_is_the_one_in_the_notes(case):
    name, classifier, files = case
    row = f"| {' | '.join(table_row(name, classifier, files['int8']))} |"
    assert row in NOTES.read_text().splitlines(), f"BUILD_NOTES.md lacks this row:\n{row}"


def table_row(name, classifier, content):
    """Cells: architecture, its weighted operations by precision, why."""
    counts = {}
    for scope, operation, precision in weighted(content):
        if scope != convert.FRONT_END:
            counts.setdefault(precision, Counter())[operation] += 1
    cells = [name]
    for precision in (INT8, INT8_WEIGHTS, FLOAT):
        listed = counts.get(precision, {})
        cells.append(", ".join(f"{count} {operation}" for operation, count in sorted(listed.items())) or "none")
    return [*cells, " ".join(models.architecture(part).int8.why for part in classifier.architectures)]
