"""Running the commands as a person does, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "--sample_rate=8000",
    "--clip_seconds=0.5",
    "--n_fft=256",
    "--win_length=256",
    "--hop_length=128",
    "--n_mels=16",
    "--width=0.25",
    "--batch_size=8",
    "--learning_rate=0.01",
    "--mel_mask_bands=2",
    "--time_mask_frames=4",
)


def command(name, *arguments, cwd=ROOT):
    """Run python -m urbansound.NAME, or python -m export; the finished process with its text."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", name if name == "export" else f"urbansound.{name}", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
