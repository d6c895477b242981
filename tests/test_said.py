"""What the project says of itself is so; each test is named after what was once said and was not so."""

import re
import subprocess
import sys

import pandas as pd
import pytest

from export import provenance
from running import ROOT
from urbansound.config import DataConfig
from urbansound.models import architecture
from urbansound.models.record import INT8

README, CONFIGS, EXPORT = ((ROOT / name).read_text() for name in ("README.md", "configs/README.md", "export/README.md"))


def words(text):
    """The text in one line, so that line ends play no part."""
    return " ".join(text.split())


def test_1_a_random_split_is_not_said_to_keep_recordings_apart():
    data = DataConfig(split="random", test_fold=3, val_fraction=0.0)
    assert provenance.tested_on(data) == "random split, part 3 of 10"
    clips = pd.DataFrame({"recording": ["a", "a", "b"], "split": ["train", "test", "train"]})
    assert "No recording is in two" not in provenance.shared_recordings(clips)
    assert "No recording is in two" in provenance.shared_recordings(clips[1:])


def test_2_files_are_said_to_be_of_any_length_where_they_are():
    # Of `detect` and `predict`, see tests/audio/test_stream.py and tests/inference/test_files.py.
    assert "Recordings may be of any length, in any format above." in words(README)
    assert words(README).count("any length") == 1


def test_3_the_project_s_settings_are_not_said_to_be_untouched_by_test_folds():
    assert "These folds are no untouched test." in words(CONFIGS)
    assert "Looks at the test folds" in CONFIGS
    assert "looks at test folds" in README


def test_4_tf_serving_and_android_are_not_said_to_have_been_run():
    compose = (ROOT / "export/serving/templates/docker-compose.yml").read_text()
    assert "tensorflow/serving:2.20.0" in compose
    assert "Not tested: TF Serving's own binary and the compose file." in words(EXPORT)
    assert not re.search(r"tasks-audio:\d", EXPORT)  # a version that nobody looked up


def test_5_the_transformer_s_int8_file_computes_in_int8():
    # Of its file, see tests/export/tflite/test_architectures.py.
    assert ("encoder", INT8) in architecture("transformer").int8.pieces


@pytest.mark.parametrize("text", [README, EXPORT], ids=["README.md", "export/README.md"])
def test_6_an_app_developer_reads_of_the_licence(text):
    assert "UrbanSound8K and ESC-50 are licensed for non-commercial use only" in words(text)


def test_7_help_ends_with_exit_code_0_and_an_example():
    process = subprocess.run(
        [sys.executable, "-m", "urbansound.train", "--helpshort"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0
    assert "python -m urbansound.train --flagfile=configs/base.flags" in process.stdout


def test_8_no_format_number_of_embeddings_is_raised_by_hand():
    # Of the hash that takes its place, see tests/training/test_embeddings.py.
    assert "FORMAT" not in (ROOT / "urbansound/training/embeddings.py").read_text()


def test_9_every_python_that_is_named_is_tested():
    assert "Python 3.11, 3.12 or 3.13" in words(README)
    script = (ROOT / ".ci/run").read_text()
    assert all(f"smoke test {version}" in script for version in ("3.12", "3.13"))  # `make test` itself takes 3.11
    assert 'requires-python = ">=3.11,<3.14"' in (ROOT / "pyproject.toml").read_text()
