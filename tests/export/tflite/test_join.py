"""Files joined in one graph: what their operations name by its place is found again."""

import numpy as np
import tensorflow as tf

from export.tflite import quantization
from export.tflite.join import Join
from export.tflite.pieces import from_function

SPEC = tf.TensorSpec([1, 2], tf.float32, "x")


def scaled(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x * 3)


def shifted(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x + 10, lambda: x - 10)


def test_each_of_two_files_with_branches_keeps_its_own():
    file = Join("x", (1, 2))
    place = file.append(from_function(scaled, [SPEC]), [file.input], "scaled")
    content = file.finish(file.append(from_function(shifted, [SPEC]), [place], "shifted"), "y")
    runner = quantization.interpreter(content).get_signature_runner()
    for x in ([[1.0, 2.0]], [[-1.0, -2.0]]):
        np.testing.assert_array_equal(runner(x=np.float32(x))["y"], shifted(scaled(tf.constant(x))))
