"""Training: what each clip counts in the loss."""

import shutil

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from urbansound import trainer
from urbansound.config import AudioConfig, Config, DataConfig, ModelConfig, TrainConfig
from urbansound.data.prepare import prepare
from urbansound.run import Run


def run_of(tone_folder, home, class_weights):
    """A run of one epoch on 3 high, 15 low and 15 middle tones."""
    shutil.copytree(tone_folder, home / "tones")
    for path in sorted((home / "tones" / "high").iterdir())[3:]:
        path.unlink()
    config = Config(
        audio=AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16),
        data=DataConfig(dataset="folder", data_dir=str(home / "tones"), cache_dir=str(home / "cache"), val_fraction=0),
        model=ModelConfig(width=0.25),
        train=TrainConfig(epochs=1, class_weights=class_weights),
    )
    return Run.create(home / "run", config, *prepare(config))


@pytest.mark.parametrize("kind", ["balanced", "none"])
def test_classes_weigh_what_scikit_learn_says(kind, tone_folder, tmp_path, monkeypatch):
    passed = []
    fit = keras.Model.fit
    monkeypatch.setattr(
        keras.Model, "fit", lambda self, *args, **options: (passed.append(options), fit(self, *args, **options))[1]
    )
    run = run_of(tone_folder, tmp_path, kind)
    trainer.train(run)
    if kind == "none":
        assert passed[0]["class_weight"] is None
        return
    labels = run.clips.label[run.clips.split == "train"]
    expected = compute_class_weight("balanced", classes=np.array(run.class_names), y=labels)
    assert len(set(np.round(expected, 6))) > 1
    assert [passed[0]["class_weight"][place] for place in range(3)] == pytest.approx(expected.tolist())
