"""Published weights into models: YAMNet's own scores, the published layouts, faults in one line."""

import h5py
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from scipy import signal

from urbansound import models
from urbansound.audio.decode import decode_file
from urbansound.audio.logmel import log_mel
from urbansound.config import AudioConfig, ModelConfig
from urbansound.errors import InputError
from urbansound.models import heads, yamnet
from urbansound.models.weights import yamnet as published

# As Google's parameters have it, one patch long: tensorflow/models research/audioset/yamnet/params.py.
AUDIO = AudioConfig(
    sample_rate=16000, clip_seconds=0.975, n_fft=512, win_length=400, hop_length=160, n_mels=64, f_min=125.0,
    f_max=7500.0, mel_triangles="mel", power=1.0, padding="none", log="ln", log_floor=0.001,
)  # fmt: skip


def original(weights):
    """YAMNet itself: a patch [n, 96, 64, 1] to its embedding [n, 1024] and 521 scores."""
    patch = keras.Input((96, 64, 1))
    embedding = yamnet.embedding(patch, trainable_blocks=0)
    scores = keras.layers.Dense(521, activation="sigmoid", name="dense")(embedding)
    model = keras.Model(patch, [embedding, scores])
    for name, values in weights.items():
        model.get_layer(name.replace("/", "_")).set_weights(values)
    return model


@pytest.fixture(scope="module")
def h5_file(tmp_path_factory):
    """A file of the published layout with random weights, and its variables {layer/variable: values}."""
    generator, channels = np.random.default_rng(0), 1
    variables = {}

    def add(name, kernel, values):
        variables[f"{name}/{kernel}"] = values
        count = values.shape[2 if "depthwise" in kernel else 3]
        for part, centre in (("beta", 0.2), ("moving_mean", 0.1), ("moving_variance", 1.0)):
            variables[f"{name}/bn/{part}"] = centre * generator.uniform(0.5, 1.5, count)

    for block, (_, filters) in enumerate(yamnet.ROWS, start=1):
        if block == 1:
            add("layer1/conv", "kernel", generator.normal(0, 0.4, (3, 3, 1, filters)))
        else:
            add(f"layer{block}/depthwise_conv", "depthwise_kernel", generator.normal(0, 0.4, (3, 3, channels, 1)))
            spread = 1.5 / np.sqrt(channels)
            add(f"layer{block}/pointwise_conv", "kernel", generator.normal(0, spread, (1, 1, channels, filters)))
        channels = filters
    variables["dense/kernel"] = generator.normal(0, 0.03, (1024, 521))
    variables["dense/bias"] = generator.normal(0, 1, 521)
    variables = {name: values.astype(np.float32) for name, values in variables.items()}
    path = tmp_path_factory.mktemp("weights") / "yamnet.h5"
    with h5py.File(path, "w") as file:
        for name, values in variables.items():
            # Keras 2 wrote a group per layer, and in it the variable under its whole name.
            file[f"{name.rsplit('/', 1)[0]}/{name}:0"] = values
    return path, {name: values.astype(np.float64) for name, values in variables.items()}


def convolve(x, kernel, stride):
    """What TensorFlow calls a convolution with padding "same", float64 [height, width, channels], by scipy."""
    for axis in (0, 1):
        spare = max((-(-x.shape[axis] // stride) - 1) * stride + kernel.shape[axis] - x.shape[axis], 0)
        x = np.pad(x, [(spare // 2, spare - spare // 2) if axis == i else (0, 0) for i in range(3)])
    one = lambda c, k: signal.correlate(x[..., c], k, "valid")[::stride, ::stride]  # noqa: E731
    if kernel.shape[3] == 1 and kernel.shape[2] > 1:
        return np.stack([one(c, kernel[..., c, 0]) for c in range(x.shape[2])], axis=-1)
    if kernel.shape[:2] == (1, 1):
        return x @ kernel[0, 0]
    return np.stack([sum(one(c, k[..., c]) for c in range(x.shape[2])) for k in np.moveaxis(kernel, 3, 0)], axis=-1)


def computed(patch, variables):
    """The embedding [1024] and scores [521] of a patch [96, 64], batch normalization as it is defined, in float64."""
    x = patch[..., np.newaxis].astype(np.float64)
    for block, (stride, _) in enumerate(yamnet.ROWS, start=1):
        for kind, step in [("conv", stride)] if block == 1 else [("depthwise_conv", stride), ("pointwise_conv", 1)]:
            name = f"layer{block}/{kind}"
            kernel = variables[f"{name}/{'depthwise_' if 'depthwise' in kind else ''}kernel"]
            beta, mean, variance = (
                variables[f"{name}/bn/{part}"] for part in ("beta", "moving_mean", "moving_variance")
            )
            x = np.maximum((convolve(x, kernel, step) - mean) / np.sqrt(variance + 1e-4) + beta, 0)
    embedding = x.mean(axis=(0, 1))
    return embedding, 1 / (1 + np.exp(-embedding @ variables["dense/kernel"] - variables["dense/bias"]))


def test_a_published_h5_computes_what_batch_normalization_defines(h5_file):
    path, variables = h5_file
    patch = np.random.default_rng(1).normal(-3, 2, (96, 64)).astype(np.float32)
    embedding, scores = original(published.read(path)).predict(patch[np.newaxis, ..., np.newaxis], verbose=0)
    expected_embedding, expected_scores = computed(patch, variables)
    assert np.mean(expected_embedding > 0) > 0.3
    # float32 through 27 layers of up to 1024 terms.
    np.testing.assert_allclose(embedding[0], expected_embedding, atol=1e-4 * expected_embedding.max())
    np.testing.assert_allclose(scores[0], expected_scores, atol=1e-3)


def test_the_model_gets_every_convolution_of_the_file(h5_file):
    path, _ = h5_file
    weights = published.read(path)
    model, _ = models.build((398, 64), 3, ModelConfig(model="yamnet"))
    assert published.load(model, ModelConfig(model="yamnet", yamnet_weights=str(path)))
    convolutions = [layer for layer in model.layers if "conv" in layer.name]
    assert [layer.name for layer in convolutions] == [name.replace("/", "_") for name in published.CONVOLUTIONS]
    for layer in convolutions:
        for mine, theirs in zip(layer.get_weights(), weights[layer.name.replace("_", "/", 1)], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_without_a_file_weights_stay_random_and_other_models_are_left_as_they_are(h5_file):
    cases = [
        (ModelConfig(model="yamnet", yamnet_weights=None), ["yamnet"]),
        (ModelConfig(yamnet_weights=str(h5_file[0])), []),
    ]
    for config, random in cases:
        model, networks = models.build((96, 64), 3, config)
        before = model.get_weights()
        assert models.load_weights(networks, config) == random
        for mine, theirs in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def in_float(content):
    """A TFLite file with its int8 weights stored as the floats that they stand for."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8:
            steps, buffer = tensor.quantization, model.buffers[tensor.buffer]
            values = np.frombuffer(bytes(buffer.data), np.int8).reshape(tensor.shape).astype(np.float32)
            assert not np.any(steps.zeroPoint)
            values *= np.reshape(steps.scale, [-1 if i == steps.quantizedDimension else 1 for i in range(values.ndim)])
            buffer.data, tensor.type = np.frombuffer(values.tobytes(), np.uint8), schema.TensorType.FLOAT32
            tensor.quantization = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def scores_of_file(content, waveforms):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    rows = []
    for waveform in waveforms:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], waveform)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(rows)


def test_scores_agree_with_the_tflite_file(shared_data):
    path = shared_data / "weights/yamnet.tflite"
    clips = sorted((shared_data / "esc10/audio").glob("1-*.ogg"))[::4]
    waveforms = np.stack([decode_file(clip, 16000)[: AUDIO.clip_samples] for clip in clips])
    _, scores = original(published.read(path)).predict(log_mel(waveforms, AUDIO)[..., np.newaxis], verbose=0)
    assert len(scores) == 20
    assert scores.max() > 0.9
    # The file's own graph in float32 as here; but its mel filterbank was rounded to int8.
    np.testing.assert_allclose(scores, scores_of_file(in_float(path.read_bytes()), waveforms), atol=0.03)
    # As it is, it rounds activations to int8 as well: one score of two hundred differs by 0.04.
    published_scores = scores_of_file(path.read_bytes(), waveforms)
    assert np.percentile(np.abs(scores - published_scores), 99.5) < 0.06
    assert np.mean(np.argmax(scores, axis=1) == np.argmax(published_scores, axis=1)) >= 0.8


def test_classes_that_audioset_knows_are_scored_as_yamnet_scores_them(h5_file):
    path, variables = h5_file
    names = ("horn", "unknown", "bark")
    config = ModelConfig(model="yamnet", yamnet_weights=str(path), yamnet_classes=("bark=70", "siren=390", "horn=302"))
    model, networks = models.build((144, 64), 3, config)
    assert models.load_weights(networks, config, names) == []
    log_mels = np.random.default_rng(1).normal(-3, 2, (1, 144, 64)).astype(np.float32)
    logits = keras.Model(model.input, model.get_layer("audioset").output)(log_mels).numpy()[0]  # [patches, classes]
    expected = np.stack([computed(log_mels[0, start : start + 96], variables)[1] for start in (0, 48)])
    # As the forward pass above.
    np.testing.assert_allclose(1 / (1 + np.exp(-logits[:, [0, 2]])), expected[:, [302, 70]], atol=1e-3)
    np.testing.assert_array_equal(logits[:, 1], 0)
    assert not model.get_layer("audioset").trainable


def test_yamnets_own_scores_are_added_to_the_learned_ones():
    """At equal learned logits the class whose own score is a deviation higher leads by TRUST."""
    keras.utils.set_random_seed(1)
    embeddings = keras.Input((2, 8))
    known = keras.layers.Dense(3, name="audioset")(embeddings)
    model = keras.Model(embeddings, heads.over_time(embeddings, 3, ModelConfig(dropout=0.0), known))
    values = np.random.default_rng(0).normal(0, 1, (200, 2, 8)).astype(np.float32)
    standardize = model.get_layer(heads.FIRST)
    standardize.adapt(keras.Model(embeddings, standardize.input)(values))
    model.get_layer("learned").set_weights([np.zeros((16, 3)), np.zeros(3)])
    logits = keras.Model(embeddings, known)(values).numpy().max(axis=1)
    told = np.clip(logits, -heads.SILENT, 0)  # above certain and below never, nothing more is told apart
    deviations = (told - told.mean(axis=0)) / told.std(axis=0)
    expected = np.exp(heads.TRUST * deviations)
    # The layer's variance is of float32 sums over 200 clips.
    np.testing.assert_allclose(model(values), expected / expected.sum(axis=1, keepdims=True), atol=1e-4)


def test_no_file_is_said_in_one_line_with_where_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"none\.h5: no YAMNet weights there; download https://.*yamnet\.h5"):
        published.read(tmp_path / "none.h5")


@pytest.mark.parametrize("name", ["yamnet.h5", "yamnet.tflite"])
def test_another_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>Not Found</html>" * 100)
    with pytest.raises(InputError, match=rf"{name}: not YAMNet's weights"):
        published.read(tmp_path / name)


def test_an_h5_that_lacks_a_variable_is_refused(tmp_path, h5_file):
    path = tmp_path / "half.h5"
    path.write_bytes(h5_file[0].read_bytes())
    with h5py.File(path, "a") as file:
        del file["layer9/pointwise_conv/bn"]
    with pytest.raises(InputError, match=r"half\.h5: not YAMNet's weights"):
        published.read(path)


def test_weights_and_a_log_mel_of_other_bands_do_not_go_together(h5_file):
    config = ModelConfig(model="yamnet", yamnet_weights=str(h5_file[0]))
    model, _ = models.build((96, 40), 3, config)
    with pytest.raises(InputError, match=r"64 mel bands\. Received: n_mels=40"):
        published.load(model, config)
