"""VGGish by its definition: published sizes, a float64 forward pass of our own, examples end to end."""

import keras
import numpy as np
import pytest
from absl import flags as absl_flags

from running import ROOT
from urbansound import flags, models
from urbansound.audio.logmel import log_mel
from urbansound.config import ModelConfig
from urbansound.models import heads, vggish

TINY = ModelConfig(model="vggish", width=1 / 32)
LAYERS = ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "fc1_1", "fc1_2", "fc2")
POOLED = {"conv1", "conv2", "conv3_2", "conv4_2"}


def built(frames, config=TINY, n_classes=3):
    model, _ = models.build((frames, 64), n_classes, config)
    return model


def embeddings_of(model):
    """The model up to its embeddings, one row per example."""
    last = "pca" if any(layer.name == "pca" for layer in model.layers) else "fc2"
    return keras.Model(model.input, model.get_layer(last).output)


def body(examples, weights):
    """VGGish in float64: examples [n, 96, bands] to embeddings [n, values]; weights {layer: (kernel, bias)}."""
    x = np.asarray(examples, np.float64)[..., np.newaxis]
    for name in LAYERS[:6]:
        kernel, bias = (np.asarray(values, np.float64) for values in weights[name])
        padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # [n, h, w, in, 3, 3]
        x = np.maximum(np.einsum("nhwcij,ijco->nhwo", patches, kernel, optimize=True) + bias, 0)
        if name in POOLED:
            n, height, width, channels = x.shape
            x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    x = x.reshape(len(x), -1)
    for name in LAYERS[6:]:
        kernel, bias = (np.asarray(values, np.float64) for values in weights[name])
        x = x @ kernel + bias
        if name != "fc2":
            x = np.maximum(x, 0)
    return x


def with_biases(model, seed=0):
    """{layer: (kernel, bias)} of a model whose biases are no longer 0."""
    generator = np.random.default_rng(seed)
    for name in LAYERS:
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel, generator.normal(0, 0.1, bias.shape)])
    return {name: model.get_layer(name).get_weights() for name in LAYERS}


def clips(count, frames):
    """Log-mel as VGGish takes it, float32 [count, frames, 64]."""
    return np.random.default_rng(1).normal(-2, 2, (count, frames, 64)).astype(np.float32)


def test_the_whole_network_is_of_the_published_size():
    model = built(398, ModelConfig(model="vggish"), 10)
    shapes = {name: tuple(model.get_layer(name).kernel.shape) for name in LAYERS}
    assert shapes == {
        "conv1": (3, 3, 1, 64), "conv2": (3, 3, 64, 128), "conv3_1": (3, 3, 128, 256), "conv3_2": (3, 3, 256, 256),
        "conv4_1": (3, 3, 256, 512), "conv4_2": (3, 3, 512, 512), "fc1_1": (12288, 4096), "fc1_2": (4096, 4096),
        "fc2": (4096, 128),
    }  # fmt: skip
    assert sum(model.get_layer(name).count_params() for name in LAYERS) == 72_141_184
    # The head: mean, variance and number of 256 standardised values, then a score of each class.
    assert model.count_params() == 72_141_184 + 2 * 256 + 1 + 256 * 10 + 10


@pytest.mark.parametrize("frames", [96, 398])
def test_embeddings_are_those_of_float64(frames):
    keras.utils.set_random_seed(1)
    model = built(frames)
    weights = with_biases(model)
    log_mels = clips(2, frames)
    expected = body(log_mels[:, : frames // 96 * 96].reshape(-1, 96, 64), weights)
    got = embeddings_of(model).predict(log_mels, verbose=0)
    assert got.shape == expected.shape == (2 * (frames // 96), 8)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)  # float32 sums of up to 768 products, nine deep


def test_scores_are_the_head_on_mean_and_maximum_over_time():
    keras.utils.set_random_seed(1)
    model = built(200)
    weights = with_biases(model)
    standardize, scores = model.get_layer(heads.FIRST), model.get_layer("scores")
    standardize.adapt(np.random.default_rng(2).normal(1, 3, (50, 16)).astype(np.float32))
    log_mels = clips(3, 200)
    x = body(log_mels[:, :192].reshape(-1, 96, 64), weights).reshape(3, 2, 8)
    x = np.concatenate([x.mean(axis=1), x.max(axis=1)], axis=1)
    x = np.tanh((x - np.array(standardize.adapt_mean)) / np.sqrt(np.array(standardize.adapt_variance)) / 2)
    kernel, bias = scores.get_weights()
    exponentials = np.exp(x @ kernel.astype(np.float64) + bias)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(log_mels, verbose=0), expected, atol=1e-5)


def test_a_clip_too_short_for_an_example_is_repeated():
    keras.utils.set_random_seed(1)
    short, whole = (built(frames) for frames in (40, 96))
    whole.set_weights(short.get_weights())
    log_mels = clips(2, 40)
    repeated = np.concatenate([log_mels] * 3, axis=1)[:, :96]
    np.testing.assert_allclose(short(log_mels), whole(repeated), atol=1e-6)


def test_frames_after_the_last_example_play_no_part():
    model = built(200)
    log_mels = clips(2, 200)
    changed = log_mels.copy()
    changed[:, 192:] += 5
    np.testing.assert_array_equal(model(log_mels), model(changed))
    changed[:, 191] += 5
    assert not np.allclose(embeddings_of(model)(log_mels), embeddings_of(model)(changed))


@pytest.mark.parametrize("blocks", [0, 1, 3, 9])
def test_layers_are_trained_from_the_last_and_the_pca_never(blocks):
    config = ModelConfig(
        model="vggish", width=1 / 32, trainable_blocks=blocks, vggish_checkpoint="x", vggish_pca="published"
    )
    model = built(96, config)
    learning = {layer.name for layer in model.layers if layer.trainable_weights}
    assert learning == {*LAYERS[9 - blocks :], "scores"} if blocks else {"scores"}


def test_width_scales_every_layer():
    model = built(96, ModelConfig(model="vggish", width=1 / 4))
    assert [model.get_layer(name).kernel.shape[-1] for name in LAYERS] == [16, 32, 64, 64, 128, 128, 1024, 1024, 32]


def published_log_mel(waveform):
    """ln(mel + 0.01) in float64 as the original's mel_features and vggish_params define it."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    starts = range(0, len(waveform) - 400 + 1, 160)
    magnitude = np.abs(np.fft.rfft([waveform[start : start + 400] * window for start in starts], 512))

    def mel(hertz):
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    bins, edges = mel(np.linspace(0, 8000, 257)), np.linspace(mel(125), mel(7500), 66)
    weights = [
        np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
        for low, centre, high in zip(edges, edges[1:], edges[2:])  # noqa: B905
    ]
    return np.log(magnitude @ np.transpose(weights) + 0.01)


def test_the_flag_file_makes_the_log_mel_that_vggish_was_trained_on(monkeypatch):
    monkeypatch.chdir(ROOT)
    values = flags.define(absl_flags.FlagValues())
    absl_flags.DEFINE_string("flagfile", "", "settings", values)
    values(["train", "--flagfile=configs/vggish.flags"])
    audio, model = flags.config_from(values).audio, flags.config_from(values).model
    assert (model.model, model.width) == ("vggish", 1)  # or the published checkpoint has no place in it
    waveform = np.random.default_rng(0).normal(0, 0.1, 64000) * np.linspace(0, 1, 64000)
    waveform -= waveform.mean()  # the published one leaves an offset where it is
    expected = published_log_mel(waveform)
    got = log_mel(waveform.astype(np.float32), audio).numpy()
    assert got.shape == expected.shape == (398, 64) == (audio.frames, audio.n_mels)
    # The mel scale's factor is 2595 / ln(10) = 1127.01 here and 1127 there, which cancels; float32 transforms remain.
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert vggish.EXAMPLE_FRAMES * audio.hop_length == 0.96 * audio.sample_rate
