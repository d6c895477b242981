"""A folder with a run and recordings for detect."""

import shutil

import numpy as np
import soundfile

RATE = 8000


def flags(out="events", **others):
    """Flags of a command with tables, pictures and clips in one folder."""
    given = {
        "format": "csv,audacity,raven,sed,scores",
        "threshold": 0.6,
        "smooth_seconds": 0,
        "clips": f"{out}/clips",
    } | others
    return "--model=run", f"--out={out}", "--timeline", *(f"--{name}={value}" for name, value in given.items())


def home(tone_run, folder):
    """Put run/ and night/, four recordings of tones of which two have a name with a time, into a folder; the folder."""
    shutil.copytree(tone_run / "run", folder / "run")
    (folder / "night" / "deep").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for place, name in enumerate(["20260504_060000.wav", "b.wav", "deep/20260504_070000Z.flac", "deep/d.wav"]):
        seconds = np.arange(20 * RATE) / RATE
        sound = generator.normal(0, 0.05, len(seconds))
        for start, hertz in ((2 + place, 300), (8, 1000), (14, 3000)):
            here = (seconds >= start) & (seconds < start + 2)
            sound[here] += 0.5 * np.sin(2 * np.pi * hertz * seconds[here])
        soundfile.write(folder / "night" / name, sound, RATE)
    return folder
