import tensorflow as tf

from urbansound.audio.length import fit_length


def test_fit_length():
    assert fit_length(tf.range(5.0), 3, "repeat").numpy().tolist() == [0, 1, 2]
    assert fit_length(tf.range(3.0), 3, "zeros").numpy().tolist() == [0, 1, 2]
    assert fit_length(tf.range(2.0), 5, "repeat").numpy().tolist() == [0, 1, 0, 1, 0]
    assert fit_length(tf.range(1.0, 3.0), 5, "zeros").numpy().tolist() == [1, 2, 0, 0, 0]
