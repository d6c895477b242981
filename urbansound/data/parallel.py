"""tf.data pipelines: functions mapped as they are, on every core, without TensorFlow's tuning."""

import tensorflow as tf


def mapped(dataset, function, deterministic=None):
    """The dataset with each element made `function` of it, a call per core at a time.

    The function is traced as it is. AutoGraph would rewrite it and all that it calls, which takes a process seconds,
    though none of them branches on a tensor but by tf.cond.

    Args:
      dataset: a tf.data.Dataset.
      function: of an element's components; uses TensorFlow's operations.
      deterministic: False: results come as they get ready; default: in order, or as the dataset's options say.
    """
    function = tf.autograph.experimental.do_not_convert(function)
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=deterministic)


def untuned(dataset):
    """The dataset with as many parallel calls as cores wherever it leaves the number to TensorFlow (AUTOTUNE).

    What TensorFlow starts to tune that number sleeps for up to a minute at a time and, one time in a few, sleeps on
    when the dataset is done with: the end of a training then waits for it (TensorFlow 2.16).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
