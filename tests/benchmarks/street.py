"""An hour of street: events found by detect, and by YAMNet's own scores, against the known ones.

python tests/benchmarks/street.py --models=runs/…,exports/…/urbansound_int8.tflite --data_dir=data --fold=2
    [--seeds=1,2,3,4] [--minutes=40] [--quiet_minutes=20] [--detect="--threshold=0.3 …"] [--out=street]
    [--yamnet=../shared/data/weights/yamnet.tflite]

A street is 44.1 kHz stereo of 16 bits: clips of one UrbanSound8K fold, which no model may have been trained on, each
class as often, at 0 to 20 dB over noise whose colour lies between pink and brown and whose level wanders by 4 dB
either way; then noise alone. One clip follows another after up to 10 s, or overlaps it by half a second. Everything
follows from the seed. Only clips of the foreground (salience 1) of 0.3 s or more are taken.

`python -m urbansound.detect` runs as a process of its own, with its defaults but for --detect. YAMNet's scores of a
class are the highest of the AudioSet classes in AUDIOSET, over its own windows, under three thresholds. F1 is
sed_eval's, event-based, onsets within 1 s. False events are those that begin in the noise alone.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pandas as pd
import soundfile
import soxr
from absl import app, flags

from urbansound.data.datasets import urbansound8k
from urbansound.data.noise import coloured_noise
from urbansound.inference.events import EventSettings, find_events
from urbansound.report.event_metrics import event_based, read_events

ROOT = Path(__file__).resolve().parents[2]
MODELS = flags.DEFINE_list("models", [], "what detect takes as --model")
DATA_DIR = flags.DEFINE_string("data_dir", "data", "UrbanSound8K")
FOLD = flags.DEFINE_integer("fold", 2, "whose clips make the street")
SEEDS = flags.DEFINE_list("seeds", ["1"], "a street each")
MINUTES = flags.DEFINE_float("minutes", 40, "with events")
QUIET_MINUTES = flags.DEFINE_float("quiet_minutes", 20, "of noise alone after them")
DETECT = flags.DEFINE_string("detect", "", "further flags of detect")
OUT = flags.DEFINE_string("out", None, "folder in which recordings and tables are kept; default: none")
YAMNET = flags.DEFINE_string("yamnet", str(ROOT.parent / "shared/data/weights/yamnet.tflite"), "YAMNet's .tflite file")

RATE, CHANNELS = 44_100, (1.0, 0.7)
LEVEL = 0.01  # of the noise, of full scale
SNR_DB, WANDER_DB, WANDER_SECONDS = (0.0, 20.0), 4.0, 10
GAP_SECONDS = (-0.5, 10.0)
BLOCK = 60 * RATE
COLLAR = 1.0
AUDIOSET = {
    "air_conditioner": (407,),
    "car_horn": (302, 303, 312),
    "children_playing": (0, 10, 66),
    "dog_bark": (69, 70),
    "drilling": (419,),
    "engine_idling": (337, 346),
    "gun_shot": (421, 422),
    "jackhammer": (414,),
    "siren": (316, 317, 318, 319, 390, 391),
    "street_music": (132,),
}
YAMNET_RATE, YAMNET_WINDOW, YAMNET_HOP, YAMNET_THRESHOLDS = 16_000, 15_600, 7_680, (0.1, 0.3, 0.5)


def main(argv):
    """Print a line per street and model, then one line of JSON."""
    del argv
    clips = urbansound8k.read(DATA_DIR.value, (FOLD.value,)).clips
    clips = clips[clips.salience == 1]
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(OUT.value or scratch)
        for seed in map(int, SEEDS.value):
            folder = home / f"seed_{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            known = street(clips, folder / "street.wav", seed)
            known.to_csv(folder / "known.tsv", sep="\t", index=False)
            print(f"seed {seed}: {len(known)} events in {MINUTES.value:g} of {minutes():g} minutes", flush=True)
            for name, found, figures in heard(folder):
                measured = event_based(known, found, collar=COLLAR)["micro"]
                row = {name: measured[name] for name in ("f1", "precision", "recall")}
                row["false_in_noise"] = int((found.onset > MINUTES.value * 60 + COLLAR).sum())
                results.append({"seed": seed, "model": name, **row, **figures})
                print("  " + "  ".join(f"{key} {value}" for key, value in shown(results[-1]).items()), flush=True)
    table = pd.DataFrame(results).drop(columns="seed").groupby("model", sort=False).mean()
    print(f"\nmeans over {len(SEEDS.value)} streets\n{table.round(3).to_string()}")
    print(json.dumps({"streets": results}))


def minutes():
    """Of a whole street."""
    return MINUTES.value + QUIET_MINUTES.value


def shown(row):
    """The figures of a result as they are printed."""
    return {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in row.items() if key != "seed"}


def street(clips, path, seed):
    """Write a street as WAV; its events as a DataFrame of filename, onset, offset, event_label."""
    generator = np.random.default_rng(seed)
    sound = noise(round(minutes() * 60 * RATE), generator)
    labels, rows, at = sorted(clips.label.unique()), [], generator.uniform(2, 8)
    while True:
        label = labels[generator.integers(len(labels))]
        of_class = clips.path[clips.label == label]
        clip, rate = soundfile.read(of_class.iloc[generator.integers(len(of_class))], always_2d=True)
        clip = soxr.resample(clip.mean(axis=1), rate, RATE)
        clip -= clip.mean()
        seconds, power = len(clip) / RATE, np.mean(clip**2)
        if at + seconds > MINUTES.value * 60:
            break
        if seconds < 0.3 or power == 0:
            continue
        level = LEVEL * 10 ** (generator.uniform(*SNR_DB) / 20)
        first = round(at * RATE)
        sound[first : first + len(clip)] += level / np.sqrt(power) * clip
        rows.append((path.name, at, at + seconds, label))
        at = max(at, at + seconds + generator.uniform(*GAP_SECONDS))
    sound *= min(1, 0.95 / np.abs(sound).max())
    with soundfile.SoundFile(path, "w", RATE, len(CHANNELS), "PCM_16") as file:
        for block in np.array_split(sound, -(-len(sound) // BLOCK)):
            file.write(np.outer(block, CHANNELS))
    return pd.DataFrame(rows, columns=["filename", "onset", "offset", "event_label"])


def noise(samples, generator):
    """The noise of a street, float32 [samples]."""
    colour = generator.uniform(1, 2)
    blocks = [coloured_noise(BLOCK, colour, generator).astype(np.float32) for _ in range(-(-samples // BLOCK))]
    sound = np.concatenate(blocks)[:samples]
    knots = generator.uniform(-WANDER_DB, WANDER_DB, samples // (WANDER_SECONDS * RATE) + 2)
    for first in range(0, samples, BLOCK):
        block = sound[first : first + BLOCK]
        places = (first + np.arange(len(block))) / (WANDER_SECONDS * RATE)
        block *= LEVEL * 10 ** (np.interp(places, np.arange(len(knots)), knots) / 20)
    return sound


def heard(folder):
    """(name, DataFrame of events, {further figures}) of every model, and of YAMNet where its file is there."""
    for number, model in enumerate(MODELS.value):
        yield f"{Path(model).parent.name}/{Path(model).name}", *detected(model, folder, number)
    if Path(YAMNET.value).is_file():
        scores, starts = audioset_scores(folder / "street.wav")
        for threshold in YAMNET_THRESHOLDS:
            settings = EventSettings(on=threshold, off=1.0)
            events = find_events(scores, starts, YAMNET_WINDOW / YAMNET_RATE, list(AUDIOSET), settings)
            yield f"YAMNet at {threshold}", named(events, "street.wav"), {}


def detected(model, folder, number):
    """Run detect on a street: (events, {times real time, seconds to the first event, memory in MB})."""
    out = folder / f"events_{number}"
    command = [sys.executable, "-m", "urbansound.detect", f"--model={model}", f"--out={out}", "--print=jsonl"]
    begun, first, memory = time.perf_counter(), None, np.nan
    command += [*shlex.split(DETECT.value), str(folder / "street.wav")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        for _ in process.stdout:
            first = first or time.perf_counter() - begun
            memory = peak_memory_mb(process.pid, memory)
    if process.returncode:
        sys.exit(f"error: detect ended with exit code {process.returncode}")
    took = time.perf_counter() - begun
    found, _ = read_events(out / "events.csv")
    figures = {"times_real_time": minutes() * 60 / took, "first_event_s": first or np.nan, "memory_mb": memory}
    return found.assign(filename="street.wav"), figures


def peak_memory_mb(pid, otherwise):
    """The most memory that a process has had, as Linux counts it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return otherwise
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), otherwise)


def audioset_scores(path):
    """YAMNet's scores of the classes, float [windows, classes], and where its windows begin, in seconds."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(YAMNET.value)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    sound, rate = soundfile.read(path, dtype="float32")
    sound = soxr.resample(sound.mean(axis=1), rate, YAMNET_RATE)
    starts = np.arange(0, len(sound) - YAMNET_WINDOW + 1, YAMNET_HOP)
    rows = []
    for start in starts:
        interpreter.set_tensor(source, sound[start : start + YAMNET_WINDOW])
        interpreter.invoke()
        scores = interpreter.get_tensor(target)[0]
        rows.append([scores[list(places)].max() for places in AUDIOSET.values()])
    return np.array(rows), starts / YAMNET_RATE


def named(events, filename):
    """Events as sed_eval names their columns."""
    names = {"start": "onset", "end": "offset", "label": "event_label"}
    return events.rename(columns=names).assign(filename=filename)


if __name__ == "__main__":
    app.run(main)
