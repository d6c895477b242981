"""Runs of seconds on the tone folder, made and trained in this process."""

from urbansound.config import AudioConfig, Config, DataConfig, ModelConfig, TrainConfig
from urbansound.data.prepare import prepare
from urbansound.run import Run
from urbansound.training import fit

AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)


def config_of(folder, home, **settings):
    """A Config of small networks with random weights; settings by their flat names."""
    return Config(
        audio=AUDIO,
        data=DataConfig(dataset="folder", data_dir=str(folder), cache_dir=str(home / "cache")),
        model=ModelConfig(width=0.25, yamnet_weights=None),
        train=TrainConfig(epochs=2, batch_size=8),
    ).with_settings(**settings)


def run_of(folder, home, name="run", **settings):
    """A new Run at home/name, not yet trained."""
    config = config_of(folder, home, **settings)
    return create(home / name, config, *prepare(config))


def create(path, *arguments):
    """A new Run, by the arguments of `Run.creating`."""
    with Run.creating(path, *arguments):
        pass
    return Run(path)


def make_model(run):
    """Give a Run an untrained model, another one each time."""
    model, _ = fit.build(run.config, len(run.class_names))
    model.save(run.file("model.keras"))
