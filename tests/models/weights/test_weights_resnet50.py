"""ImageNet's ResNet50 for one channel: a grey picture through it, a file of the published names, faults in one line."""

import h5py
import keras
import numpy as np
import pytest

from running import TINY, command
from urbansound import models
from urbansound.config import ModelConfig
from urbansound.errors import InputError
from urbansound.models.resnet50 import PIXEL_DEVIATION
from urbansound.models.weights import resnet50 as weights


@pytest.fixture(scope="module")
def published():
    """keras.applications.ResNet50 without its top, with statistics that are not those of a new network."""
    keras.utils.set_random_seed(1)
    network = keras.applications.ResNet50(include_top=False, weights=None)
    generator = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            values = [w + generator.normal(0, 0.02, w.shape) for w in layer.get_weights()]
            layer.set_weights(values)
    return network


@pytest.fixture(scope="module")
def path(published, tmp_path_factory):
    """A file in the format of the published one: Keras 2's weights, a group per layer, names of TensorFlow's."""
    path = tmp_path_factory.mktemp("weights") / "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    parts = {"moving_mean": "moving_mean:0", "moving_variance": "moving_variance:0"}
    with h5py.File(path, "w") as file:
        layers = published.layers
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{parts.get(weight.name, weight.name + ':0')}" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group.create_dataset(name, data=weight.numpy())
    return path


def test_a_grey_picture_gives_what_three_equal_channels_give(published, path):
    config = ModelConfig(model="resnet50", resnet_weights=str(path))
    model, _ = models.build((64, 64), 3, config)
    assert weights.load(model, config)
    log_mels = np.random.default_rng(2).normal(0, 1, (2, 64, 64)).astype(np.float32)
    log_mels -= log_mels.mean(axis=(1, 2), keepdims=True)  # the model takes it off; Standardize is not adapted
    pictures = np.repeat(log_mels[..., np.newaxis], 3, axis=-1) * PIXEL_DEVIATION
    expected = published.predict(pictures, verbose=0)
    body = keras.Model(model.input, model.get_layer("conv5_block3_out").output)
    # float32 sums in another order, through fifty layers.
    np.testing.assert_allclose(body.predict(log_mels, verbose=0), expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_other_files_are_refused_in_one_line(tmp_path):
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"<html>Not Found</html>")
    model, _ = models.build((64, 64), 3, ModelConfig(model="resnet50"))
    before = model.get_weights()
    for path, message in ((bad, "not ResNet50's weights"), (tmp_path / "gone.h5", "no ResNet50 weights there")):
        with pytest.raises(InputError, match=message) as caught:
            weights.load(model, ModelConfig(model="resnet50", resnet_weights=str(path)))
        assert "\n" not in str(caught.value)
        assert "download https://" in str(caught.value)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def without(file, name):
    del file[name]


def cut(file, name):
    values = file[name][..., :1]
    del file[name]
    file[name] = values


def with_fewer_layers(file, name):
    file.attrs["layer_names"] = file.attrs["layer_names"][:-20]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(without, "kernel"), (cut, "shape"), (with_fewer_layers, "Layer count mismatch")],
)
def test_a_file_that_does_not_fit_is_refused(path, tmp_path, change, reason):
    misfit = tmp_path / "misfit.h5"
    misfit.write_bytes(path.read_bytes())
    with h5py.File(misfit, "a") as file:
        change(file, "conv3_block1_1_conv/conv3_block1_1_conv/kernel:0")
    config = ModelConfig(model="resnet50", resnet_weights=str(misfit))
    message = rf"misfit\.h5: not ResNet50's weights without its top \(.*{reason}"
    model, _ = models.build((64, 64), 3, config)
    with pytest.raises(InputError, match=message) as caught:
        weights.load(model, config)
    assert "\n" not in str(caught.value)


def test_no_network_ends_the_command_before_anything_is_decoded(tone_folder, tmp_path, monkeypatch):
    # Where a proxy refuses every connection, as where there is none.
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    options = ("--dataset=folder", f"--data_dir={tone_folder}", f"--cache_dir={tmp_path / 'cache'}")
    process = command("train", *options, *TINY, "--model=resnet50", f"--run_dir={tmp_path / 'run'}")
    assert process.returncode == 2
    assert "ResNet50's ImageNet weights can't be had" in process.stderr.splitlines()[-1]
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "cache").exists()
