"""An architecture's int8 recipe carried out: each piece of its network in the precision that the record says."""

import numpy as np
import tensorflow as tf

from export.tflite import quantization
from export.tflite.pieces import converted, cut, from_function
from urbansound.models.record import FLOAT, INT8, INT8_WEIGHTS
from urbansound.targets import SINGLE

LEAST_SCORE = 1e-7


def int8_pieces(network, record, log_mels, targets):
    """The files of a network in the format "int8", in order.

    Args:
      network: a keras.Model from log-mel to scores.
      record: its Architecture, whose `int8` says where it is cut and each piece's precision.
      log_mels: [float32 [1, frames, n_mels]] of training clips, for ranges.
      targets: what its scores are of, see `urbansound.targets`.

    Returns:
      The files; the last one takes scores and corrects what rounding does to them on average.

    Raises:
      RuntimeError: an operation has another precision than the record says.
    """
    contents, floats, shape = [], [], log_mels[0].shape
    for part, (end, precision) in zip(
        cut(network, [end for end, _ in record.int8.pieces]), record.int8.pieces, strict=True
    ):
        content = converted(part, shape)
        where = f"{record.name}, up to {end or 'the scores'}"
        if precision == INT8:
            inputs = (_through(floats, clip) for clip in log_mels)
            contents.append(checked(quantization.static_int8(content, inputs, float_ends=True), INT8, where))
        elif precision == INT8_WEIGHTS:
            contents.append(checked(quantization.int8_weights(content), INT8_WEIGHTS, where))
        else:
            contents.append(checked(content, FLOAT, where))
        floats.append(quantization.interpreter(content))
        shape = floats[-1].get_output_details()[0]["shape"]
    if any(precision != FLOAT for _, precision in record.int8.pieces):
        contents.append(_correction(contents, floats, log_mels, targets))
    return contents


def _correction(contents, floats, log_mels, targets):
    """The file that adds to the logits of rounded scores what they lack on average over the calibration clips.

    About half of the error of int8 is the same for all clips.
    """
    rounded = [quantization.interpreter(content) for content in contents]
    exact, rounded = (
        np.concatenate([targets.logits(_within(np, _through(files, clip))) for clip in log_mels])
        for files in (floats, rounded)
    )
    lack = exact - rounded
    if targets is SINGLE:
        lack -= lack.mean(axis=1, keepdims=True)  # what all logits have in common makes no score
    shift = lack.mean(axis=0).astype(np.float32)

    def corrected(scores):
        scores = _within(tf, scores)
        if targets is SINGLE:
            return tf.nn.softmax(tf.math.log(scores) + shift)
        return tf.math.sigmoid(tf.math.log(scores) - tf.math.log(1 - scores) + shift)

    return from_function(corrected, [tf.TensorSpec([1, len(shift)], tf.float32, "scores")])


def _within(library, scores):
    """Scores whose logits are finite, by numpy or TensorFlow."""
    return library.minimum(library.maximum(scores, LEAST_SCORE), 1 - LEAST_SCORE)


def _through(interpreters, values):
    """An array through files of one input, one after the other."""
    for runner in interpreters:
        runner.set_tensor(runner.get_input_details()[0]["index"], values)
        runner.invoke()
        values = runner.get_tensor(runner.get_output_details()[0]["index"])
    return values


def checked(content, precision, where):
    """The file; RuntimeError where an operation of it has another precision."""
    wrong = {
        INT8: quantization.float_operations,
        INT8_WEIGHTS: quantization.float_weights,
        FLOAT: quantization.int8_operations,
    }[precision](content)
    if wrong:
        raise RuntimeError(f"{where}: {', '.join(dict.fromkeys(wrong))} should be {precision}; mend its record")
    return content


def float_pieces(network, record):
    """The float files of a network cut as for int8, so that the converter fuses nothing that int8 can't do."""
    contents, shape = [], None
    for part in cut(network, [end for end, _ in record.int8.pieces]):
        contents.append(converted(part, shape))
        shape = quantization.interpreter(contents[-1]).get_output_details()[0]["shape"]
    return contents
