"""What every architecture must keep, whatever it is made of: CHECKS, each a function of an `Example`.

To check something more of all of them, such as an export format, write a function here and add it to CHECKS.
"""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from small_run import create

from urbansound import models
from urbansound.config import AudioConfig, Config, ModelConfig
from urbansound.data import cache
from urbansound.data.pipeline import evaluation_batches
from urbansound.models import parts, temperature
from urbansound.models.record import Architecture
from urbansound.training import stages

CLASSES = ("high", "low", "middle")
# 201 frames: two examples of VGGish and a rest; as few bands as its poolings take.
AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=20, n_mels=16)
SHAPES = ((32, 16, 3), (87, 40, 2), (173, 64, 50))  # frames, n_mels, classes: small, odd, usual
WIDTH = {"vggish": 1 / 64}  # 72 million parameters at width 1


@dataclasses.dataclass(frozen=True)
class Example:
    """A small network of an architecture whose statistics are adapted to some clips, and a folder to write into."""

    record: Architecture
    config: Config
    network: keras.Model
    clips: tuple  # (cache entries, targets float32 [clips, classes])
    log_mels: np.ndarray  # of the clips, float32 [clips, frames, n_mels]
    folder: Path

    @property
    def scores(self):
        """The network's scores of its clips, float32 [clips, classes]."""
        return self.network.predict(self.log_mels, verbose=0)


def example(name, files, folder, **settings):
    """The Example of an architecture, by audio files of CLASSES in turn."""
    config = Config(audio=AUDIO, model=config_of(name, **settings))
    config = config.with_settings(cache_dir=str(folder / "cache"), mixup_alpha=0.0, batch_size=4, deterministic=True)
    entries, _ = cache.fill(files, AUDIO.sample_rate, config.data.cache_dir)
    clips = entries, np.eye(len(CLASSES), dtype=np.float32)[np.arange(len(entries)) % len(CLASSES)]
    log_mels = np.concatenate([batch.numpy() for batch, _ in evaluation_batches(*clips, config)])
    network = adapted(config.model, log_mels, len(CLASSES))
    return Example(models.architecture(name), config, network, clips, log_mels, folder)


def config_of(name, **settings):
    """A ModelConfig of a small network with random weights."""
    return ModelConfig(**{"model": name, "width": WIDTH.get(name, 0.25), "dropout": 0.5, **settings})


def noise(count, frames, n_mels):
    """Log-mel in dB, float32 [count, frames, n_mels], of different loudness."""
    generator = np.random.default_rng(3)
    level = generator.uniform(-80, 0, (count, 1, 1))
    return (level + generator.normal(0, 10, (count, frames, n_mels))).astype(np.float32)


def adapted(config, log_mels, n_classes):
    """A model of one architecture with a last layer of weights, adapted to these log-mels, batch normalization too."""
    keras.utils.set_random_seed(1)
    model, _ = models.build(log_mels.shape[1:], n_classes, config)
    for layer in model.layers:
        if hasattr(layer, "adapt"):
            layer.adapt(keras.Model(model.input, layer.input)(log_mels).numpy())
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalizations:
        layer.momentum = 0.0  # what this one batch has is what each keeps
    model(log_mels, training=True)
    for layer in normalizations:
        layer.momentum = parts.MOMENTUM
    _spread(model, log_mels)
    return model


def _spread(model, log_mels):
    """Give the last layer logits of mean 0 and deviation 2 over these clips, so that every class has its turn."""
    last = model.layers[-1]
    kernel, bias = last.get_weights()
    logits = keras.Model(model.input, last.input)(log_mels) @ kernel + bias
    deviation = np.std(logits, axis=0) / 2
    last.set_weights([kernel / deviation, (bias - np.mean(logits, axis=0)) / deviation])


def scores_of_any_shape_sum_to_one(case):
    for frames, n_mels, n_classes in SHAPES:
        model, ((record, network),) = models.build((frames, n_mels), n_classes, case.config.model)
        assert record is case.record
        assert network is model
        assert (model.name, model.input.name, model.layers[-1].name) == (record.name, "log_mel", "scores")
        scores = model.predict(noise(3, frames, n_mels), verbose=0)
        assert scores.shape == (3, n_classes)
        assert scores.dtype == np.float32
        # Fifty float32 shares add up to 1 within a few units in the last place.
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def a_clip_scores_the_same_in_any_batch(case):
    single = [case.network.predict(case.log_mels[i : i + 1], verbose=0)[0] for i in range(len(case.log_mels))]
    assert np.ptp(case.scores, axis=0).min() > 0.1  # or any clip scores as any other
    # Sums run in another order for another batch size: a few units in the last place, in each of up to 50 layers.
    np.testing.assert_allclose(single, case.scores, atol=2e-4)


def dropout_acts_only_in_training(case):
    rates = [layer.rate for layer in case.network.layers if isinstance(layer, keras.layers.Dropout)]
    assert case.config.model.dropout in rates
    first, second = (case.network(case.log_mels, training=False).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    first, second = (case.network(case.log_mels, training=True).numpy() for _ in range(2))
    assert np.any(first != second)


def a_run_gives_its_model_back(case):
    table = pd.DataFrame({"path": ["a.wav"], "label": ["high"], "fold": [1], "split": ["train"]})
    run = create(case.folder / "run", case.config, CLASSES, table, table[:0])
    case.network.save(run.file("model.keras"))
    np.testing.assert_array_equal(run.load_model().predict(case.log_mels, verbose=0), case.scores)


def a_network_is_its_config_and_its_weights(case):
    again = keras.Model.from_config(case.network.get_config())
    again.set_weights(case.network.get_weights())
    np.testing.assert_array_equal(again.predict(case.log_mels, verbose=0), case.scores)


def a_stage_trains_all_that_is_trainable(case):
    """The network itself, or where it has a frozen body its head, on what the body makes of the clips."""
    record, network = case.record, case.network
    frozen = stages.is_frozen(record, network)
    stage = stage_of(case)
    assert stage.validates_log_mels is not frozen
    part = stage.part
    assert stage.learner is part
    assert (part is network) is not frozen
    assert [w.path for w in part.trainable_variables] == [w.path for w in network.trainable_variables]
    inputs = np.concatenate([batch.numpy() for batch in stage.adaptation])
    # The body's batches are of another size.
    np.testing.assert_allclose(part.predict(inputs, verbose=0), case.scores, atol=5e-5)


def layers_are_adapted_in_order_to_what_they_take(case):
    network = keras.Model.from_config(case.network.get_config())
    network.set_weights(case.network.get_weights())
    case = dataclasses.replace(case, network=network)
    stage, seen = stage_of(case), {}
    for layer in stage.part.layers:
        if hasattr(layer, "adapt"):
            layer.adapt = _recorded(layer, seen)
    loud = dataclasses.replace(stage, adaptation=stage.adaptation.map(lambda inputs: 2 * inputs))
    loud.adapt()
    assert list(seen) == [layer.name for layer in stage.part.layers if hasattr(layer, "adapt")]
    inputs = np.concatenate([batch.numpy() for batch in loud.adaptation])
    first = network.input if stage.part is network else network.get_layer(case.record.embedding).input
    for name, data in seen.items():
        taken = network.get_layer(name).input
        # Now with every layer adapted that stands before this one, as it was then.
        expected = inputs if taken is first else keras.Model(first, taken).predict(inputs, verbose=0)
        np.testing.assert_allclose(data, expected, rtol=1e-4, atol=1e-3)


def a_temperature_divides_the_logits(case):
    network = keras.Model.from_config(case.network.get_config())
    network.set_weights(case.network.get_weights())
    calibrated = temperature.divide(network, 0.6)
    powers = case.scores.astype(np.float64) ** (1 / 0.6)
    # Logits of float32 are off by some 1e-6 of their size.
    np.testing.assert_allclose(
        calibrated.predict(case.log_mels, verbose=0), powers / powers.sum(axis=1, keepdims=True), atol=1e-4
    )


def a_record_names_layers_that_cut_its_network_in_two(case):
    record, network = case.record, case.network
    *ends, last = [end for end, _ in record.int8.pieces]
    assert last is None
    cuts = [network.get_layer(end).output for end in ends]
    if record.embedding is not None:
        cuts.append(network.get_layer(record.embedding).input)
    for cut in cuts:
        before, after = keras.Model(network.input, cut), keras.Model(cut, network.output)
        chained = after.predict(before.predict(case.log_mels, verbose=0), verbose=0)
        np.testing.assert_allclose(chained, case.scores, atol=1e-5)


def stage_of(case):
    """The Stage of an example, trained and validated on its own clips."""
    config = stages.settings(case.record, case.network, case.config)
    return stages.stage(case.record, case.network, case.network, case.clips, case.clips, config)


def scores_of_several_classes_are_each_by_itself(case):
    """Of an Example with targets="multilabel"."""
    last = case.network.layers[-1]
    kernel, bias = last.get_weights()
    logits = keras.Model(case.network.input, last.input)(case.log_mels).numpy().astype(np.float64) @ kernel + bias
    np.testing.assert_allclose(case.scores, 1 / (1 + np.exp(-logits)), atol=1e-5)
    assert np.ptp(case.scores.sum(axis=1)) > 0.1
    network = keras.Model.from_config(case.network.get_config())
    network.set_weights(case.network.get_weights())
    calibrated = temperature.divide(network, 0.6, "sigmoid").predict(case.log_mels, verbose=0)
    np.testing.assert_allclose(calibrated, 1 / (1 + np.exp(-logits / 0.6)), atol=1e-4)


def _recorded(layer, seen):
    adapt = layer.adapt

    def record(data):
        seen[layer.name] = np.concatenate([batch.numpy() for batch in data])
        adapt(data)

    return record


CHECKS = (
    scores_of_any_shape_sum_to_one,
    a_clip_scores_the_same_in_any_batch,
    dropout_acts_only_in_training,
    a_run_gives_its_model_back,
    a_network_is_its_config_and_its_weights,
    a_stage_trains_all_that_is_trainable,
    layers_are_adapted_in_order_to_what_they_take,
    a_temperature_divides_the_logits,
    a_record_names_layers_that_cut_its_network_in_two,
)
# Where each class has a score by itself.
CHECKS_OF_SEVERAL = (
    scores_of_several_classes_are_each_by_itself,
    a_clip_scores_the_same_in_any_batch,
    a_run_gives_its_model_back,
    a_stage_trains_all_that_is_trainable,
)
