"""A run from elsewhere is data: to load its model runs no code from it and reads no other file."""

import json
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
from small_run import create

from urbansound.config import Config


@pytest.fixture
def run(tmp_path):
    clips = pd.DataFrame(columns=["path", "label", "fold", "recording", "salience", "split"])
    return create(tmp_path / "run", Config(), ["a", "b"], clips, [])


def model():
    inputs = keras.Input((173, 128))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(inputs)))


def with_layer(path, **layer):
    """Save a model whose second layer's record is changed."""
    model().save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    record = json.loads(parts["config.json"])
    record["config"]["layers"][1].update(layer)
    parts["config.json"] = json.dumps(record).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


def test_a_lambda_in_a_model_is_not_run(run, tmp_path):
    made = str(tmp_path / "made")
    inputs = keras.Input((173, 128))

    def touch(values):
        open(made, "w").close()
        return values

    keras.Model(inputs, keras.layers.Lambda(lambda values: touch(values))(inputs)).save(run.file("model.keras"))
    (tmp_path / "made").unlink()  # from building it
    with pytest.raises(ValueError, match="Lambda"):
        run.load_model()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": {"command": "touch made"}, "registered_name": "system"},
        {
            "module": "builtins",
            "class_name": "exec",
            "config": {"source": "open('made', 'w')"},
            "registered_name": None,
        },
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "made"]}, "registered_name": None},
        {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "file:///etc/passwd"}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "saved_model", "name": "x"}},
    ],
    ids=lambda layer: layer["class_name"],
)
def test_a_model_that_names_other_code_does_not_run_it(run, tmp_path, monkeypatch, layer):
    monkeypatch.chdir(tmp_path)
    with_layer(run.file("model.keras"), **layer)
    with pytest.raises((ValueError, TypeError)):
        run.load_model()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_vocabulary_in_another_file_is_not_read(run, tmp_path):
    (tmp_path / "secret").write_text("a\nb\n")
    layer = keras.layers.StringLookup(vocabulary=["a"])
    config = layer.get_config() | {"vocabulary": str(tmp_path / "secret")}
    with_layer(run.file("model.keras"), module="keras.layers", class_name="StringLookup", config=config)
    with pytest.raises((ValueError, TypeError)):
        run.load_model()


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # which Keras says before it refuses the file
def test_weights_that_lie_in_another_file_are_not_read(run, tmp_path):
    import h5py

    (tmp_path / "secret").write_bytes(np.arange(256, dtype=np.float32).tobytes())
    path = run.file("model.keras")
    model().save(path)
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "parts")
    with h5py.File(tmp_path / "parts" / "model.weights.h5", "a") as file:
        del file["layers/dense/vars/0"]
        file.create_dataset(
            "layers/dense/vars/0", shape=(128, 2), dtype="f4", external=[(str(tmp_path / "secret"), 0, 1024)]
        )
    with zipfile.ZipFile(path, "w") as file:
        for part in (tmp_path / "parts").iterdir():
            file.write(part, part.name)
    with pytest.raises(ValueError, match="external Dataset"):
        run.load_model()
