"""Windows over waveforms of any length, and the mean of their scores."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from small_run import create

from urbansound import models
from urbansound.config import AudioConfig, Config, ModelConfig
from urbansound.errors import InputError
from urbansound.inference import classifier as scoring
from urbansound.models.record import Architecture

AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)


@pytest.fixture(scope="module")
def classifier():
    """A linear model over the mean log-mel."""
    keras.utils.set_random_seed(1)
    log_mel = keras.Input((AUDIO.frames, AUDIO.n_mels))
    pooled = keras.layers.GlobalAveragePooling1D()(log_mel / 50)
    model = keras.Model(log_mel, keras.layers.Dense(3, activation="softmax")(pooled))
    return scoring.Classifier(
        model, AUDIO, hop=2000, short_clips="repeat", class_names=("a", "b", "c"), architectures=("cnn",)
    )


def mean_over_windows(classifier, waveform):
    """The definition, window by window."""
    samples = classifier.audio.clip_samples
    waveform = np.resize(waveform, max(samples, len(waveform)))
    starts = scoring.window_starts(len(waveform), samples, classifier.hop).numpy()
    windows = [waveform[np.newaxis, start : start + samples] for start in starts]
    return np.mean([classifier.score_windows(window)[0] for window in windows], axis=0)


@pytest.mark.parametrize(
    ("length", "starts"), [(10, [0]), (11, [0, 1]), (15, [0, 5]), (16, [0, 5, 6]), (20, [0, 5, 10])]
)
def test_windows_cover_the_waveform(length, starts):
    assert scoring.window_starts(length, 10, 5).numpy().tolist() == starts


# 0.5 s is one window; 25 s are 99, more than are scored at once.
@pytest.mark.parametrize("length", [1, 900, 4000, 4001, 25_001, 200_000])
def test_a_score_is_the_mean_over_windows_eagerly_and_in_a_graph(classifier, length):
    waveforms = np.random.default_rng(length).normal(0, 0.1, (2, length)).astype(np.float32)
    expected = [mean_over_windows(classifier, waveform) for waveform in waveforms]
    graph = tf.function(classifier.score, input_signature=[tf.TensorSpec([None, None])])
    # float32 sums in another order.
    np.testing.assert_allclose(classifier.score(waveforms), expected, atol=1e-5)
    np.testing.assert_allclose(graph(waveforms), expected, atol=1e-5)


def test_scores_of_a_clip_are_the_same_in_company(classifier):
    generator = np.random.default_rng(0)
    waveforms = [generator.normal(0, 0.1, n).astype(np.float32) for n in (900, 4000, 25_001)]
    done = []
    given = [(2, waveforms[2]), (0, waveforms[0]), (1, waveforms[1])]
    scores = scoring.score_clips(given, 4, classifier, on_progress=lambda *counts: done.append(counts))
    assert np.isnan(scores[3]).all()
    assert done == [(1, 4), (2, 4), (3, 4)]
    for i in range(3):
        np.testing.assert_allclose(scores[i], mean_over_windows(classifier, waveforms[i]), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_waveform_of_no_numbers_gets_no_score(classifier, value):
    waveforms = np.zeros((2, 9000), np.float32)
    waveforms[1, 5000] = value
    for score in (classifier.score, tf.function(classifier.score)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"waveform : Tensor had (NaN|Inf|-Inf)"):
            score(waveforms)
    with pytest.raises(tf.errors.InvalidArgumentError):
        scoring.score_clips([(0, waveforms[1])], 1, classifier)


def test_another_form_of_the_model_scores_the_same_windows(classifier):
    waveforms = [(0, np.ones(9000, np.float32)), (1, np.ones(10, np.float32))]
    seen = []

    def constant(windows):
        seen.append(windows.shape)
        return tf.one_hot(tf.ones(len(windows), tf.int32), 3)

    scores = scoring.score_clips(waveforms, 2, classifier, constant)
    assert scores.tolist() == [[0, 1, 0]] * 2
    assert seen == [(5, 4000)]


def test_windows_are_scored_while_the_sound_comes(classifier):
    read, at = [0], []

    def blocks():
        for _ in range(400):
            read[0] += 1
            yield np.full(1000, 0.1, np.float32)

    def constant(windows):
        at.append((len(windows), read[0]))
        return np.full((len(windows), 3), [0.1, 0.2, 0.7])

    scores = scoring.score_sounds([(1, blocks())], 2, classifier, 2000, constant)
    np.testing.assert_allclose(scores[1], [0.1, 0.2, 0.7], rtol=1e-6)
    assert np.isnan(scores[0]).all()
    # A window of 4 blocks, and another with every second block: 32 of them by block 66, and so on.
    assert at == [*((32, 66 + 64 * i) for i in range(6)), (7, 400)]


def trained_run(path):
    """A run directory with an untrained cnn."""
    config = Config(audio=AUDIO, model=ModelConfig(width=0.3))
    model, _ = models.build((AUDIO.frames, AUDIO.n_mels), 3, config.model)
    clips = pd.DataFrame({"path": ["x.wav"], "label": ["a"], "fold": [1], "recording": ["x"], "salience": [""]})
    run = create(path, config, ["a", "b", "c"], clips.assign(split="test"), [])
    model.save(run.file("model.keras"))
    return run


def test_a_run_s_classifier_scores_windows_of_its_clips_or_of_another_length(tmp_path):
    run = trained_run(tmp_path / "run")
    classifier = scoring.Classifier.from_run(run)
    assert (classifier.audio, classifier.hop) == (AUDIO, 2000)
    longer = scoring.Classifier.from_run(run, window_seconds=1.0, window_hop_seconds=0.25)
    assert (longer.audio.clip_samples, longer.hop) == (8000, 2000)
    waveform = np.random.default_rng(1).normal(0, 0.1, (1, 8000)).astype(np.float32)
    for mine, theirs in zip(classifier.model.get_weights(), longer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(longer.score(waveform).numpy().sum(), 1, atol=1e-5)


def test_a_layer_of_keras_that_was_adapted_is_so_for_other_windows(tmp_path, monkeypatch):
    def build(shape, n_classes, config):
        log_mel = keras.Input(shape)
        x = keras.layers.Normalization(name="normal")(keras.ops.mean(log_mel, axis=1))
        return keras.Model(log_mel, keras.layers.Dense(n_classes, activation="softmax")(x))

    monkeypatch.setattr(models, "architecture", lambda name: Architecture(name, "of another package", build))
    run = trained_run(tmp_path / "run")
    model = run.load_model()
    model.get_layer("normal").adapt(np.random.default_rng(0).normal(-40, 5, (20, AUDIO.n_mels)))
    model.save(run.file("model.keras"))
    longer = scoring.Classifier.from_run(run, window_seconds=1.0).model
    frame = np.random.default_rng(1).normal(-40, 5, (5, 1, AUDIO.n_mels))
    expected, scores = (net(np.repeat(frame, net.input_shape[1], axis=1)) for net in (model, longer))
    # float32 means over more frames.
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("hop_seconds", [0, -1.0, 0.6, 1e-9, np.nan, np.inf])
def test_a_hop_that_leaves_gaps_is_refused(tmp_path, hop_seconds):
    with pytest.raises(InputError, match="window_hop_seconds must be above 0 and at most the window"):
        scoring.Classifier.from_run(trained_run(tmp_path / "run"), window_hop_seconds=hop_seconds)
