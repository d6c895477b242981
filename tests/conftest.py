"""Fixtures that more than one test file uses."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from running import TINY, command

# pytest-xdist has a process on every core: TensorFlow, loaded later, shall not have a thread on each as well.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# Files that take longest, over half of all the time: they begin first, so that the processes end at about one time.
LONGEST = (
    *("tflite/test_architectures.py", "test_configs.py", "test_fit.py", "test_resume.py", "test_folds.py"),
    *("models/test_architectures.py", "test_search.py", "test_fuzz.py", "test_chaos.py", "test_commands.py"),
)
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    """Put the files of LONGEST first, in their order; with pytest-xdist, see --no-loadscope-reorder."""

    def place(item):
        path = item.path.as_posix()
        return next((i for i, ending in enumerate(LONGEST) if path.endswith(f"/{ending}")), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real audio beside the checkout; skips the test where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no real audio: ../shared/data is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tone_folder(tmp_path_factory):
    """A data set of seconds: a folder per class with tones of that class's pitch, some noise, some short."""
    root = tmp_path_factory.mktemp("tones")
    generator = np.random.default_rng(0)
    for label, hertz in {"high": 3000, "low": 300, "middle": 1000}.items():
        (root / label).mkdir()
        for i in range(15):
            time = np.arange(int(8000 * generator.uniform(0.3, 0.6))) / 8000
            tone = 0.5 * np.sin(2 * np.pi * hertz * generator.uniform(0.9, 1.1) * time)
            tone += generator.normal(0, 0.05, len(time))
            soundfile.write(root / label / f"{label}{i:02d}.wav", tone, 8000)
    return root


@pytest.fixture(scope="session")
def tone_run(tone_folder, tmp_path_factory):
    """A folder with a run on the tones, run/, that tells them apart; a test that changes it copies it."""
    home = tmp_path_factory.mktemp("tone_run")
    which = ("--dataset=folder", f"--data_dir={tone_folder}", "--run_dir=run")
    done = command("train", *which, "--epochs=12", *TINY, cwd=home)
    assert done.returncode == 0, done.stderr
    return home
