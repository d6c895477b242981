"""The front-end against torchaudio, librosa, YAMNet's own and float64, everywhere it runs."""

from pathlib import Path

import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from urbansound.audio.logmel import LogMel, log_mel
from urbansound.audio.mel_filterbank import mel_filterbank
from urbansound.config import AudioConfig
from urbansound.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
PLAIN = {"log": "none"}
AS_PUBLISHED = {"remove_dc": False}  # golden files hold what other front-ends, which keep it, make of their waveform


@pytest.fixture(scope="module")
def torchaudio():
    return np.load(GOLDEN / "torchaudio_2.11_mel.npz")


@pytest.fixture(scope="module")
def librosa_reference():
    return np.load(GOLDEN / "librosa_0.11_mel.npz")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def assert_close_to_maximum(got, expected, share):
    """Within `share` of the largest expected value: float32 FFTs of other libraries differ by their own rounding."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=share * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("torchaudio_default", {}),
        ("torchaudio_slaney", {"mel_scale": "slaney", "mel_norm": "slaney"}),
        ("torchaudio_nocenter", {"padding": "none"}),
        ("torchaudio_magnitude", {"power": 1.0}),
        ("torchaudio_range", {"f_min": 50.0, "f_max": 8000.0, "n_mels": 64}),
    ],
)
def test_torchaudio(torchaudio, name, settings):
    config = AudioConfig(sample_rate=int(torchaudio["sample_rate"]), **{**PLAIN, **AS_PUBLISHED, **settings})
    assert_close_to_maximum(log_mel(torchaudio["waveform"], config).numpy().T, torchaudio[name], 1e-4)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("librosa_default", {"padding": "zeros", "mel_scale": "slaney", "mel_norm": "slaney"}),
        ("librosa_htk", {"padding": "zeros"}),
        ("librosa_nocenter", {"padding": "none", "mel_scale": "slaney", "mel_norm": "slaney"}),
    ],
)
def test_librosa(librosa_reference, name, settings):
    got = log_mel(librosa_reference["waveform"], AudioConfig(**{**PLAIN, **AS_PUBLISHED, **settings})).numpy().T
    assert_close_to_maximum(got, librosa_reference[name], 1e-4)


def test_decibel(torchaudio, librosa_reference):
    got = log_mel(torchaudio["waveform"], AudioConfig(top_db=80.0, **AS_PUBLISHED)).numpy().T
    np.testing.assert_allclose(got, torchaudio["torchaudio_db"], atol=0.01)
    slaney = AudioConfig(top_db=80.0, padding="zeros", mel_scale="slaney", mel_norm="slaney", **AS_PUBLISHED)
    got = log_mel(librosa_reference["waveform"], slaney).numpy().T
    np.testing.assert_allclose(got, librosa_reference["librosa_db"], atol=0.01)


def test_yamnet_patch():
    config = AudioConfig(
        sample_rate=16000, clip_seconds=0.975, n_fft=512, win_length=400, hop_length=160, n_mels=64,
        f_min=125.0, f_max=7500.0, power=1.0, padding="none", log="ln", log_floor=0.01, mel_triangles="mel",
        **AS_PUBLISHED,
    )  # fmt: skip
    samples = np.fromfile(GOLDEN / "yamnet_audio_int16_16k.bin", "<i2").astype(np.float32)
    expected = np.fromfile(GOLDEN / "yamnet_logmel_96x64_float32.bin", "<f4").reshape(96, 64)
    got = log_mel(samples / np.abs(samples).max(), config).numpy()
    assert config.frames == len(got) == 96
    np.testing.assert_allclose(got, expected, atol=1e-3)


SIZES = [  # sample_rate, n_fft, win_length, hop_length, n_mels
    (22050, 1024, 1024, 512, 64),
    (16000, 512, 400, 160, 40),
    (44100, 2048, 1500, 441, 128),
    (8000, 256, 255, 99, 9),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", ["none", "slaney"])
@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_grid_of_settings_against_librosa(size, scale, norm, power, padding):
    rate, n_fft, win, hop, n_mels = size
    waveform = noise(rate // 4)
    waveform -= waveform.mean()
    config = AudioConfig(
        sample_rate=rate, clip_seconds=0.25, n_fft=n_fft, win_length=win, hop_length=hop, n_mels=n_mels,
        mel_scale=scale, mel_norm=norm, power=power, padding=padding, log="none",
    )  # fmt: skip
    expected = librosa.feature.melspectrogram(
        y=waveform, sr=rate, n_fft=n_fft, win_length=win, hop_length=hop, n_mels=n_mels, htk=scale == "htk",
        norm=None if norm == "none" else norm, power=power, pad_mode={"zeros": "constant"}.get(padding, padding),
    )  # fmt: skip
    got = log_mel(waveform, config).numpy().T
    assert got.shape[1] == config.frames
    assert_close_to_maximum(got, expected, 1e-4)


@pytest.mark.parametrize("log", ["db", "ln"])
def test_float64(log):
    config = AudioConfig(
        sample_rate=16000, clip_seconds=0.5, n_fft=512, win_length=400, hop_length=160, n_mels=40, log=log
    )
    waveform = noise(8000).astype(np.float64)
    padded = np.pad(waveform - waveform.mean(), 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([padded[t * 160 : t * 160 + 400] * window for t in range(51)])
    mel = np.abs(np.fft.rfft(frames, 512)) ** 2 @ mel_filterbank(config).astype(np.float64)
    expected = 10 * np.log10(np.maximum(mel, 1e-10)) if log == "db" else np.log(mel + 1e-10)
    # float32 energies are good to about 1e-5 of themselves: 5e-5 dB, 1e-5 in ln; ten times that for the FFT.
    np.testing.assert_allclose(log_mel(waveform.astype(np.float32), config), expected, atol=5e-4)


def test_a_clip_is_the_same_alone_and_beside_a_loud_one():
    config = AudioConfig(top_db=40.0)
    quiet, loud = 1e-4 * noise(22050), 5 * noise(22050, seed=1)
    alone = log_mel(quiet[np.newaxis], config)[0]
    np.testing.assert_allclose(log_mel(np.stack([loud, quiet, loud]), config)[1], alone, atol=1e-4)
    np.testing.assert_allclose(log_mel(quiet, config), alone, atol=1e-4)


def test_eager_graph_dataset_and_model_agree():
    config = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=100, n_mels=20)
    waveforms = noise(6, 4000)
    eager = log_mel(waveforms, config).numpy()
    signature = [tf.TensorSpec([None, None], tf.float32)]
    graph = tf.function(lambda x: log_mel(x, config), input_signature=signature)(waveforms)
    dataset = tf.data.Dataset.from_tensor_slices(waveforms)
    clips = list(dataset.map(lambda x: log_mel(x, config), num_parallel_calls=2).as_numpy_iterator())
    batches = np.concatenate(list(dataset.batch(4).map(lambda x: log_mel(x, config)).as_numpy_iterator()))
    waveform = keras.Input((4000,))
    model = keras.Model(waveform, LogMel(config)(waveform)).predict(waveforms, verbose=0)
    for other in (graph, clips, batches, model):
        np.testing.assert_allclose(other, eager, atol=1e-3)  # dB of sums in another order


def test_saved_layer_comes_back_with_its_settings(tmp_path):
    config = AudioConfig(
        sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=200, hop_length=100, n_mels=20, top_db=60.0
    )
    waveform = keras.Input((4000,))
    model = keras.Model(waveform, LogMel(config, name="front_end")(waveform))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("front_end").config == config
    np.testing.assert_array_equal(loaded.predict(noise(2, 4000), verbose=0), model.predict(noise(2, 4000), verbose=0))


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"padding": "zeros", "top_db": 80.0},
        {"padding": "none", "log": "ln", "power": 1.0},
        {"mean_level": 0.4, "log": "ln", "log_floor": 1e-3},
        {"remove_dc": False},
    ],
)
def test_tflite_with_built_in_ops_alone(settings, tmp_path):
    config = AudioConfig(
        sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=100, n_mels=20, **settings
    )
    waveform = keras.Input((4000,))
    archive = keras.export.ExportArchive()
    model = keras.Model(waveform, LogMel(config)(waveform))
    archive.track(model)
    archive.add_endpoint("serve", model.call, input_signature=[tf.TensorSpec([1, 4000], tf.float32)])
    archive.write_out(tmp_path / "saved", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    clip = noise(1, 4000) + np.float32(0.1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], clip)
    interpreter.invoke()
    got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    # TFLite's FFT rounds otherwise; the quietest bands show it most, in dB.
    np.testing.assert_allclose(got, log_mel(clip, config), atol=0.01)


@pytest.mark.parametrize("settings", [{}, {"padding": "zeros", "top_db": 80.0}, {"padding": "none", "mean_level": 0.4}])
def test_a_recorder_s_dc_offset_changes_nothing(settings):
    clips = noise(3, 22050) * np.float32([[1], [0.01], [0.001]])  # the quieter, the more of it is DC
    clips -= clips.mean(axis=1, keepdims=True)
    clean = log_mel(clips, AudioConfig(**settings)).numpy()
    for dc in (0.05, -0.1, 0.5):
        shifted = log_mel(clips + np.float32(dc), AudioConfig(**settings)).numpy()
        # A float32 next to 0.5 is good to 3e-8, 90 dB below the quietest clip's noise of 1e-4.
        np.testing.assert_allclose(shifted, clean, atol=0.05)
    kept = log_mel(clips + np.float32(0.1), AudioConfig(remove_dc=False, **settings)).numpy()
    assert np.abs(kept - clean).max() > 20  # dB, in the lowest band: what it is taken off for


def test_a_layer_saved_before_dc_was_taken_off_keeps_it():
    saved = LogMel(AudioConfig(**AS_PUBLISHED)).get_config()
    del saved["audio"]["remove_dc"]
    assert LogMel.from_config(saved).config == AudioConfig(**AS_PUBLISHED)


def test_silence_is_the_floor_and_has_finite_gradients():
    for settings in ({}, {"log": "ln", "power": 1.0}, {"power": 0.6}, {"top_db": 80.0}, {"mean_level": 1.0}):
        silence = tf.zeros([1, 22050])
        with tf.GradientTape() as tape:
            tape.watch(silence)
            value = log_mel(silence, AudioConfig(**settings))
        assert np.isfinite(value).all()
        assert np.isfinite(tape.gradient(value, silence)).all()
    assert np.allclose(log_mel(tf.zeros([22050]), AudioConfig()), -100)


def test_clips_of_one_level_sound_the_same_however_loud_they_are():
    config = AudioConfig(mean_level=0.4, log="none")
    clips = noise(3, 22050)
    energies = log_mel(clips, config).numpy()
    np.testing.assert_allclose(energies.mean(axis=(1, 2)), 0.4, rtol=1e-5)
    # A factor of 2 ** n leaves float32's digits alone, and neighbours in a batch play no part.
    louder = log_mel(clips * np.float32([[0.125], [1], [8]]), config)
    np.testing.assert_allclose(louder, energies, rtol=1e-6)
    natural = log_mel(clips, AudioConfig(log="none")).numpy()
    np.testing.assert_allclose(energies, natural * (0.4 / natural.mean(axis=(1, 2), keepdims=True)), rtol=1e-5)


def test_what_cannot_be_a_waveform_is_refused():
    with pytest.raises(InputError, match="divide int16 by 32768"):
        log_mel(np.zeros(22050, np.int16), AudioConfig())
    with pytest.raises(InputError, match="at least 1 samples"):
        log_mel(np.zeros(0, np.float32), AudioConfig(padding="zeros"))
    with pytest.raises(InputError, match=r"at least 513 samples .*Received: 100"):
        log_mel(np.zeros(100, np.float32), AudioConfig())
