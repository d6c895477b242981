"""What the checks of precision see, on small files whose operations are known."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.tflite import quantization
from export.tflite.pieces import from_function


@pytest.fixture(scope="module")
def loop():
    """A file whose main graph is a loop; two matrix products are in its body."""
    weights = tf.constant(np.random.default_rng(0).normal(size=(4, 4)), tf.float32)

    def compute(x):
        return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, tf.tanh(x @ weights)), (0, x))[1]

    return from_function(compute, [tf.TensorSpec([1, 4], tf.float32, "x")])


def test_operations_in_a_loop_are_seen(loop):
    assert {"FULLY_CONNECTED", "TANH", "WHILE"} <= set(quantization.float_operations(loop))
    assert quantization.float_weights(loop) == ["FULLY_CONNECTED"]


def test_constant_weights_of_a_batched_product_are_weights():
    weights = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 3)), tf.float32)
    spec = tf.TensorSpec([2, 5, 4], tf.float32, "x")
    assert quantization.float_weights(from_function(lambda x: x @ weights, [spec])) == ["BATCH_MATMUL"]
    assert quantization.float_weights(from_function(lambda x: tf.matmul(x, x, transpose_b=True), [spec])) == []


def test_a_file_with_a_result_that_nothing_reads_runs():
    """The quantizer leaves it in float, XNNPACK refuses the mixture; a GRU's first step has such a result."""
    weights = tf.constant(np.random.default_rng(0).normal(size=(4, 6)), tf.float32)

    def compute(x):
        first, _, last = tf.split(x @ weights, 3, axis=1)
        return first + last

    clips = [np.random.default_rng(n).normal(size=(1, 4)).astype(np.float32) for n in range(20)]
    content = from_function(compute, [tf.TensorSpec([1, 4], tf.float32, "x")])
    assert set(quantization.float_operations(content)) == {"FULLY_CONNECTED", "SPLIT", "ADD"}
    content = quantization.static_int8(content, clips, float_ends=True)
    assert quantization.float_operations(content) == []
    runner = Interpreter(model_content=content)  # with XNNPACK
    runner.allocate_tensors()
    runner.set_tensor(runner.get_input_details()[0]["index"], clips[0])
    runner.invoke()
    scores = runner.get_tensor(runner.get_output_details()[0]["index"])
    np.testing.assert_allclose(scores, compute(clips[0]), atol=0.1)  # some steps of 8 bits
