"""A small classifier and sounds for it: untrained weights, statistics that fit the sounds."""

import keras
import numpy as np

from urbansound import models
from urbansound.audio.logmel import log_mel
from urbansound.config import AudioConfig, ModelConfig
from urbansound.inference.classifier import Classifier

AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)


def sounds(audio, count, seed=0):
    """Tones in noise of different loudness, the first one silent in half: float32 [count, clip_samples]."""
    generator = np.random.default_rng(seed)
    time = np.arange(audio.clip_samples) / audio.sample_rate
    hertz = generator.uniform(100, audio.sample_rate / 2, (count, 1))
    waves = np.sin(2 * np.pi * hertz * time) + generator.normal(0, 0.3, (count, audio.clip_samples))
    waves *= 10 ** generator.uniform(-2, -0.3, (count, 1))
    waves[0, audio.clip_samples // 2 :] = 0
    return np.clip(waves, -1, 1).astype(np.float32)


def classifier_of(audio=AUDIO, names=("high", "low", "middle", "noise"), width=0.5, load=None, **settings):
    """A Classifier whose scores differ from clip to clip; load(networks, config, names) sets weights first."""
    keras.utils.set_random_seed(1)
    log_mels = log_mel(sounds(audio, 32, seed=1), audio).numpy()
    config = ModelConfig(width=width, **settings)
    model, networks = models.build(log_mels.shape[1:], len(names), config)
    if load:
        load(networks, config, names)
    for _, network in networks:
        for layer in network.layers:
            if hasattr(layer, "adapt"):
                layer.adapt(keras.Model(network.input, layer.input).predict(log_mels, verbose=0))
        _settle(network, log_mels)
        _spread(network, log_mels)
    return Classifier(model, audio, audio.clip_samples // 2, "repeat", tuple(names), config.architectures)


def _settle(network, log_mels):
    """Give batch normalizations the mean and variance of these clips, in one pass."""
    norms = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    network(log_mels, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _spread(network, log_mels):
    """Give the last Dense layer logits of mean 0 and spread 2 over these clips, so that every class has its turn."""
    head = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)][-1]
    kernel, bias = head.get_weights()
    logits = keras.Model(network.input, head.input).predict(log_mels, verbose=0) @ kernel + bias
    spread = np.maximum(np.std(logits, axis=0) / 2, 1e-3)
    head.set_weights([kernel / spread, (bias - np.mean(logits, axis=0)) / spread])
