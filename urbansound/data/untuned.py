"""tf.data pipelines without TensorFlow's tuning of parallel calls and buffers."""

import tensorflow as tf


def untuned(dataset):
    """The dataset with as many parallel calls as cores wherever it leaves the number to TensorFlow (AUTOTUNE).

    What TensorFlow starts to tune that number sleeps for up to a minute at a time and, one time in a few, sleeps on
    when the dataset is done with: the end of a training then waits for it (TensorFlow 2.16).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
