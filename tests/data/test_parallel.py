"""No pipeline starts TensorFlow's tuner, whose sleep the end of a training would wait for, nor AutoGraph."""

import numpy as np
import pytest
import tensorflow as tf

from urbansound.config import AudioConfig, Config
from urbansound.data import cache, parallel, pipeline

CONFIG = Config(audio=AudioConfig(sample_rate=8000, clip_seconds=0.5))
CLIPS = (["a", "b"], np.eye(2))
EMBEDDINGS = (np.zeros((2, 3), np.float32), np.eye(2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: cache.decoded(["a"], 8000),
        lambda: cache.waveforms(["a"]),
        lambda: pipeline.training_batches(*CLIPS, CONFIG),
        lambda: pipeline.evaluation_batches(*CLIPS, CONFIG),
        lambda: pipeline.embedding_batches(*EMBEDDINGS, CONFIG),
        lambda: pipeline.ordered_embeddings(*EMBEDDINGS, CONFIG),
    ],
    ids=["decoded", "waveforms", "training_batches", "evaluation_batches", "embedding_batches", "ordered_embeddings"],
)
def test_no_tuner_is_started(make):
    derived = make().map(lambda *values: values)  # as layers adapt to it
    assert derived.options().autotune.enabled is False


def test_a_function_is_traced_as_it_is():
    seen = []

    def doubled(value):
        seen.append(tf.__internal__.autograph.control_status_ctx().status.name)
        return 2 * value

    dataset = parallel.mapped(tf.data.Dataset.range(50), doubled)
    assert [int(value) for value in dataset] == list(range(0, 100, 2))
    assert seen == ["DISABLED"]
