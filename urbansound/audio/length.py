"""Waveforms made one length."""

import tensorflow as tf


def fit_length(waveform, samples, short_clips):
    """A waveform [any] made [samples]: its beginning, or it repeated or zero-padded at the end.

    Args:
      waveform: float32 [any], at least one sample.
      samples: the length wanted.
      short_clips: "repeat" or "zeros".
    """
    return tf.ensure_shape(lengthen(waveform[:samples], samples, short_clips), [samples])


def lengthen(waveforms, samples, short_clips):
    """Waveforms float32 [..., 1 to samples] made [..., samples]: repeated or zero-padded at the end; rank known."""
    waveforms = tf.convert_to_tensor(waveforms)
    length, leading = tf.shape(waveforms)[-1], waveforms.shape.rank - 1
    if short_clips == "repeat":
        return tf.tile(waveforms, [1] * leading + [(samples - 1) // length + 1])[..., :samples]
    return tf.pad(waveforms, [[0, 0]] * leading + [[0, samples - length]])
