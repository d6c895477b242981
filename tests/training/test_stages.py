"""What a stage trains, by whether the body is frozen, and on what."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_run import run_of

from urbansound import models
from urbansound.config import Config, ModelConfig
from urbansound.data.prepare import cache_entries
from urbansound.models import ensemble, parts
from urbansound.training import embeddings, stages


def built(name, **settings):
    model, ((record, network),) = models.build((33, 16), 3, ModelConfig(model=name, **settings))
    assert network is model
    return record, network


@pytest.mark.parametrize(
    ("name", "blocks", "expected"),
    [("yamnet", 0, True), ("yamnet", 1, False), ("vggish", 0, True), ("cepstrum", 0, True), ("cnn", 0, False)],
)
def test_frozen_is_a_body_of_which_nothing_is_trained(name, blocks, expected):
    assert stages.is_frozen(*built(name, trainable_blocks=blocks, width=1 / 64)) is expected


def test_masks_and_views_are_for_networks_trained_on_log_mels():
    config = Config().with_settings(views=2, time_masks=2, mel_masks=2)
    assert stages.settings(*built("cnn", width=0.25), config) is config
    frozen = stages.settings(*built("cepstrum"), config).augment
    assert (frozen.views, frozen.time_masks, frozen.mel_masks) == (1, 0, 0)
    assert frozen.mixup_alpha == config.augment.mixup_alpha


@pytest.fixture
def stage_of(tone_folder, tmp_path):
    """A function of an architecture's name and settings that gives (its network, its Stage on the tone folder)."""

    def make(name, mean=None, **settings):
        run = run_of(tone_folder, tmp_path, name, model=name, **settings)
        clips = [
            (cache_entries(rows, run.config), run.targets.matrix(rows.label, run.class_names))
            for rows in (run.clips[run.clips.split == split] for split in ("train", "validation"))
        ]
        model, ((record, network),) = models.build((run.config.audio.frames, 16), 3, run.config.model)
        config = stages.settings(record, network, run.config)
        return network, stages.stage(record, network, mean(network) if mean else model, *clips, config)

    return make


def test_a_head_is_trained_on_cached_embeddings(stage_of, tmp_path):
    network, stage = stage_of("yamnet")
    assert len(list((tmp_path / "cache/embeddings").rglob("*.f32"))) == 36  # training and validation clips
    inputs, targets = next(iter(stage.batches(0)))
    assert inputs.shape == (8, 2048)
    assert targets.shape == (8, 3)
    assert (stage.steps, stage.validates_log_mels) == (3, False)
    body, _ = embeddings.split(network, models.architecture("yamnet").embedding)
    assert not set(map(id, body.weights)) & set(map(id, stage.part.weights))


def test_with_noise_embeddings_are_new_in_every_epoch_and_follow_from_it(stage_of, tmp_path):
    _, stage = stage_of("yamnet", noise_probability=1.0, val_fraction=0.0, mixup_alpha=0.0, deterministic=True)
    assert stage.validation is None
    assert not (tmp_path / "cache/embeddings").exists()
    epochs = [np.concatenate([inputs for inputs, _ in stage.batches(epoch).take(stage.steps)]) for epoch in (0, 1, 1)]
    np.testing.assert_array_equal(epochs[1], epochs[2])
    assert not np.any(np.isin(epochs[0].max(axis=1), epochs[1].max(axis=1)))
    adapted = np.concatenate(list(stage.adaptation))
    np.testing.assert_array_equal(adapted, epochs[0])


def test_a_network_is_trained_on_augmented_log_mels_and_adapts_to_unchanged_ones(stage_of):
    network, stage = stage_of("cnn", views=2)
    assert stage.part is stage.learner is network
    inputs, _ = next(iter(stage.batches(0)))
    assert inputs.shape == (8, 32, 16)
    assert sum(len(batch) for batch in stage.adaptation) == 30
    assert stage.validates_log_mels


@pytest.mark.parametrize("name", ["cnn", "yamnet"])
def test_in_an_ensemble_the_learner_trains_its_part_and_scores_as_the_mean(name, stage_of):
    others = models.build((32, 16), 3, ModelConfig(model="resnet", width=0.25))[0]
    means = []

    def mean(network):
        means.append(ensemble.average([others, network]))
        return means[0]

    network, stage = stage_of(name, mean)
    stage.learner.compile("sgd", "categorical_crossentropy")
    before, start = others.get_weights(), network.get_weights()
    stage.learner.fit(stage.batches(0), steps_per_epoch=2, validation_data=stage.validation, shuffle=False, verbose=0)
    for mine, theirs in zip(others.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert any(np.any(mine != theirs) for mine, theirs in zip(network.get_weights(), start, strict=True))
    assert stage.validates_log_mels
    for log_mels, _ in stage.validation:
        np.testing.assert_array_equal(stage.learner(log_mels, training=False), means[0](log_mels))


def test_layers_after_others_adapt_to_what_those_make_then():
    log_mel = keras.Input((3,))
    first = parts.Standardize(name="first")
    second = parts.Standardize(name="second")
    part = keras.Model(log_mel, second(keras.ops.exp(first(log_mel))))
    part(np.zeros((1, 3)))
    keras.Model(part.input, first(part.input * 5))  # an input of `first` elsewhere
    values = np.random.default_rng(0).normal(50, 20, (64, 3)).astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices(values).batch(20)
    stage = stages.Stage(part, part, None, 1, None, batches, True, None)
    stage.adapt()
    x = np.exp((values - values.mean(0)) / values.std(0)).astype(np.float64)
    np.testing.assert_allclose(second.adapt_mean, x.mean(0), rtol=1e-4)
    np.testing.assert_allclose(second.adapt_variance, x.var(0), rtol=1e-3)


def test_a_layer_that_would_not_be_adapted_is_refused():
    record, log_mel = models.architecture("cnn"), keras.Input((33, 16))
    body = keras.Sequential([keras.Input((33, 16)), parts.Standardize(name="inner")], name="body")
    network = keras.Model(log_mel, keras.layers.Dense(3)(body(log_mel)), name="toy")
    with pytest.raises(ValueError, match=r"toy: inner would not be adapted; only layers of what is trained are"):
        stages.stage(record, network, network, ([], []), ([], []), Config())
