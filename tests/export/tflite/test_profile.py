"""Figures of files whose graphs are made here, so that every count is known by hand."""

import numpy as np
import pytest
import tensorflow as tf

from export.serving import latency
from export.tflite import profile
from export.tflite.convert import FRONT_END

FRAMES, N_FFT = 8, 64


def convert(model, function, shape):
    """A float32 .tflite file of a function of one tensor."""
    signature = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)]).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([signature], model).convert()


@pytest.fixture(scope="module")
def conv_file():
    """[1, 8, 10, 3] by 4 kernels of 3 x 3 at stride 2, one each of 3 x 3 by channel, then 5 classes."""
    rng = np.random.default_rng(0)
    plain, depthwise = (tf.constant(rng.normal(size=s), tf.float32) for s in ((3, 3, 3, 4), (3, 3, 4, 1)))
    dense = tf.constant(rng.normal(size=(4 * 5 * 4, 5)), tf.float32)

    def compute(image):
        x = tf.nn.relu(tf.nn.conv2d(image, plain, 2, "SAME"))  # [1, 4, 5, 4]
        x = tf.nn.relu(tf.nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], "SAME"))
        return tf.nn.softmax(tf.reshape(x, [1, 80]) @ dense)

    return convert(None, compute, [1, 8, 10, 3])


@pytest.fixture(scope="module")
def wave_file():
    """A front-end of frames, FFT, energy, and a backbone of one matrix product."""
    weights = tf.constant(np.random.default_rng(1).normal(size=(N_FFT // 2 + 1, 7)), tf.float32)

    def compute(waveform):
        with tf.name_scope(FRONT_END):
            frames = tf.reshape(waveform, [1, FRAMES, N_FFT])
            spectrum = tf.signal.rfft(frames)
            energy = tf.square(tf.abs(spectrum))
            energy = tf.math.log(energy + 1.0)
        with tf.name_scope("backbone"):
            return tf.nn.softmax(tf.tensordot(energy, weights, 1))

    return convert(None, compute, [1, FRAMES * N_FFT])


def test_operations_are_those_of_the_graph(conv_file):
    found = {row["operation"]: (row["count"], row["types"]) for row in profile.operations(conv_file)}
    one = (1, {"float32": 1})
    assert found == dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"), one)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")  # the converter says it of every int8 file
def test_operations_tell_int8_from_float():
    kernel = tf.constant(np.random.default_rng(3).normal(size=(3, 3, 1, 2)), tf.float32)
    compute = tf.function(lambda image: tf.nn.conv2d(image, kernel, 1, "VALID"))
    signature = compute.get_concrete_function(tf.TensorSpec([1, 4, 4, 1]))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([signature])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.full((1, 4, 4, 1), v, np.float32)] for v in (-1, 0, 1))
    found = {row["operation"]: row["types"] for row in profile.operations(converter.convert())}
    assert found == {"QUANTIZE": {"int8": 1}, "CONV_2D": {"int8": 1}, "DEQUANTIZE": {"float32": 1}}


def test_multiply_adds_by_hand(conv_file, wave_file):
    assert profile.multiply_adds(conv_file) == 4 * 5 * 4 * (3 * 3 * 3) + 4 * 5 * 4 * (3 * 3) + 80 * 5
    fourier = FRAMES * N_FFT * 6  # log2 of 64
    assert profile.multiply_adds(wave_file) == fourier + FRAMES * 33 * 7
    assert profile.multiply_adds(profile.front_end(wave_file)) == fourier


def test_a_loop_counts_as_often_as_it_runs():
    weights = tf.constant(np.eye(6), tf.float32)

    def compute(x):
        _, x = tf.while_loop(lambda i, x: i < 20, lambda i, x: (i + 1, tf.tanh(x @ weights)), [0, x])
        return x

    content = convert(None, compute, [1, 6])
    assert "WHILE" in {row["operation"] for row in profile.operations(content)}
    assert profile.multiply_adds(content) == 20 * 6 * 6


def test_the_front_end_is_cut_where_the_scope_ends(wave_file):
    waveform = np.random.default_rng(2).normal(size=(1, FRAMES * N_FFT)).astype(np.float32)
    interpreter = profile.ready(profile.front_end(wave_file), threads=1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], waveform)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    spectrum = np.fft.rfft(waveform.reshape(1, FRAMES, N_FFT).astype(np.float64))
    # float32 sums of 64 terms, and TFLite's own sine tables
    np.testing.assert_allclose(found, np.log(np.abs(spectrum) ** 2 + 1), atol=1e-4)


def test_a_file_without_front_end_has_none(conv_file):
    assert profile.front_end(conv_file) is None
    figures = profile.latency(conv_file, runs=5)
    assert figures["frontend"] is None
    assert figures["backbone"] == figures["median"]


def test_latency_adds_up(wave_file):
    figures = profile.latency(wave_file, threads=1, runs=20)
    assert set(figures) == {"median", "p95", "frontend", "backbone"}
    assert figures["frontend"] > 0
    assert 0 < figures["median"] <= figures["p95"]
    assert figures["backbone"] == max(figures["median"] - figures["frontend"], 0)


def test_arena_holds_what_lives_at_once():
    """A chain of tensors of 40 kB each: input, and two at a time behind it, whatever the length of the chain."""
    bytes_each = 100 * 100 * 4

    def chain(turns):
        def compute(x):
            for i in range(turns):
                x = tf.transpose(x) if i % 2 else tf.cumsum(x, axis=0)
            return x

        return convert(None, compute, [100, 100])

    short, long = (profile.arena_bytes(chain(turns)) for turns in (5, 11))
    assert short == long
    # Alignment of each tensor to 64 bytes, and what little the kernels keep beside them.
    assert 2 * bytes_each <= short <= 3 * bytes_each + 2000


def test_arena_counts_no_weights(conv_file):
    least = 4 * (8 * 10 * 3 + 4 * 5 * 4)  # the input and the first result live at once
    everything = 4 * (8 * 10 * 3 + 3 * 80 + 2 * 5)
    scratch = 4 * 4 * 5 * 27 + 64 * 8  # the image of the first convolution as columns; alignment
    assert least <= profile.arena_bytes(conv_file) <= everything + scratch


def test_saved_model_is_timed_in_a_process_of_its_own(tmp_path):
    module = tf.Module()
    module.run = tf.function(lambda waveform: {"scores": waveform[:, :2]})
    signature = module.run.get_concrete_function(tf.TensorSpec([None, None], tf.float32, "waveform"))
    tf.saved_model.save(module, tmp_path, signatures={"serving_default": signature})
    figures = latency.measure(tmp_path, 100, threads=1, runs=5)
    assert 0 < figures["median"] <= figures["p95"]


def test_saved_model_that_cannot_be_timed_says_so(tmp_path):
    with pytest.raises(RuntimeError, match="could not be timed"):
        latency.measure(tmp_path / "nothing", 100, threads=1)
