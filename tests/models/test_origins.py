"""Whose weights a model starts from is said once for the page, the model card and the runs that it teaches."""

from urbansound import models
from urbansound.config import ModelConfig


def test_origins_are_those_of_files_that_settings_name():
    config = ModelConfig(yamnet_weights="yamnet.h5")
    yamnet = "Google's YAMNet, trained on AudioSet (weights: Apache 2.0)"
    assert models.origins(["cnn", "yamnet", "vggish"], config) == [yamnet]
    assert models.origins(["cnn", "yamnet"], ModelConfig(yamnet_weights="")) == []
