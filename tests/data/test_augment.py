"""Augmentation: what each step does, that it follows from its seed, that it agrees in tf.data."""

import numpy as np
import pytest
import tensorflow as tf

from urbansound.config import AugmentConfig
from urbansound.data import augment

RATE = 8000
OFF = {"shift_seconds": 0.0, "gain_db": 0.0, "noise_probability": 0.0}


def seed(number):
    return tf.constant([7, number], tf.int64)


def clip(samples=4000):
    return np.sin(2 * np.pi * 440 * np.arange(samples) / RATE).astype(np.float32)


def decibel(ratio):
    return 20 * np.log10(ratio)


def test_random_window_covers_all_starts_and_no_others():
    starts = {int(augment.random_window(tf.range(10.0), 7, seed(i))[0]) for i in range(200)}
    assert starts == {0, 1, 2, 3}
    assert augment.random_window(tf.range(5.0), 7, seed(0)).shape == (5,)


def test_shift_is_circular_and_within_its_limit():
    config = AugmentConfig(**{**OFF, "shift_seconds": 0.01})
    impulse = np.zeros(4000, np.float32)
    impulse[0] = 1.0
    places = []
    for i in range(200):
        shifted = augment.augment_waveform(impulse, None, seed(i), config, RATE).numpy()
        assert shifted.sum() == 1.0
        places.append(int(np.argmax(shifted)))
    places = (np.array(places) + 2000) % 4000 - 2000
    assert -80 <= places.min() < -60
    assert 60 < places.max() <= 80


def test_gain_is_within_its_limit():
    config = AugmentConfig(**{**OFF, "gain_db": 6.0})
    gains = [decibel(augment.augment_waveform(clip(), None, seed(i), config, RATE).numpy().max()) for i in range(200)]
    assert -6.01 < min(gains) < -4
    assert 4 < max(gains) < 6.01


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_noise_is_added_at_the_ratio_asked_for(snr_db):
    noise = np.random.default_rng(0).normal(0, 0.3, 50_000).astype(np.float32)
    noisy = augment.add_noise(clip(), noise, seed(1), (snr_db, snr_db)).numpy()
    measured = decibel(np.sqrt(np.mean(clip() ** 2) / np.mean((noisy - clip()) ** 2)))
    assert measured == pytest.approx(snr_db, abs=0.01)


def test_silence_stays_silent_under_noise():
    noisy = augment.add_noise(tf.zeros(100), tf.ones(200), seed(1), (0.0, 0.0))
    assert not np.any(noisy)


def test_noise_alone_takes_the_place_of_its_share_of_clips_as_loud_as_they_are():
    noise = np.random.default_rng(0).normal(0, 0.3, 50_000).astype(np.float32)
    made = [augment.noise_alone(clip(), noise, seed(i), 0.3) for i in range(400)]
    alone = [waveform.numpy() for waveform, chosen in made if chosen]
    assert 0.2 < len(alone) / len(made) < 0.4
    for waveform in alone:
        assert np.mean(waveform**2) == pytest.approx(np.mean(clip() ** 2), rel=1e-3)
        assert abs(np.corrcoef(waveform, clip())[0, 1]) < 0.1
    for waveform, chosen in made:
        assert chosen or np.array_equal(waveform, clip())


def test_noise_comes_to_its_share_of_clips():
    config = AugmentConfig(**{**OFF, "noise_probability": 0.3})
    noise = tf.constant(np.random.default_rng(0).normal(0, 1, 8000), tf.float32)
    original = tf.constant(clip())
    changed = [
        bool(tf.reduce_any(augment.augment_waveform(original, noise, seed(i), config, RATE) != original))
        for i in range(300)
    ]
    # Three standard deviations of a share of 0.3 among 300 are 0.08.
    assert np.mean(changed) == pytest.approx(0.3, abs=0.08)


def test_mixup_mixes_waveforms_and_targets_by_the_same_share():
    waveforms = np.eye(4, 50, dtype=np.float32)
    mixed, targets = augment.mixup(waveforms, np.eye(4, dtype=np.float32), seed(3), 0.4)
    np.testing.assert_allclose(mixed[:, :4], targets, atol=1e-7)
    np.testing.assert_allclose(np.sum(targets, axis=1), 1.0, atol=1e-6)
    own = np.diag(targets)
    assert np.all(own >= 0.5)
    assert len(set(own.round(6))) == 4


def test_mixup_share_has_the_moments_of_a_folded_beta():
    alpha = 0.4
    shares = np.diag(augment.mixup(tf.zeros([2000, 1]), tf.eye(2000), seed(4), alpha)[1])
    expected = np.random.default_rng(0).beta(alpha, alpha, 200_000)
    expected = np.maximum(expected, 1 - expected)
    # The standard error of the mean of 2,000 shares is 0.004.
    assert shares.mean() == pytest.approx(expected.mean(), abs=0.015)
    assert shares.std() == pytest.approx(expected.std(), abs=0.015)


def test_mask_hides_no_more_than_it_may_and_keeps_the_rest():
    config = AugmentConfig(time_masks=2, time_mask_frames=10, mel_masks=1, mel_mask_bands=4)
    log_mel = np.random.default_rng(0).normal(0, 1, (64, 100, 32)).astype(np.float32)
    masked = augment.mask(log_mel, seed(5), config).numpy()
    hidden = masked != log_mel
    frames, bands = hidden.all(axis=2).sum(axis=1), hidden.all(axis=1).sum(axis=1)
    assert frames.max() <= 20
    assert bands.max() <= 4
    assert frames.mean() > 5
    means = np.broadcast_to(log_mel.mean(axis=(1, 2), keepdims=True), masked.shape)
    np.testing.assert_allclose(masked[hidden], means[hidden], atol=1e-6)


def test_masks_reach_both_ends():
    config = AugmentConfig(time_masks=1, time_mask_frames=10, mel_masks=0)
    log_mel = np.random.default_rng(0).normal(0, 1, (500, 20, 3)).astype(np.float32)
    hidden = (augment.mask(log_mel, seed(6), config).numpy() != log_mel).all(axis=2)
    assert hidden[:, 0].any()
    assert hidden[:, -1].any()


def test_the_seed_decides_and_the_graph_agrees():
    config = AugmentConfig(noise_probability=1.0)
    noise = tf.constant(np.random.default_rng(0).normal(0, 1, 8000), tf.float32)

    def step(number):
        return augment.augment_waveform(tf.constant(clip()), noise, tf.stack([7, number]), config, RATE)

    eager = [step(tf.constant(i, tf.int64)).numpy() for i in range(3)]
    mapped = list(tf.data.Dataset.range(3).map(step, num_parallel_calls=2).as_numpy_iterator())
    np.testing.assert_allclose(mapped, eager, atol=1e-6)
    assert not np.allclose(eager[0], eager[1])
