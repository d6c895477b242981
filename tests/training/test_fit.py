"""Training: what each clip counts in the loss, how a cepstrum learns beside another network."""

import shutil

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from urbansound import models
from urbansound.config import AudioConfig, Config, DataConfig, ModelConfig, TrainConfig
from urbansound.data.pipeline import evaluation_batches
from urbansound.data.prepare import cache_entries, prepare
from urbansound.run import Run
from urbansound.training import fit
from urbansound.training.embeddings import body


def run_of(tone_folder, home, class_weights="none", **settings):
    """A run of one epoch on 3 high, 15 low and 15 middle tones; settings by their flat names."""
    shutil.copytree(tone_folder, home / "tones")
    for path in sorted((home / "tones" / "high").iterdir())[3:]:
        path.unlink()
    config = Config(
        audio=AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16),
        data=DataConfig(dataset="folder", data_dir=str(home / "tones"), cache_dir=str(home / "cache"), val_fraction=0),
        model=ModelConfig(width=0.25),
        train=TrainConfig(epochs=1, class_weights=class_weights),
    ).with_settings(**settings)
    return Run.create(home / "run", config, *prepare(config))


@pytest.mark.parametrize("kind", ["balanced", "none"])
def test_classes_weigh_what_scikit_learn_says(kind, tone_folder, tmp_path, monkeypatch):
    passed = []
    fit = keras.Model.fit
    monkeypatch.setattr(
        keras.Model, "fit", lambda self, *args, **options: (passed.append(options), fit(self, *args, **options))[1]
    )
    run = run_of(tone_folder, tmp_path, kind)
    fit.train(run)
    if kind == "none":
        assert passed[0]["class_weight"] is None
        return
    labels = run.clips.label[run.clips.split == "train"]
    expected = compute_class_weight("balanced", classes=np.array(run.class_names), y=labels)
    assert len(set(np.round(expected, 6))) > 1
    assert [passed[0]["class_weight"][place] for place in range(3)] == pytest.approx(expected.tolist())


def ranks_of(model):
    """The lower ends of the ranks that a cepstrum hears between, float [ranks, values]."""
    factors, shifts = model.get_layer("cepstrum").get_layer("standardize").get_weights()
    return (-shifts.reshape(factors.shape[2:]) / factors[0, 0]).T


def test_a_cepstrum_beside_the_network_learns_before_it(tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path, cepstrum=True)
    fit.train(run)
    model = run.load_model()
    entries = cache_entries(run.clips.path[run.clips.split == "train"], run.config)
    batches = evaluation_batches(entries, [0] * len(entries), 3, run.config)
    statistics = np.concatenate([body(model.get_layer("cepstrum"))(log_mel) for log_mel, _ in batches])[:, 0, 0]
    quantiles = np.quantile(statistics, np.linspace(0, 1, models.cepstrum.KNOTS), axis=0)
    # float32 statistics of some ten.
    np.testing.assert_allclose(ranks_of(model), quantiles[:-1], atol=1e-3)
    _, bias = model.get_layer("cepstrum").get_layer("hidden").get_weights()
    assert np.abs(bias).max() > 0  # where it begins
    assert len(run.history) == 1


def test_a_cepstrum_hears_the_noise_that_the_network_is_trained_in(tone_folder, tmp_path):
    quiet, noisy = (
        run_of(tone_folder, tmp_path / name, cepstrum=True, noise_probability=probability, noise_snr_db=(-20.0, 0.0))
        for name, probability in (("quiet", 0.0), ("noisy", 1.0))
    )
    for run in (quiet, noisy):
        fit.train(run)
    assert np.abs(ranks_of(quiet.load_model()) - ranks_of(noisy.load_model())).max() > 1
