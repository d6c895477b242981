"""Seeds of all that is random in a run, derived from the run's one seed.

A run's seed is at most 2**32 - 1 (`config.setting.MAX_INT`), which numpy's and Keras's generators take as it is.
"""

import hashlib


def derive(seed, *purpose):
    """A seed of its own for each purpose of each run.

    The first bits of SHA-256: runs of neighbouring seeds, and purposes of one run, share none but by chance (2**-63
    for a pair).

    Args:
      seed: the run's, a whole number.
      purpose: names and numbers that say what for.

    Returns:
      An int below 2**63, which an int64 holds.
    """
    digest = hashlib.sha256(repr((int(seed), *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def split_seed(seed, parts):
    """`parts` independent seeds [2] of stateless operations made from one, in-graph."""
    import tensorflow as tf  # which takes seconds, and splits of clips need none

    return tf.unstack(tf.random.experimental.stateless_split(seed, parts))
