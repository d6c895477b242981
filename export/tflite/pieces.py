"""Pieces of a model as float TFLite files: a network between two of its layers, or a plain function."""

import tempfile

import keras
import tensorflow as tf


def cut(network, ends):
    """The parts of a network between layers.

    Args:
      network: a keras.Model.
      ends: names of the layers that a part ends with; None: the network's output.

    Returns:
      [keras.Model], each taking what the one before gives; layers and weights are the network's own.
    """
    parts, start = [], network.input
    for place, end in enumerate(ends):
        stop = network.output if end is None else network.get_layer(end).output
        # Named, since Keras's own names count up and would be in the file.
        parts.append(keras.Model(start, stop, name=f"{network.name}_{place}"))
        start = stop
    return parts


def from_function(function, specs):
    """The float file of a function of tensors, its inputs as TensorSpecs say."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()


def converted(part, shape=None, half=False):
    """The float file of a keras.Model, float32 or with float16 weights, for inputs of a batch of 1 or of `shape`."""
    shape = (1, *part.input_shape[1:]) if shape is None else shape
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(part)
        spec = tf.TensorSpec([int(size) for size in shape], tf.float32)
        archive.add_endpoint("serving_default", lambda x: part(x, training=False), input_signature=[spec])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
