"""The files that mutation starts from: small, and each one that its reader takes.

python tests/fuzz/seeds.py writes them into tests/fuzz/corpus/KIND/NAME. A file of kind "run" or "model" stands for
one of a run directory or of model.keras: its first line is the name, what follows is the content.
"""

import dataclasses
import json
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[1] / folder) for folder in ("support", ".."))

import numpy as np
import pandas as pd

from urbansound.config import Config
from urbansound.report.metrics import evaluate
from urbansound.report.predictions import predictions_table
from wav_files import chunk, fmt, noise, riff, written

CORPUS = Path(__file__).resolve().parent / "corpus"
FRAMES = 150
# (container, subtype, channels) that libsndfile writes.
WAVS = (
    *(("WAV", subtype, 1) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("WAVEX", subtype, 2) for subtype in ("PCM_16", "PCM_24", "FLOAT")),
)
OTHERS = (
    *(("WAV", subtype, 1) for subtype in ("IMA_ADPCM", "MS_ADPCM", "GSM610")),
    *(("AIFF", subtype, 2) for subtype in ("PCM_16", "FLOAT", "IMA_ADPCM")),
    *(("AU", "PCM_16", 1), ("AU", "G721_32", 1), ("CAF", "PCM_24", 2), ("CAF", "ALAC_16", 1), ("FLAC", "PCM_16", 2)),
    *(("OGG", "VORBIS", 1), ("OGG", "OPUS", 1), ("MP3", "MPEG_LAYER_III", 1), ("RF64", "PCM_16", 1)),
    *(("W64", "PCM_16", 1), ("VOC", "PCM_16", 1), ("NIST", "PCM_16", 1), ("SVX", "PCM_16", 1)),
)
CLIPS = pd.DataFrame(
    {
        "path": [f"{i}.wav" for i in range(6)],
        "label": ["bark", "siren"] * 3,
        "fold": [1, 1, 2, 2, 3, 3],
        "recording": [f"r{i}" for i in range(6)],
        "salience": pd.array([1, 2, 1, 2, 1, None], "Int64"),
    }
)


def wavs():
    """{name: bytes} of WAV files that the graph decodes."""
    files = {f"{container}-{subtype}": _sound(container, subtype, channels) for container, subtype, channels in WAVS}
    samples = np.arange(20, dtype="<i2").tobytes()
    files["chunks"] = riff(chunk(b"LIST", b"INFO"), fmt(channels=2), chunk(b"junk", b"odd"), chunk(b"data", samples))
    files["endless"] = riff(fmt(), chunk(b"data", samples, size=2**32 - 1), size=2**32 - 1)
    files["unfinished"] = riff(fmt(), chunk(b"data", samples, size=0), size=0)
    return files


def sounds():
    """{name: bytes} of sound files that libsndfile decodes."""
    return {f"{container}-{subtype}": _sound(container, subtype, channels) for container, subtype, channels in OTHERS}


def tables():
    """{name: bytes} of the tables of clips that data sets have; their clips are 0.wav to 5.wav."""
    urbansound8k = {"slice_file_name": CLIPS.path, "fsID": CLIPS.recording, "start": 0.0, "end": 4.0}
    urbansound8k |= {"salience": [1, 2] * 3, "fold": CLIPS.fold, "classID": [0, 1] * 3, "class": CLIPS.label}
    esc50 = {"filename": CLIPS.path, "fold": CLIPS.fold, "target": [0, 1] * 3, "category": CLIPS.label}
    esc50 |= {"esc10": True, "src_file": CLIPS.recording, "take": "A"}
    return {
        "urbansound8k": _csv(pd.DataFrame(urbansound8k)),
        "esc50": _csv(pd.DataFrame(esc50)),
        "csv": _csv(CLIPS),
        "quoted": b"\xef\xbb\xbf" + _csv(CLIPS[["path", "label"]].replace({"bark": 'dog, "big"', "siren": "\u00e9"})),
    }


def configs():
    """{name: bytes} of config.json files."""
    other = Config().with_settings(folds=(1, 2), csv="x.csv", f_max=8000.0, val_fold=2, yamnet_classes=("dog=70",))
    return {"default": _json(Config()), "other": _json(other)}


def _json(config):
    return json.dumps(dataclasses.asdict(config), indent=2).encode()


def flag_files():
    """{name: bytes} of files of flags."""
    return {
        "base": b"# Comment.\n--dataset=folder\n--data_dir=data\n--epochs=16\n--n_fft=512\n--win_length=512\n",
        "kinds": b"--folds=1,2\n--noise_snr_db=0,30\n--f_max=none\n--nocepstrum\n--deterministic\n--val_fold=2\n",
    }


def spaces():
    """{name: bytes} of the spaces of a search."""
    return {
        "cnn": b'top_db = [25, 60, "none"]\nwidth = [0.5, 1.0]\ndropout = {low = 0.1, high = 0.6, log = true}\n',
        "kinds": b'model = ["cnn", "crnn"]\ndropout = { low = 0.0, high = 0.6 }\n[epochs]\nlow = 1\nhigh = 99\n',
    }


def run_files():
    """{name: bytes} of the files of a run directory, each after a line with its name."""
    generator = np.random.default_rng(0)
    scores = generator.dirichlet((1, 1), len(CLIPS)).astype(np.float32)
    history = {"stage": "cnn", "epoch": [1, 2], "loss": [0.7, 0.6], "accuracy": [0.5, 0.6], "val_loss": [0.7, 0.65]}
    history = pd.DataFrame(history | {"val_accuracy": 0.5, "learning_rate": [1e-3, 0.0], "seconds": 0.5})
    state = {"weights": "epoch-cnn-0002.keras", "rows": history.to_dict("records")}
    robustness = {"condition": ["clean", "noise"], "noise": [None, "white"], "snr_db": [None, 10.0], "accuracy": 0.5}
    robustness = pd.DataFrame(robustness | {"low": 0.4, "high": 0.6, "points_lost": 0.0})
    classes = ["bark", "siren"]
    files = {
        "config.json": _json(Config()),
        "labels.txt": b"bark\nsiren\n",
        "clips.csv": _csv(CLIPS.assign(split=["test", "test", "train", "train", "validation", "validation"])),
        "skipped.csv": b"path,fault\n6.wav,holds no samples\n",
        "history.csv": _csv(history),
        "members.csv": b"run_dir,architectures,seconds\nruns/a,cnn,1.0\nruns/b,cepstrum+crnn,2.0\n",
        "checkpoints/state.json": json.dumps(state, indent=2).encode(),
        "metrics.json": json.dumps(evaluate([0, 1] * 3, scores, CLIPS.recording, classes), indent=2).encode(),
        "predictions.csv": _csv(predictions_table(CLIPS, scores, classes)),
        "robustness.csv": _csv(robustness),
    }
    return {name.replace("/", "-"): name.encode() + b"\n" + content for name, content in files.items()}


def model_files():
    """{name: bytes} of the files in the archive model.keras, each after a line with its name."""
    import keras

    keras.utils.set_random_seed(0)
    audio = Config().audio
    inputs = keras.Input((audio.frames, audio.n_mels))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling1D()(inputs)))
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        with zipfile.ZipFile(f"{folder}/model.keras") as archive:
            return {name: name.encode() + b"\n" + archive.read(name) for name in archive.namelist()}


KINDS = {
    "wav": wavs,
    "sound": sounds,
    "table": tables,
    "config": configs,
    "flags": flag_files,
    "space": spaces,
    "run": run_files,
    "model": model_files,
}


def load(kind, found=True):
    """The files of a kind, bytes each, in the order of their names; with or without what campaigns have found."""
    paths = sorted((CORPUS / kind).iterdir())
    return [path.read_bytes() for path in paths if found or not path.name.startswith("found-")]


def write():
    """Write the whole corpus anew; files that a campaign has added, found-*, stay."""
    for kind, files in KINDS.items():
        folder = CORPUS / kind
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if not path.name.startswith("found-"):
                path.unlink()
        for name, content in files().items():
            (folder / name).write_bytes(content)


def _sound(container, subtype, channels):
    # Whole blocks of what is coded in blocks; Opus knows few rates.
    rate = 48000 if subtype == "OPUS" else 8000
    return written(noise(FRAMES, channels), rate, format=container, subtype=subtype)


def _csv(table):
    return table.to_csv(index=False).encode()


if __name__ == "__main__":
    write()
