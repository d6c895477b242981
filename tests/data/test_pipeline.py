"""Pipelines: order, determinism, resumption, and what training sees against evaluation."""

import dataclasses
import time

import numpy as np
import pytest
import tensorflow as tf

from urbansound.audio.length import fit_length
from urbansound.audio.logmel import log_mel
from urbansound.config import AudioConfig, AugmentConfig, Config, TrainConfig
from urbansound.data import cache, pipeline, views
from urbansound.targets import SINGLE

AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)
PLAIN = AugmentConfig(shift_seconds=0.0, gain_db=0.0, time_masks=0, mel_masks=0, mixup_alpha=0.0)


@pytest.fixture(scope="module")
def clips(tone_folder, tmp_path_factory):
    """(cache entries, targets) of the tones."""
    paths = sorted(str(path) for path in tone_folder.rglob("*.wav"))
    entries, faults = cache.fill(paths, AUDIO.sample_rate, tmp_path_factory.mktemp("cache"))
    assert faults == {}
    names = sorted(path.name for path in tone_folder.iterdir())
    return entries, SINGLE.matrix([path.split("/")[-2] for path in paths], names)


def config(**train):
    return Config(audio=AUDIO, train=TrainConfig(batch_size=8, deterministic=True, **train))


def take(dataset, count):
    return [(features.numpy(), targets.numpy()) for features, targets in dataset.take(count)]


def test_shapes_and_targets(clips):
    features, targets = take(pipeline.training_batches(*clips, config()), 1)[0]
    assert features.shape == (8, AUDIO.frames, AUDIO.n_mels)
    assert features.dtype == np.float32
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_an_epoch_takes_every_clip_at_most_once_and_the_next_another_order(clips):
    entries, _ = clips
    steps = views.steps_per_epoch(len(entries), config())
    assert steps == 5
    plain = dataclasses.replace(config(), augment=PLAIN)
    targets = np.eye(len(entries))  # a class per clip tells which it was
    batches = take(pipeline.training_batches(entries, targets, plain), 2 * steps)
    first, second = (
        np.concatenate([np.argmax(targets, axis=1) for _, targets in half])
        for half in (batches[:steps], batches[steps:])
    )
    assert len(set(first)) == len(set(second)) == 40
    assert first.tolist() != second.tolist()


def test_views_are_copies_of_a_clip_that_only_masks_tell_apart(clips):
    for masks, alike in ((0, True), (2, False)):
        augment = dataclasses.replace(PLAIN, views=2, time_masks=masks, time_mask_frames=8)
        settings = dataclasses.replace(config(), augment=augment)
        assert views.steps_per_epoch(len(clips[0]), settings) == 11  # 45 clips, four in a batch of eight
        features, targets = take(pipeline.training_batches(*clips, settings), 1)[0]
        assert features.shape == (8, AUDIO.frames, AUDIO.n_mels)
        np.testing.assert_array_equal(targets[::2], targets[1::2])
        assert np.array_equal(features[::2], features[1::2]) == alike
        assert not np.array_equal(features[0], features[2])


def test_the_same_seed_gives_the_same_batches_and_another_does_not(clips):
    noisy = dataclasses.replace(config(), augment=AugmentConfig(noise_probability=0.5))
    first, again = (take(pipeline.training_batches(*clips, noisy), 3) for _ in range(2))
    other = take(pipeline.training_batches(*clips, dataclasses.replace(noisy, train=config(seed=2).train)), 3)
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
        assert not np.allclose(a[0], c[0])


def test_noise_alone_has_all_classes_alike_for_its_target_and_leaves_the_other_clips_as_they_are(clips):
    plain, noisy = (
        dataclasses.replace(config(), augment=dataclasses.replace(PLAIN, noise_alone=share)) for share in (0.0, 0.4)
    )
    made = [take(pipeline.training_batches(*clips, settings), 10) for settings in (plain, noisy)]
    features, targets = ([np.concatenate([batch[i] for batch in batches]) for batches in made] for i in (0, 1))
    alone = np.all(np.isclose(targets[1], 1 / 3), axis=1)
    assert 0.25 < alone.mean() < 0.55
    np.testing.assert_array_equal(targets[1][~alone], targets[0][~alone])
    np.testing.assert_array_equal(features[1][~alone], features[0][~alone])
    assert not np.any(np.all(features[1][alone] == features[0][alone], axis=(1, 2)))


def test_noise_alone_has_no_class_where_a_clip_may_have_several(clips):
    noisy = dataclasses.replace(config(), augment=dataclasses.replace(PLAIN, noise_alone=0.4))
    batches = take(pipeline.training_batches(*clips, noisy.with_settings(targets="multilabel")), 10)
    targets = np.concatenate([targets for _, targets in batches])
    assert 0.25 < np.mean(~targets.any(axis=1)) < 0.55
    assert set(targets.sum(axis=1)) == {0, 1}


def test_starting_at_a_later_epoch_is_the_unbroken_run_from_there(clips):
    unbroken = take(pipeline.training_batches(*clips, config()), 15)
    resumed = take(pipeline.training_batches(*clips, config(), first_epoch=2), 5)
    for (features, targets), (again, targets_again) in zip(unbroken[10:], resumed, strict=True):
        np.testing.assert_array_equal(features, again)
        np.testing.assert_array_equal(targets, targets_again)


def test_evaluation_is_every_clip_in_order_unchanged(clips, monkeypatch):
    def uneven(waveform, *arguments):
        """Some clips take much longer than those after them."""
        wait = lambda samples: time.sleep(0.03 * (samples % 2)) or samples  # noqa: E731
        waited = tf.numpy_function(wait, [tf.size(waveform)], tf.int32)
        with tf.control_dependencies([waited]):
            return fit_length(waveform, *arguments)

    monkeypatch.setattr(pipeline, "fit_length", uneven)
    entries, truth = clips
    batches = take(pipeline.evaluation_batches(entries, truth, config().with_settings(deterministic=False)), 100)
    features = np.concatenate([features for features, _ in batches])
    targets = np.concatenate([targets for _, targets in batches])
    np.testing.assert_array_equal(targets, truth)
    for i in (0, 17, 44):
        waveform = fit_length(cache.read(entries[i]), AUDIO.clip_samples, "repeat")
        np.testing.assert_allclose(features[i], log_mel(waveform, AUDIO), atol=1e-4)


def test_a_clip_is_the_same_in_any_company(clips):
    entries, truth = clips
    alone = take(pipeline.evaluation_batches(entries[3:4], truth[3:4], config()), 1)[0][0]
    among = take(pipeline.evaluation_batches(entries[:8], truth[:8], config()), 1)[0][0]
    # dB of float32 sums in another order: far below a thousandth of a decibel.
    np.testing.assert_allclose(alone[0], among[3], atol=1e-3)


def test_fewer_clips_than_a_batch_still_train(clips):
    entries, truth = clips
    features, _ = take(pipeline.training_batches(entries[:3], truth[:3], config()), 1)[0]
    assert features.shape[0] == 3
