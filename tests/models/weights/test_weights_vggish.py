"""VGGish's published checkpoint and PCA into its model, variable by variable; faults in one line."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from running import TINY, command
from urbansound import models
from urbansound.config import ModelConfig
from urbansound.errors import InputError
from urbansound.models import heads
from urbansound.models.weights import vggish as weights
from urbansound.training import embeddings

WIDTH = 1 / 32


def shapes(width):
    """{variable: shape} as published, of a network whose channels are `width` times as many, 8 at least."""

    def scaled(channels):
        return max(8, round(channels * width))

    result, before = {}, 1
    for scope, channels in (
        ("conv1", 64), ("conv2", 128), ("conv3/conv3_1", 256), ("conv3/conv3_2", 256), ("conv4/conv4_1", 512),
        ("conv4/conv4_2", 512),
    ):  # fmt: skip
        result[f"vggish/{scope}/weights"] = (3, 3, before, before := scaled(channels))
        result[f"vggish/{scope}/biases"] = (before,)
    before *= 6 * 4  # what 96 frames of 64 bands are after four poolings
    for scope, values in (("fc1/fc1_1", 4096), ("fc1/fc1_2", 4096), ("fc2", 128)):
        result[f"vggish/{scope}/weights"] = (before, before := scaled(values))
        result[f"vggish/{scope}/biases"] = (before,)
    return result


def random_variables(width=WIDTH):
    generator = np.random.default_rng(0)
    return {name: generator.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes(width).items()}


def write(path, variables, version=1):
    """A checkpoint in TensorFlow's first format, one file as the published one is, or in its second."""
    values = [tf.constant(value) for value in variables.values()]
    if version == 1:
        tf.raw_ops.Save(filename=str(path), tensor_names=list(variables), data=values)
    else:
        slices = [""] * len(variables)
        tf.raw_ops.SaveV2(prefix=str(path), tensor_names=list(variables), shape_and_slices=slices, tensors=values)
    return path


def config_of(checkpoint, width=WIDTH, **settings):
    return ModelConfig(model="vggish", width=width, vggish_checkpoint=str(checkpoint), **settings)


def loaded(config, input_shape=(96, 64)):
    model, _ = models.build(input_shape, 3, config)
    assert weights.load(model, config)
    return model


def assert_holds(model, variables):
    for name, value in variables.items():
        *_, layer, part = name.split("/")
        got = getattr(model.get_layer(layer), {"weights": "kernel", "biases": "bias"}[part])
        np.testing.assert_array_equal(got, value, err_msg=name)


@pytest.mark.parametrize("version", [1, 2])
def test_every_variable_reaches_its_layer(tmp_path, version):
    # A training checkpoint holds more than the network.
    variables = random_variables()
    path = write(tmp_path / "vggish_model.ckpt", {**variables, "global_step": np.int64(7)}, version)
    model = loaded(config_of(path), (200, 64))
    assert_holds(model, variables)
    assert sum(value.size for value in variables.values()) == sum(
        layer.count_params() for layer in model.layers if layer.name not in (heads.FIRST, "scores")
    )


def test_a_checkpoint_of_the_published_size_is_read(tmp_path):
    variables = {name: np.full(shape, i, np.float32) for i, (name, shape) in enumerate(shapes(1).items())}
    assert sum(value.size for value in variables.values()) == 72_141_184
    model = loaded(config_of(write(tmp_path / "vggish_model.ckpt", variables), width=1.0))
    for i, weight in enumerate(w for layer in embeddings.split(model, heads.FIRST)[0].layers for w in layer.weights):
        assert np.all(np.asarray(weight[..., -1]) == i)


@pytest.mark.parametrize("shape", [(8,), (8, 1)])
def test_the_pca_whitens_and_clips_as_published(tmp_path, shape):
    generator = np.random.default_rng(3)
    components, means = generator.normal(0, 0.5, (8, 8)), generator.normal(0, 1, 8)
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=components, pca_means=means.reshape(shape))
    config = config_of(write(tmp_path / "vggish_model.ckpt", random_variables()), vggish_pca=str(tmp_path / "pca.npz"))
    model = loaded(config, (192, 64))
    log_mels = generator.normal(-2, 2, (20, 192, 64)).astype(np.float32)
    raw = keras.Model(model.input, model.get_layer("fc2").output).predict(log_mels, verbose=0).astype(np.float64)
    # vggish_postprocess.py, without its rounding to 8 bits.
    expected = np.clip(np.dot(components, raw.T - means[:, np.newaxis]).T, -2, 2).reshape(20, 2, 8)
    got = keras.Model(model.input, model.get_layer(heads.FIRST).input).predict(log_mels, verbose=0)
    assert 0.05 < np.mean(np.abs(expected) == 2) < 0.95
    np.testing.assert_allclose(got, np.concatenate([expected.mean(axis=1), expected.max(axis=1)], axis=1), atol=1e-4)


def test_no_file_is_said_with_where_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"none\.ckpt: no TensorFlow checkpoint there; download https://.*\.ckpt and"):
        loaded(config_of(tmp_path / "none.ckpt"))


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "vggish_model.ckpt"
    path.write_bytes(b"<html>Not Found</html>" * 100)
    with pytest.raises(InputError, match=r"vggish_model\.ckpt: no TensorFlow checkpoint there"):
        loaded(config_of(path))


@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_checkpoint_without_all_its_data_is_refused_and_nothing_is_loaded(tmp_path, kept):
    path = write(tmp_path / "vggish_model.ckpt", random_variables(), version=2)
    (data,) = tmp_path.glob("*.data-*")
    data.write_bytes(data.read_bytes()[: int(kept * data.stat().st_size)])
    if not kept:
        data.unlink()
    config = config_of(path)
    model, _ = models.build((96, 64), 3, config)
    before = model.get_weights()
    with pytest.raises(InputError, match=r"vggish_model\.ckpt: damaged, .* download https://"):
        weights.load(model, config)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["vggish/conv4/conv4_1/weights", "vggish/fc2/biases"])
def test_a_missing_variable_is_named(tmp_path, name):
    variables = random_variables()
    shape = list(variables.pop(name).shape)
    path = write(tmp_path / "vggish_model.ckpt", variables)
    with pytest.raises(InputError) as caught:
        loaded(config_of(path))
    assert str(caught.value).startswith(f"{path}: has no {name}, which should be {shape}; download https://")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("width", "n_mels", "message"),
    [
        (1 / 4, 64, "vggish/conv1/weights is [3, 3, 1, 8], but the model takes [3, 3, 1, 16]; start from"),
        (WIDTH, 40, "vggish/fc1/fc1_1/weights is [384, 128], but the model takes [288, 128]; start from"),
    ],
)
def test_a_wrong_shape_is_named_and_nothing_is_loaded(tmp_path, width, n_mels, message):
    path = write(tmp_path / "vggish_model.ckpt", random_variables())
    config = config_of(path, width)
    model, _ = models.build((96, n_mels), 3, config)
    before = model.get_weights()
    with pytest.raises(InputError) as caught:
        weights.load(model, config)
    assert f"{path}: {message} configs/vggish.flags" in str(caught.value)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "no PCA parameters there; download https://"),
        ({}, "has no pca_eigen_vectors, which should be [8, 8]"),
        ({"pca_eigen_vectors": np.eye(8)}, "has no pca_means, which should be [8]"),
        (
            {"pca_eigen_vectors": np.eye(128), "pca_means": np.zeros(128)},
            "pca_eigen_vectors is [128, 128], but the model takes [8, 8]",
        ),
    ],
)
def test_a_faulty_pca_is_said(tmp_path, arrays, message):
    path = tmp_path / "pca.npz"
    if arrays is not None:
        np.savez(path, **arrays)
    checkpoint = write(tmp_path / "vggish_model.ckpt", random_variables())
    with pytest.raises(InputError) as caught:
        loaded(config_of(checkpoint, vggish_pca=str(path)))
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("content", [b"<html>Not Found</html>", b"PK\x03\x04 cut short", b""])
def test_a_pca_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "pca.npz"
    path.write_bytes(content)
    checkpoint = write(tmp_path / "vggish_model.ckpt", random_variables())
    with pytest.raises(InputError, match=r"pca\.npz: not an \.npz file; download https://"):
        loaded(config_of(checkpoint, vggish_pca=str(path)))


def test_an_array_of_its_own_is_no_pca(tmp_path):
    np.save(tmp_path / "pca.npy", np.eye(8))
    checkpoint = write(tmp_path / "vggish_model.ckpt", random_variables())
    with pytest.raises(InputError, match=r"pca\.npy: not an \.npz file"):
        loaded(config_of(checkpoint, vggish_pca=str(tmp_path / "pca.npy")))


def test_a_pca_without_a_checkpoint_makes_no_sense():
    with pytest.raises(InputError, match="pass --vggish_checkpoint=FILE too"):
        ModelConfig(model="vggish", vggish_pca="pca.npz")


def flags(tone_folder, home):
    return (
        "--dataset=folder", f"--data_dir={tone_folder}", f"--cache_dir={home / 'cache'}", f"--run_dir={home / 'run'}",
        *TINY, "--views=1", "--model=vggish", "--epochs=1",
    )  # fmt: skip


def test_a_bad_checkpoint_ends_the_command_before_anything_is_decoded(tone_folder, tmp_path):
    path = write(tmp_path / "vggish_model.ckpt", random_variables())
    process = command("train", *flags(tone_folder, tmp_path), f"--vggish_checkpoint={path}")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(f"error: {path}: vggish/conv1/weights is [3, 3, 1, 8], but")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()


OF_ITS_SIZE = ("--n_mels=64", "--n_fft=1024", f"--width={WIDTH}")


def test_layers_before_those_that_learn_stay_as_published(tone_folder, tmp_path):
    variables = random_variables()
    checkpoint = write(tmp_path / "vggish_model.ckpt", variables)
    published = ("--trainable_blocks=2", f"--vggish_checkpoint={checkpoint}")
    process = command("train", *flags(tone_folder, tmp_path), *OF_ITS_SIZE, *published)
    assert process.returncode == 0, process.stderr
    assert "RANDOM" not in process.stdout
    model = keras.models.load_model(tmp_path / "run/model.keras", compile=False)
    *kept, fc1_2, _, fc2, _ = variables
    assert_holds(model, {name: variables[name] for name in kept})
    for name in (fc1_2, fc2):
        assert not np.array_equal(model.get_layer(name.split("/")[-2]).kernel, variables[name])


def test_a_frozen_run_is_evaluated_and_exported_without_the_published_files(tone_folder, tmp_path):
    variables = random_variables()
    checkpoint, pca, run = (tmp_path / name for name in ("vggish_model.ckpt", "vggish_pca_params.npz", "run"))
    write(checkpoint, variables)
    np.savez(pca, pca_eigen_vectors=np.random.default_rng(1).normal(0, 1, (8, 8)), pca_means=np.ones(8))
    published = (f"--vggish_checkpoint={checkpoint}", f"--vggish_pca={pca}")
    process = command("train", *flags(tone_folder, tmp_path), *OF_ITS_SIZE, *published)
    assert process.returncode == 0, process.stderr
    assert_holds(keras.models.load_model(run / "model.keras", compile=False), variables)
    measured = (run / "metrics.json").read_text()
    for file in (checkpoint, pca, run / "metrics.json"):
        file.unlink()
    process = command("evaluate", f"--run_dir={run}")
    assert process.returncode == 0, process.stderr
    assert json.loads((run / "metrics.json").read_text()) == json.loads(measured)
    options = ("--formats=int8", "--max_accuracy_drop=100")
    process = command("export", f"--run_dir={run}", f"--out={tmp_path / 'out'}", *options)
    assert process.returncode == 0, process.stderr
    assert len(list((tmp_path / "out").rglob("*.tflite"))) == 1


def test_random_weights_are_said(tone_folder, tmp_path):
    process = command("train", *flags(tone_folder, tmp_path), f"--width={WIDTH}")
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("vggish: RANDOM weights") == 1
