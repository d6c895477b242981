"""VGGish as TFLite files, with and without the published postprocessing."""

import keras
import numpy as np
import pytest
from test_tflite import BUILTIN, TYPES, operations

from export.tflite import convert
from tiny import classifier_of, sounds
from urbansound.config import AudioConfig

AUDIO = AudioConfig(
    sample_rate=16000, clip_seconds=2.0, n_fft=512, win_length=400, hop_length=160, n_mels=64, f_min=125.0,
    f_max=7500.0, mel_triangles="mel", power=1.0, padding="none", log="ln", log_floor=0.01,
)  # fmt: skip


def whiten(network, log_mels):
    """Give the layer "pca" the components of these clips' own embeddings, as published ones are of YouTube's."""
    embeddings = keras.Model(network.input, network.get_layer("fc2").output)(log_mels).numpy()
    variances, vectors = np.linalg.eigh(np.cov(embeddings.T))
    kernel = vectors / np.sqrt(variances)
    network.get_layer("pca").set_weights([kernel, -embeddings.mean(axis=0) @ kernel])


@pytest.fixture(scope="module", params=["raw", "pca"])
def classifier(request):
    if request.param == "raw":
        return classifier_of(AUDIO, model="vggish", width=1 / 16)
    published = {"vggish_checkpoint": "published", "vggish_pca": "published"}
    return classifier_of(AUDIO, model="vggish", width=1 / 16, load=whiten, **published)


# float32: sums in another order. int8: one step for all values of an embedding, of which some spread over a few
# steps alone in a network of random weights, under a head as steep as makes its classes differ.
@pytest.mark.parametrize(
    ("format", "mean", "agreement"),
    [("float32", 1e-5, 1.0), ("int8", 0.05, 0.8), ("int8_spectrogram", 0.05, 0.8)],
)
def test_scores_are_those_of_keras_by_built_in_operations(classifier, format, mean, agreement):
    content = convert.convert(classifier, format, sounds(AUDIO, 40, seed=2))
    assert not {BUILTIN.CUSTOM, BUILTIN.PLACEHOLDER_FOR_GREATER_OP_CODES} & {code for code, _ in operations(content)}
    if format == "int8_spectrogram":
        assert all(types <= {TYPES.INT8, TYPES.INT32} for _, types in operations(content))
    windows = sounds(AUDIO, 60, seed=3)[1:]
    expected = classifier.score_windows(windows).numpy()
    assert np.all(np.ptp(expected, axis=0) > 0.4)  # or the comparison below says nothing
    scores = convert.score_windows(content, AUDIO)(windows)
    assert np.mean(np.abs(scores - expected)) < mean
    assert np.mean(np.argmax(scores, axis=1) == np.argmax(expected, axis=1)) >= agreement
