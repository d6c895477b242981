"""Preparation: what is wrong with the settings is said before any clip is decoded."""

import pytest

from urbansound.config import Config, DataConfig
from urbansound.data import prepare
from urbansound.errors import InputError


def test_a_fold_that_is_not_there_is_named_before_decoding(tmp_path):
    rows = ["path,label,fold"]
    for name, fold in (("a.wav", 2), ("b.wav", 3)):
        (tmp_path / name).write_bytes(b"no sound")
        rows.append(f"{name},{name[0]},{fold}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    data = DataConfig(dataset="csv", csv=str(tmp_path / "clips.csv"), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(InputError, match="test_fold=1 does not exist; the folds are 2, 3"):
        prepare.prepare(Config(data=data))
    assert not (tmp_path / "cache").exists()
