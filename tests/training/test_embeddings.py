"""Embeddings computed once: the same as the model's own, kept, told apart by what made them, trained on and resumed."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from small_run import AUDIO, config_of, run_of

from running import ROOT, TINY, command
from urbansound import models
from urbansound.config import ModelConfig
from urbansound.data import cache
from urbansound.data.pipeline import embedding_batches, evaluation_batches
from urbansound.data.views import steps_per_epoch
from urbansound.models import heads
from urbansound.run import Run
from urbansound.training import embeddings, fit


@pytest.fixture
def config(tone_folder, tmp_path):
    return config_of(tone_folder, tmp_path, model="yamnet")


def network_of(name, **settings):
    keras.utils.set_random_seed(1)
    return models.build((AUDIO.frames, AUDIO.n_mels), 3, ModelConfig(model=name, width=0.25, **settings))[0]


@pytest.fixture
def model():
    return network_of("yamnet")


@pytest.fixture
def body(model):
    return split(model)[0]


def split(model):
    """(body, head) of a network."""
    return embeddings.split(model, models.architecture(model.name).embedding)


@pytest.fixture
def entries(tone_folder, config):
    found, _ = cache.fill(sorted(map(str, tone_folder.rglob("*.wav"))), AUDIO.sample_rate, config.data.cache_dir)
    return found


def kept(config):
    """{file: when written} of the cached embeddings."""
    return {file: file.stat().st_mtime_ns for file in Path(config.data.cache_dir, "embeddings").rglob("*.f32")}


def test_an_embedding_is_what_the_body_makes_of_the_clip(body, entries, config):
    got = embeddings.embeddings(body, entries, config)
    assert got.shape == (45, 2048)
    batches = evaluation_batches(entries, np.zeros((45, 3)), config.with_settings(deterministic=True))
    expected = np.concatenate([body(log_mels) for log_mels, _ in batches])
    # Sums run in another order for another batch size.
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_they_are_computed_once_and_a_broken_file_again(body, entries, config):
    first = embeddings.embeddings(body, entries, config)
    files = kept(config)
    assert len(files) == 45
    np.testing.assert_array_equal(embeddings.embeddings(body, entries[::-1], config), first[::-1])
    assert kept(config) == files
    broken, gone = sorted(files)[:2]
    broken.write_bytes(broken.read_bytes()[:100])
    gone.unlink()
    np.testing.assert_allclose(embeddings.embeddings(body, entries, config), first, rtol=1e-4, atol=1e-5)
    assert {file for file, time in kept(config).items() if files[file] != time} == {broken, gone}


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1] + b"\x7f", lambda whole: bytes(len(whole)), lambda _: b""])
def test_damaged_embeddings_are_computed_again_and_said(body, entries, config, damage, capsys):
    first = embeddings.embeddings(body, entries[:5], config)
    damaged = sorted(kept(config))[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(damage(whole))
    capsys.readouterr()
    np.testing.assert_allclose(embeddings.embeddings(body, entries[:5], config), first, rtol=1e-4, atol=1e-5)
    assert "cache: 1 damaged embeddings are computed anew" in capsys.readouterr().err
    assert len(damaged.read_bytes()) == len(whole)


def test_other_weights_or_settings_get_their_own(body, entries, config):
    first = embeddings.embeddings(body, entries[:2], config)
    layer = body.get_layer("layer5_pointwise_conv")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + 1])
    assert not np.allclose(embeddings.embeddings(body, entries[:2], config), first)
    layer.set_weights([kernel, bias])
    np.testing.assert_array_equal(embeddings.embeddings(body, entries[:2], config), first)
    louder = dataclasses.replace(config, audio=dataclasses.replace(AUDIO, f_min=500.0))
    assert not np.allclose(embeddings.embeddings(body, entries[:2], louder), first)
    padded = dataclasses.replace(config, data=dataclasses.replace(config.data, short_clips="zeros"))
    assert not np.allclose(embeddings.embeddings(body, entries[:2], padded), first)


def test_the_head_is_the_rest_of_the_model_with_its_weights(model, config):
    body, head = split(model)
    head.compile(fit.adamw(config.train, 1, model.trainable_variables), "categorical_crossentropy")
    log_mels = np.random.default_rng(0).normal(-5, 3, (4, AUDIO.frames, AUDIO.n_mels)).astype(np.float32)
    np.testing.assert_allclose(head(body(log_mels)), model(log_mels), atol=1e-6)
    head.fit(body(log_mels), np.eye(3)[[0, 1, 2, 0]], epochs=2, verbose=0)
    np.testing.assert_allclose(head(body(log_mels)), model(log_mels), atol=1e-6)


def digest(model, config):
    return embeddings._digest(split(model)[0], config)


# Between them these have operations, constants and weights in their bodies.
BODIES = [("yamnet", {"yamnet_classes": ("high=1",)}), ("vggish", {"width": 1 / 64}), ("cepstrum", {})]


@pytest.mark.parametrize(("name", "settings"), BODIES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_digest_does_not_depend_on_how_keras_numbers_layers(name, settings, config):
    settings = ModelConfig(**{"model": name, "width": 0.25, **settings})

    def build():
        keras.utils.set_random_seed(1)
        return models.build((AUDIO.frames, AUDIO.n_mels), 3, settings)[0]

    first, second = build(), build()
    assert [op.name for op in first.operations] != [op.name for op in second.operations]
    assert digest(first, config) == digest(second, config)


DIGEST = """
import sys, keras
from urbansound import models
from urbansound.config import Config, ModelConfig
from urbansound.training import embeddings
settings = ModelConfig(model="yamnet", yamnet_classes=("high=1",))
for _ in range(int(sys.argv[1])):
    keras.utils.set_random_seed(1)
    model = models.build((32, 16), 3, settings)[0]
body, _ = embeddings.split(model, models.architecture("yamnet").embedding)
print(embeddings._digest(body, Config()))
"""


def test_the_digest_does_not_depend_on_the_process():
    outputs = [
        subprocess.run([sys.executable, "-c", DIGEST, count], cwd=ROOT, capture_output=True, text=True, check=True)
        for count in ("1", "2")
    ]
    assert len(outputs[0].stdout.strip()) == 64
    assert outputs[0].stdout == outputs[1].stdout


def body_of(activation, name="body"):
    """A network that is frozen up to its last layer, with an operation whose name is that of an activation."""
    keras.utils.set_random_seed(1)
    log_mel = keras.Input((AUDIO.frames, AUDIO.n_mels), name="log_mel")
    x = keras.layers.Dense(4, activation=activation, trainable=False, name=name)(log_mel)
    return keras.Model(log_mel, keras.layers.Flatten()(keras.ops.relu(x)))


def test_other_layers_of_the_same_weights_have_another_digest(config):
    digests = {embeddings._digest(body_of(activation), config) for activation in ("relu", "tanh", "gelu", None)}
    assert len(digests) == 4
    assert embeddings._digest(body_of("tanh", name="tanh"), config) in digests  # whatever a layer is called


def test_batches_of_embeddings_follow_from_seed_and_epoch(config):
    no_mixup = dataclasses.replace(config.augment, mixup_alpha=0.0)
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, batch_size=4), augment=no_mixup)
    values, targets = np.arange(10, dtype=np.float32)[:, np.newaxis], np.eye(2)[[i % 2 for i in range(10)]]
    steps = steps_per_epoch(10, config)

    def taken(first_epoch, count):
        batches = embedding_batches(values, targets, config, first_epoch).take(count)
        return [(x.numpy()[:, 0].tolist(), np.argmax(t, axis=1).tolist()) for x, t in batches]

    whole = taken(0, 3 * steps)
    assert taken(2, steps) == whole[2 * steps :]
    assert whole[:steps] != whole[steps : 2 * steps]
    for clips, classes in whole:
        assert len(set(clips)) == 4
        assert [clip % 2 for clip in clips] == classes


def test_embeddings_are_mixed_up_with_their_targets(config):
    same = np.eye(2, dtype=np.float32)[[i % 2 for i in range(8)]]
    batches = list(embedding_batches(same, same, config).take(3))
    for values, targets in batches:
        np.testing.assert_allclose(values, targets, atol=1e-6)  # mixed by the same shares
    assert any(np.any((values > 0.01) & (values < 0.99)) for values, _ in batches)
    again = embedding_batches(same, same, config, first_epoch=2)
    np.testing.assert_array_equal(next(iter(again))[0], batches[2][0])


def test_a_cache_that_can_t_be_written_is_said(body, entries, config, tmp_path):
    (tmp_path / "cache/embeddings").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="can't write the cache"):
        embeddings.embeddings(body, entries, config)


def flags(tone_folder, home, name):
    return (
        "--dataset=folder", f"--data_dir={tone_folder}", f"--cache_dir={home / 'cache'}", f"--run_dir={home / name}",
        *TINY, "--views=1", "--model=yamnet", "--yamnet_weights=none",
    )  # fmt: skip


def test_a_frozen_run_is_an_ordinary_run(tone_folder, tmp_path):
    process = command("train", *flags(tone_folder, tmp_path, "run"), "--epochs=4")
    assert process.returncode == 0, process.stderr
    run = Run.open(tmp_path / "run")
    model = run.load_model()
    assert model.input.shape[1:] == (run.config.audio.frames, 16)
    assert not np.allclose(model.get_layer(heads.FIRST).adapt_mean, 0)
    assert len(run.file("history.csv").read_text().splitlines()) == 5
    assert run.file("report.html").exists()
    answer = command("predict", f"--run_dir={run.path}", "--window_seconds=1", next(tone_folder.rglob("*.wav")))
    assert answer.returncode == 0, answer.stderr


class _Stop(keras.callbacks.Callback):
    """Ctrl-C in the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_a_frozen_run_that_is_stopped_resumes_to_the_same_end(tone_folder, tmp_path, monkeypatch):
    unbroken, stopped = (run_of(tone_folder, tmp_path, name, model="yamnet", epochs=4) for name in "ab")
    fit.train(unbroken)
    files = kept(unbroken.config)
    with monkeypatch.context() as patch:
        patch.setattr(keras.callbacks, "TerminateOnNaN", _Stop)
        with pytest.raises(KeyboardInterrupt):
            fit.train(stopped)
    assert len(stopped.history) == 2
    fit.train(stopped)
    assert kept(unbroken.config) == files  # each network was numbered otherwise
    for mine, theirs in zip(stopped.load_model().get_weights(), unbroken.load_model().get_weights(), strict=True):
        # Threads sum in any order, and Adam's first steps are of one size however small the gradient.
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_a_missing_file_of_weights_ends_the_command_before_anything_is_decoded(tone_folder, tmp_path):
    process = command("train", *flags(tone_folder, tmp_path, "run"), "--yamnet_weights=gone.h5")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith("error: gone.h5: no YAMNet weights there; download https://")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()
