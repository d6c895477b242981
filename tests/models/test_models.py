"""The registry, and what is particular to an architecture; what all keep is in test_architectures.py."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from architecture_checks import adapted, config_of, noise

from running import ROOT
from urbansound import models
from urbansound.config import ModelConfig
from urbansound.errors import InputError
from urbansound.models import ensemble, yamnet
from urbansound.registry import Registry
from urbansound.training import embeddings

# Parameters: what a microcontroller's flash takes as int8; ResNet50 as published; MobileNet v1 without batch
# normalization and classifier. VGGish's are counted in test_vggish.py.
BUDGETS = {
    "cepstrum": 30_000,
    "cnn": 500_000,
    "crnn": 500_000,
    "resnet": 500_000,
    "resnet50": 24_000_000,
    "transformer": 500_000,
    "yamnet": 3_300_000,
}


def built(name, frames, n_mels, n_classes=10, **settings):
    model, _ = models.build((frames, n_mels), n_classes, ModelConfig(model=name, **settings))
    return model


@pytest.mark.parametrize("name", BUDGETS)
def test_architectures_keep_their_budgets(name):
    assert built(name, 173, 128).count_params() <= BUDGETS[name]


def test_records_are_called_what_they_are_registered_as():
    records = [models.architecture(name) for name in models.names()]
    assert [record.name for record in records] == list(models.names())
    assert all(record.summary.endswith(".") and "\n" not in record.summary for record in records)


def test_names_load_no_keras():
    code = "import sys; from urbansound import models; models.names(); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_unknown_name_is_refused_with_those_known():
    with pytest.raises(InputError, match=r"model must be one of .*, cnn, .*Received: resnext"):
        built("resnext", 173, 128)


def test_an_ensemble_of_runs_is_not_built():
    with pytest.raises(InputError, match=r"python -m urbansound\.committee"):
        built(ensemble.NAME, 173, 128)


@pytest.mark.parametrize(("width", "parameters"), [(0.3, 20_000), (3.0, 2_000_000)])
def test_width_takes_the_cnn_from_20_thousand_to_2_million_parameters(width, parameters):
    # At the audio settings of configs/base.flags for four seconds; channels come in steps of eight.
    assert 0.8 * parameters < built("cnn", 345, 64, width=width).count_params() < 1.2 * parameters


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_width_scales_channels_in_steps_of_eight(name):
    def channels(width):
        layers = built(name, 87, 64, width=width).layers
        return [layer.filters for layer in layers if isinstance(layer, keras.layers.Conv2D)]

    whole, half, double, least = (channels(width) for width in (1.0, 0.5, 2.0, 0.01))
    assert all(count % 8 == 0 for count in whole + half + double)
    assert double == [2 * count for count in whole]
    assert half == [max(8, 8 * round(count / 16)) for count in whole]
    assert set(least) == {8}


def test_the_cnn_scores_a_short_event_alike_wherever_it_is():
    quiet = np.zeros((1, 256, 64), np.float32)
    early, late = quiet.copy(), quiet.copy()
    early[:, 64:80] = late[:, 160:176] = np.random.default_rng(0).normal(0, 3, (16, 64))
    model = adapted(config_of("cnn"), np.concatenate([early, late, quiet]), 10)
    # Both lie a receptive field from the edges, a multiple of the whole pooling apart: only sums change their order.
    np.testing.assert_allclose(model(early), model(late), atol=1e-5)
    assert np.abs(model(early) - model(quiet)).max() > 1e-3


def test_the_cnn_scores_a_recording_by_its_sound_not_its_level():
    log_mels = noise(4, 87, 64)
    model = adapted(config_of("cnn"), log_mels, 10)
    # One spread for all bands: a step in dB is then the same step in each, and is taken out whole.
    model.layers[1].adapt_variance.assign(np.full(64, 100.0))
    # float32 values of up to 100 dB, minus their mean, through four convolutions.
    np.testing.assert_allclose(model(log_mels), model(log_mels + 20), atol=1e-4)


def test_yamnet_takes_patches_of_96_frames_every_48():
    log_mels = np.random.default_rng(0).normal(0, 1, (2, 200, 64)).astype(np.float32)
    keras.utils.set_random_seed(1)
    body, _ = embeddings.split(built("yamnet", 200, 64, 3), models.architecture("yamnet").embedding)
    patches = []
    for start in (0, 48, 96):
        picture = keras.Input((96, 64, 1))
        patch = keras.Model(picture, yamnet.embedding(picture, 0))
        patch.set_weights(body.get_weights())
        patches.append(patch(log_mels[:, start : start + 96, :, np.newaxis]).numpy())
    expected = np.concatenate([np.mean(patches, axis=0), np.max(patches, axis=0)], axis=1)
    np.testing.assert_allclose(body(log_mels), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("blocks", [0, 1, 2, 14])
def test_yamnets_blocks_are_trained_from_the_last(blocks):
    model = built("yamnet", 96, 64, 3, trainable_blocks=blocks)
    trained = {layer.name.split("_")[0] for layer in model.layers if layer.trainable and "conv" in layer.name}
    assert trained == {f"layer{15 - i}" for i in range(1, blocks + 1)}


def test_a_record_of_another_name_is_refused():
    registry = Registry("model", "none", {"mine": "urbansound.models.cnn:ARCHITECTURE"})
    with pytest.raises(InputError, match="model mine has a record of the name cnn"):
        registry.get("mine")
