"""YAMNet as TFLite files: with random weights what they are made of, with Google's how well int8 holds."""

import dataclasses

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.tflite import convert, equalization, quantization
from tiny import AUDIO, classifier_of, sounds
from urbansound import models
from urbansound.audio.decode import decode_file
from urbansound.audio.logmel import log_mel
from urbansound.config import AudioConfig, ModelConfig
from urbansound.inference.classifier import Classifier
from urbansound.models import weights
from urbansound.training import embeddings as frozen
from urbansound.training import fit

YAMNET_AUDIO = AudioConfig(
    sample_rate=16000, clip_seconds=1.5, n_fft=512, win_length=400, hop_length=160, n_mels=64, f_min=125.0,
    f_max=7500.0, mel_triangles="mel", power=1.0, padding="none", mean_level=0.37, log="ln", log_floor=1e-3,
)  # fmt: skip


@pytest.mark.parametrize("format", convert.FORMATS)
def test_operations_are_built_in_and_a_spectrogram_file_holds_integers_alone(format):
    content = convert.convert(classifier_of(model="yamnet"), format, sounds(AUDIO, 8, seed=2))
    model = quantization.unpack(content)
    assert all(not entry.customCode for entry in model.operatorCodes)
    assert schema.BuiltinOperator.CUSTOM not in {code for code, _ in quantization.codes(model)}
    if format == "int8_spectrogram":
        tensors = model.subgraphs[0].tensors
        used = {tensors[i].type for _, op in quantization.codes(model) for i in (*op.inputs, *op.outputs)}
        assert schema.TensorType.FLOAT32 not in used


def test_equalized_channels_compute_the_same_in_ranges_that_are_closer():
    classifier = classifier_of(model="yamnet")
    content = convert.convert(classifier, "float32")
    windows = sounds(AUDIO, 8, seed=2)
    mended = equalization.equalized(content, windows)
    expected = convert.score_windows(content, AUDIO)(windows)
    # float32 values multiplied and divided by the same factors.
    np.testing.assert_allclose(convert.score_windows(mended, AUDIO)(windows), expected, atol=1e-4)

    def spread(file):
        """Of each convolution before another: its median channel's largest value over its loudest's."""
        outputs = [first.outputs[0] for (_, first), _ in equalization._pairs(quantization.unpack(file))]
        assert len(outputs) == 26
        channels = equalization._loudest(file, outputs, windows).values()
        return np.array([np.median(values) / values.max() for values in channels])

    assert np.median(spread(content)) < 0.7
    np.testing.assert_allclose(spread(mended), np.sqrt(spread(content)), rtol=1e-3)


def test_a_file_without_such_pairs_stays_as_it_is():
    log_mels = keras.Input((AUDIO.frames, AUDIO.n_mels))
    model = keras.Model(log_mels, keras.layers.Dense(4, activation="softmax")(keras.ops.mean(log_mels, axis=1)))
    content = convert.convert(dataclasses.replace(classifier_of(), model=model), "float32")
    assert equalization.equalized(content, sounds(AUDIO, 2)) is content


@pytest.fixture(scope="module")
def clips(shared_data):
    """The first 1.5 s of 80 clips, four of each class and fold, and their classes: float32 [80, samples], int [80]."""
    paths = sorted((shared_data / "esc10/audio").glob("[12]-*.ogg"))
    labels = np.array([int(path.stem.split("-")[3]) for path in paths])
    chosen = [i for i in range(len(paths)) if np.sum((labels == labels[i])[:i]) < 8]
    samples = YAMNET_AUDIO.clip_samples
    waveforms = np.stack([np.resize(decode_file(paths[i], 16000), samples) for i in chosen])
    return waveforms, np.unique(labels[chosen], return_inverse=True)[1]


@pytest.fixture(scope="module")
def classifier(clips, shared_data):
    """Google's weights and a head that knows these clips."""
    waveforms, labels = clips
    keras.utils.set_random_seed(1)
    config = ModelConfig(model="yamnet", yamnet_weights=str(shared_data / "weights/yamnet.tflite"))
    model = models.build("yamnet", (YAMNET_AUDIO.frames, 64), 10, config)
    weights.load(model, config)
    embeddings = frozen.body(model).predict(log_mel(waveforms, YAMNET_AUDIO), verbose=0)
    fit.standardize(model, embeddings)
    model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
    frozen.head(model).fit(embeddings, np.eye(10)[labels], epochs=30, verbose=0)
    return Classifier(model, YAMNET_AUDIO, YAMNET_AUDIO.clip_samples, "repeat", tuple("abcdefghij"))


def test_equalized_channels_serve_yamnets_own_scores_too(clips, shared_data):
    waveforms, _ = clips
    keras.utils.set_random_seed(1)
    names = tuple("abcdefghij")
    config = ModelConfig(
        model="yamnet", yamnet_weights=str(shared_data / "weights/yamnet.tflite"), yamnet_classes=("a=69", "c=283")
    )
    model = models.build("yamnet", (YAMNET_AUDIO.frames, 64), 10, config)
    weights.load(model, config, names)
    fit.standardize(model, frozen.body(model).predict(log_mel(waveforms, YAMNET_AUDIO), verbose=0))
    classifier = Classifier(model, YAMNET_AUDIO, YAMNET_AUDIO.clip_samples, "repeat", names)
    content = convert.convert(classifier, "float32")
    mended = equalization.equalized(content, waveforms[::8])
    assert mended != content
    expected = convert.score_windows(content, YAMNET_AUDIO)(waveforms[::4])
    assert np.ptp(expected[:, 0]) > 0.1
    # float32 values multiplied and divided by the same factors.
    np.testing.assert_allclose(convert.score_windows(mended, YAMNET_AUDIO)(waveforms[::4]), expected, atol=1e-4)


# float32 has sums in another order, float16 weights of 11 bits; int8 has the file's own weights, the head's rounded;
# int8_spectrogram activations of 8 bits in 27 layers and an embedding whose smallest values are stretched most.
@pytest.mark.parametrize(
    ("format", "mean", "same"),
    [("float32", 1e-4, 1), ("float16", 2e-3, 0.98), ("int8", 4e-3, 0.97), ("int8_spectrogram", 0.04, 0.95)],
)
def test_scores_are_those_of_keras(format, mean, same, classifier, clips):
    waveforms, labels = clips
    content = convert.convert(classifier, format, waveforms[::4])
    expected = classifier.score_windows(waveforms).numpy()
    scores = convert.score_windows(content, YAMNET_AUDIO)(waveforms)
    assert np.mean(np.argmax(expected, axis=1) == labels) > 0.95
    assert np.abs(scores - expected).mean() < mean
    assert np.mean(np.argmax(scores, axis=1) == np.argmax(expected, axis=1)) >= same
