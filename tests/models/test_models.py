import keras
import numpy as np
import pytest

from urbansound import models
from urbansound.config import ModelConfig
from urbansound.errors import InputError
from urbansound.models import yamnet
from urbansound.training.embeddings import body
from urbansound.training.fit import standardize

# Parameters: what a microcontroller's flash takes as int8; MobileNet v1 without batch normalization and classifier.
BUDGETS = {
    "cepstrum": 30_000,
    "cnn": 500_000,
    "crnn": 500_000,
    "resnet": 500_000,
    "resnet50": 24_000_000,
    "transformer": 500_000,
    "yamnet": 3_300_000,
}
WIDTHS = {"vggish": 1 / 32}  # 72 million parameters are too many for a quick test


def clips(count, frames=87, n_mels=64):
    """Log-mel in dB, float32 [count, frames, n_mels], of different loudness."""
    generator = np.random.default_rng(3)
    level = generator.uniform(-80, 0, (count, 1, 1))
    return (level + generator.normal(0, 10, (count, frames, n_mels))).astype(np.float32)


def config_of(name, **settings):
    return ModelConfig(model=name, width=WIDTHS.get(name, 1.0), **settings)


def trained(name, log_mel, n_classes=10, config=None):
    """A model whose statistics and batch normalisation have seen `log_mel`."""
    keras.utils.set_random_seed(1)
    model = models.build(name, log_mel.shape[1:], n_classes, config or config_of(name))
    standardize(model, body(model)(log_mel))
    for _ in range(3):
        model(log_mel, training=True)
    return model


@pytest.mark.parametrize("name", [name for name in models.BUILDERS if name not in WIDTHS])
def test_every_architecture_keeps_its_budget(name):
    assert models.build(name, (173, 128), 10, ModelConfig(model=name)).count_params() <= BUDGETS[name]


@pytest.mark.parametrize("name", models.BUILDERS)
@pytest.mark.parametrize(("frames", "n_mels", "n_classes"), [(173, 128, 10), (87, 64, 10), (98, 40, 2), (32, 16, 50)])
def test_scores_of_any_input_shape_sum_to_one(name, frames, n_mels, n_classes):
    model = trained(name, clips(4, frames, n_mels), n_classes)
    scores = model.predict(clips(3, frames, n_mels), verbose=0)
    assert model.input.name == "log_mel"
    assert model.layers[-1].name == "scores"
    assert scores.shape == (3, n_classes)
    assert scores.dtype == np.float32
    # Ten float32 shares add up to 1 within a few units in the last place.
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", models.BUILDERS)
def test_a_clip_scores_alone_as_in_company(name):
    log_mel = clips(8)
    model = trained(name, log_mel)
    together = model.predict(log_mel, verbose=0)
    alone = np.concatenate([model.predict(log_mel[i : i + 1], verbose=0) for i in range(8)])
    # Sums run in another order for another batch size: a few units in the last place, in each of up to 27 layers.
    np.testing.assert_allclose(alone, together, atol=5e-5)


@pytest.mark.parametrize("name", models.BUILDERS)
def test_a_saved_model_comes_back_whole(name, tmp_path):
    log_mel = clips(5)
    model = trained(name, log_mel)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(log_mel, verbose=0), model.predict(log_mel, verbose=0))


@pytest.mark.parametrize("name", sorted(set(models.BUILDERS) - {"cepstrum"}))  # whose layer holds quantiles
def test_standardize_takes_the_statistics_of_each_value_that_reaches_it(name):
    log_mel = clips(16) + np.linspace(0, 50, 64, dtype=np.float32)
    model = trained(name, log_mel)
    reaching = body(model)(log_mel).numpy()
    standardized = model.get_layer("standardize")(reaching)
    axes = tuple(range(reaching.ndim - 1))
    varied = reaching.std(axis=axes) > 1e-3  # a ReLU of random weights may be silent
    assert np.mean(varied) > 0.3
    # float32 sums over 16 clips of up to 87 values of 100 dB.
    np.testing.assert_allclose(np.mean(standardized, axis=axes)[varied], 0, atol=1e-3)
    np.testing.assert_allclose(np.std(standardized, axis=axes)[varied], 1, atol=1e-3)


@pytest.mark.parametrize(("width", "parameters"), [(0.3, 20_000), (3.0, 2_000_000)])
def test_width_takes_the_cnn_from_20_thousand_to_2_million_parameters(width, parameters):
    # At the audio settings of configs/base.flags for four seconds; channels come in steps of eight.
    model = models.build("cnn", (345, 64), 10, ModelConfig(width=width))
    assert 0.8 * parameters < model.count_params() < 1.2 * parameters


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_width_scales_channels_in_steps_of_eight(name):
    def channels(width):
        model = models.build(name, (87, 64), 10, ModelConfig(model=name, width=width))
        return [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]

    whole, half, double, least = (channels(width) for width in (1.0, 0.5, 2.0, 0.01))
    assert all(count % 8 == 0 for count in whole + half + double)
    assert double == [2 * count for count in whole]
    assert half == [max(8, 8 * round(count / 16)) for count in whole]
    assert set(least) == {8}


@pytest.mark.parametrize("name", models.BUILDERS)
def test_dropout_acts_in_training_alone(name):
    log_mel = clips(4)
    model = trained(name, log_mel, config=config_of(name, dropout=0.5))
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5]
    np.testing.assert_array_equal(model(log_mel, training=False), model(log_mel, training=False))


def test_the_cnn_hears_a_short_event_wherever_it_is():
    quiet = np.zeros((1, 256, 64), np.float32)
    early, late = quiet.copy(), quiet.copy()
    early[:, 64:80] = late[:, 160:176] = np.random.default_rng(0).normal(0, 3, (16, 64))
    model = trained("cnn", np.concatenate([early, late, quiet]))
    # Both lie a receptive field from the edges, a multiple of the whole pooling apart: only sums change their order.
    np.testing.assert_allclose(model(early), model(late), atol=1e-5)


def test_the_cnn_scores_a_recording_by_its_sound_not_its_level():
    log_mel = clips(4)
    model = trained("cnn", log_mel)
    # One spread for all bands: a step in dB is then the same step in each, and is taken out whole.
    mean, variance = model.get_layer("standardize").mean, model.get_layer("standardize").variance
    standardize = keras.layers.Normalization(axis=-1, mean=np.ravel(mean), variance=np.full(64, np.mean(variance)))
    backbone = keras.Model(model.layers[1].output, model.output)
    scores = [backbone(standardize(log_mel + step_db)) for step_db in (0, 20)]
    # float32 values of up to 100 dB, minus their mean, through four convolutions.
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


def test_an_unknown_name_is_refused_with_those_known():
    with pytest.raises(InputError, match=r"model must be one of .*, cnn, .*Received: resnext"):
        models.build("resnext", (173, 128), 10, ModelConfig())


def test_the_cnn_takes_a_clip_of_one_frame():
    assert models.build("cnn", (1, 8), 3, ModelConfig())(np.zeros((2, 1, 8), np.float32)).shape == (2, 3)


def test_yamnet_hears_patches_of_96_frames_every_48():
    log_mel = np.random.default_rng(0).normal(0, 1, (2, 200, 64)).astype(np.float32)
    keras.utils.set_random_seed(1)
    whole = models.build("yamnet", (200, 64), 3, ModelConfig(model="yamnet"))
    embeddings = []
    for start in (0, 48, 96):
        patch = log_mel[:, start : start + 96, :, np.newaxis]
        picture = keras.Input((96, 64, 1))
        embedding = keras.Model(picture, yamnet.embedding(picture, 0))
        embedding.set_weights(body(whole).get_weights())
        embeddings.append(embedding(patch).numpy())
    expected = np.concatenate([np.mean(embeddings, axis=0), np.max(embeddings, axis=0)], axis=1)
    np.testing.assert_allclose(body(whole)(log_mel), expected, rtol=1e-3, atol=1e-4)
