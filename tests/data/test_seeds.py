"""Seeds: one place derives them, neighbouring runs share none, too large ones are refused before training."""

import numpy as np
import pytest

from running import command
from urbansound.config import Config, TrainConfig
from urbansound.data import pipeline, views
from urbansound.data.seeds import derive
from urbansound.targets import SINGLE
from urbansound.training.callbacks import Checkpoints

SEEDS = (1, 2, 3, 4, 2**32 - 2, 2**32 - 1)


def test_purposes_and_seeds_have_seeds_of_their_own_that_an_int64_holds():
    found = [derive(seed, *purpose) for seed in SEEDS for purpose in (("a",), ("b",), ("a", 0), ("a", 1))]
    assert len(set(found)) == len(found)
    assert all(0 <= value < 2**63 for value in found)
    assert derive(1, "a") == derive(np.int64(1), "a")


def test_runs_of_neighbouring_seeds_share_no_stream(monkeypatch):
    """Order, windows and augmentation, mixup and masks."""
    streams, original = {}, views.seed_of

    def watched(stream, number):
        streams[seed].add(int(stream))
        return original(stream, number)

    for module in (views, pipeline):
        monkeypatch.setattr(module, "seed_of", watched)
    for seed in SEEDS:
        streams[seed] = set()
        config = Config(train=TrainConfig(seed=seed, batch_size=2))
        pipeline.training_batches(["a", "b", "c"], np.eye(3), config)
        pipeline.embedding_batches(np.zeros([3, 2], np.float32), np.eye(3), config)
        assert len(streams[seed]) == 3
    assert len(set().union(*streams.values())) == 3 * len(SEEDS)


class _Generator:
    name = "seed_generator_state"

    def assign(self, value):
        self.value = value.tolist()


class _Model:
    def __init__(self):
        self.variables = [_Generator(), _Generator()]


def test_dropout_of_neighbouring_seeds_stages_and_epochs_starts_elsewhere(tmp_path):
    """Of every seed that a run takes: one above 4,256,749 once overflowed a uint32."""
    states = set()
    for seed in SEEDS:
        journal = Checkpoints(_Run(tmp_path), TrainConfig(seed=seed), None, ["cepstrum", "cnn"])
        journal.set_model(_Model())
        for journal.stage in ("cepstrum", "cnn"):
            for epoch in (0, 1, 5000):
                journal.on_epoch_begin(epoch)
                states |= {tuple(variable.value) for variable in journal.model.variables}
    assert len(states) == len(SEEDS) * 2 * 3 * 2


class _Run:
    targets = SINGLE

    def __init__(self, path):
        self.file = path.joinpath


@pytest.mark.parametrize("seed", [2**32, -1, 10**30])
def test_a_seed_that_generators_do_not_take_is_refused_before_training(seed, tmp_path):
    done = command("train", f"--seed={seed}", "--run_dir=run", cwd=tmp_path)
    assert done.returncode == 2
    assert "seed must be at " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
