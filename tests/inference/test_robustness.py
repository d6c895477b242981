"""Evaluation in noise: the command on a tiny run, and what it adds by itself."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from running import command
from urbansound.config import AudioConfig, Config
from urbansound.inference import robustness


@pytest.fixture
def trained(tone_run, tmp_path):
    """A folder with a trained run of the test's own."""
    shutil.copytree(tone_run / "run", tmp_path / "run")
    return tmp_path


@pytest.mark.parametrize("levels", ["nan", "20,inf", "-inf", "1e300", "-201", "loud"])
def test_a_level_of_noise_that_is_no_number_or_out_of_bounds_is_refused(levels):
    process = command("evaluate", "--run_dir=run", f"--snr_db={levels}")
    assert process.returncode == 2
    assert process.stderr == (
        f"error: snr_db must be numbers from -200 to 200 with commas between. Received: {levels}\n"
    )


def test_noise_and_corruptions_in_one_table(trained):
    before = (trained / "run" / "metrics.json").read_text()
    process = command("evaluate", "--run_dir=run", "--snr_db=40,-30", "--corruptions", cwd=trained)
    assert process.returncode == 0, process.stderr
    table = pd.read_csv(trained / "run" / "robustness.csv")
    assert table.condition[:5].tolist() == [
        "clean",
        "white noise 40 dB",
        "white noise -30 dB",
        "pink noise 40 dB",
        "pink noise -30 dB",
    ]
    assert len(table) == 5 + 7
    of = table.set_index("condition")
    assert of.accuracy["clean"] > 0.6
    assert of.points_lost["white noise -30 dB"] > 20
    assert abs(of.points_lost["white noise 40 dB"]) < abs(of.points_lost["white noise -30 dB"])
    np.testing.assert_allclose(table.points_lost, 100 * (table.accuracy[0] - table.accuracy))
    assert "pink noise -30 dB" in process.stdout
    page = (trained / "run" / "report.html").read_text()
    assert "Noise and other corruptions" in page
    assert (trained / "run" / "robustness.png").stat().st_size > 5000
    assert (trained / "run" / "metrics.json").read_text() == before
    again = command("evaluate", "--run_dir=run", "--snr_db=40,-30", cwd=trained)  # the noise follows from the seed
    assert again.returncode == 0
    pd.testing.assert_frame_equal(table[:5], pd.read_csv(trained / "run" / "robustness.csv"))


def test_recorded_noise(trained):
    (trained / "noise").mkdir()
    soundfile.write(trained / "noise" / "hum.wav", np.random.default_rng(0).standard_normal(16000) * 0.1, 8000)
    process = command("evaluate", "--run_dir=run", "--snr_db=0", "--noise_dir=noise", cwd=trained)
    assert process.returncode == 0, process.stderr
    assert pd.read_csv(trained / "run" / "robustness.csv").condition.tolist() == ["clean", "recorded noise 0 dB"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--snr_db=loud"], "snr_db must be numbers from -200 to 200 with commas between. Received: loud"),
        (["--noise_dir=."], "--noise_dir needs to know how loud"),
        (["--snr_db=0", "--noise_dir=nowhere"], "nowhere: no such file or folder; point --noise_dir"),
    ],
)
def test_errors(trained, arguments, message):
    process = command("evaluate", "--run_dir=run", *arguments, cwd=trained)
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr


def test_the_same_stretch_at_every_ratio_and_another_for_every_clip():
    config = Config(audio=AudioConfig(sample_rate=4000, clip_seconds=0.5))
    (_, _, _, low), (_, _, _, high), *_ = robustness.conditions([0.0, 20.0], None, False, config)
    waveform = np.ones(2000, np.float32)
    np.testing.assert_allclose(low(waveform, 3) - 1, 10 * (high(waveform, 3) - 1), atol=1e-4)
    assert not np.allclose(low(waveform, 3), low(waveform, 4))
