"""The family in one table: what each trained run is, takes and reaches; Markdown, as README has it.

python tests/benchmarks/variants.py [--run_dirs=runs/cnn,runs/crnn,…] [--untrained=resnet50,vggish] [--rounds=5]

A run is exported to int8 (`python -m export`), which measures it on its own test fold. Training steps on
a batch in memory and int8 windows on one thread are timed in turn, round by round, in this process, on
whatever cores it has; figures are medians. Minutes of training are steps times that, the epochs of the run,
and for a frozen body its embeddings once per clip; feeding adds a few percent. An architecture that is untrained
(its weights are not at hand) has only sizes and times, by the settings of its flag file; where neither flag
is passed, all of them are.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parents[2]
RUN_DIRS = flags.DEFINE_list("run_dirs", [], "trained runs, a row each")
UNTRAINED = flags.DEFINE_list("untrained", [], "architectures by name, built with random weights")
ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds", lower_bound=1)
WINDOWS_PER_ROUND = 10
CLASSES, CLIPS = 10, 1260  # of an untrained row: UrbanSound8K's folds 1 and 3
CALIBRATION_WINDOWS = 8
UNKNOWN = "–"  # noqa: RUF001


def main(argv):
    """Print the table, then one line of JSON."""
    del argv
    from urbansound import models

    untrained = UNTRAINED.value if RUN_DIRS.value or UNTRAINED.value else models.names()
    rows = [of_run(folder) for folder in RUN_DIRS.value] + [of_architecture(name) for name in untrained]
    measure(rows)
    columns = {
        "variant": lambda row: row["variant"],
        "parameters": lambda row: f"{row['parameters'] / 1000:,.0f} k",
        "multiply-adds": lambda row: f"{row['multiply_adds'] / 1e6:,.0f} M",
        "training": lambda row: f"{row['minutes']:.1f} min",
        "accuracy": lambda row: UNKNOWN if row["accuracy"] is None else f"{100 * row['accuracy']:.1f} %",
        "int8": lambda row: f"{row['bytes'] / 1000:,.0f} kB",
        "int8 accuracy": lambda row: UNKNOWN if row["change"] is None else f"{row['change']:+.2f}",
        "int8 latency": lambda row: f"{row['latency']:.1f} ms",
    }
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(text(row) for text in columns.values())} |")
    kept = [
        {name: value for name, value in row.items() if name not in ("networks", "config", "content")} for row in rows
    ]
    print(json.dumps(kept))


def of_run(folder):
    """A row of a trained run."""
    from urbansound import models
    from urbansound.run import Run

    run = Run.open(folder)
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "export", f"--run_dir={run.path.resolve()}", f"--out={home}/out"]
        options = ["--name=variant", "--formats=int8", "--max_accuracy_drop=100"]
        subprocess.run([*command, *options], check=True, cwd=ROOT, stdout=sys.stderr)
        report = json.loads(Path(home, "out/report.json").read_text())
        content = Path(home, "out/variant_int8.tflite").read_bytes()
    (file,) = report["files"]
    networks = _networks(run.load_model())
    name = "+".join(run.architectures)
    width = run.config.model.width
    return {
        "variant": name if width == 1 else f"{name}, width {width:g}",
        "parameters": report["keras"]["parameters"],
        "accuracy": report["keras"]["accuracy"],
        "change": file["accuracy_change"],
        "clips": int((run.clips.split == "train").sum()),
        "content": content,
        "networks": list(zip(map(models.architecture, run.architectures), networks, strict=True)),
        "config": run.config,
    }


def _networks(model):
    """The networks of a model that are no ensembles themselves, in order."""
    from urbansound.models import ensemble

    members = ensemble.members(model).values()
    return [network for member in members for network in _networks(member)] if members else [model]


def of_architecture(name):
    """A row of an architecture with random weights, by configs/`name`.flags where there is one."""
    from export.tflite import convert
    from urbansound import flags as setting_flags
    from urbansound import models
    from urbansound.inference.classifier import Classifier

    values = flags.FlagValues()
    setting_flags.define(values)
    os.chdir(ROOT)  # where nested flag files are found from
    file = f"configs/{name}.flags" if Path(f"configs/{name}.flags").exists() else "configs/urbansound8k.flags"
    values([name, f"--flagfile={file}", f"--model={name}", "--nocepstrum"])
    config = setting_flags.config_from(values)
    model, networks = models.build((config.audio.frames, config.audio.n_mels), CLASSES, config.model)
    names = tuple(map(str, range(CLASSES)))
    classifier = Classifier(model, config.audio, config.audio.clip_samples, config.data.short_clips, names, (name,))
    shape = (CALIBRATION_WINDOWS, config.audio.clip_samples)
    windows = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    return {
        "variant": name,
        "parameters": model.count_params(),
        "accuracy": None,
        "change": None,
        "clips": CLIPS,
        "content": convert.convert(classifier, "int8", windows),
        "networks": networks,
        "config": config,
    }


def measure(rows):
    """Add to each row bytes, multiply_adds, minutes of training and milliseconds of latency."""
    from export.tflite import profile

    for row in rows:
        row["bytes"] = len(row["content"])
        row["multiply_adds"] = profile.multiply_adds(row["content"])
    costs = [training_cost(row["networks"], row["config"], row["clips"]) for row in rows]
    interpreters = [profile.ready(row["content"], threads=1) for row in rows]
    minutes, latency = [[] for _ in rows], [[] for _ in rows]
    for round_ in range(-1, ROUNDS.value):  # the first warms up
        for place, cost in enumerate(costs):
            value = cost()
            if round_ >= 0:
                minutes[place].append(value)
        for _ in range(WINDOWS_PER_ROUND):
            for place, interpreter in enumerate(interpreters):
                start = time.perf_counter()
                interpreter.invoke()
                if round_ >= 0:
                    latency[place].append(1000 * (time.perf_counter() - start))
    for place, row in enumerate(rows):
        row["minutes"], row["latency"] = statistics.median(minutes[place]), statistics.median(latency[place])


def training_cost(networks, config, clips):
    """A function that times one step of each network and returns the minutes of the whole training; see the top."""
    from urbansound.training import stages

    costs = [
        stage_cost(record, network, stages.settings(record, network, config), clips) for record, network in networks
    ]
    return lambda: sum(cost() for cost in costs)


def stage_cost(record, network, config, clips):
    """The same of one network."""
    from urbansound.data.views import steps_per_epoch
    from urbansound.targets import SINGLE
    from urbansound.training import embeddings, fit, objective, stages

    steps, batch = steps_per_epoch(clips, config), config.train.batch_size
    learner, body = network, None
    optimizer = fit.adamw(config.train, steps, network.trainable_variables)
    generator = np.random.default_rng(0)
    inputs = log_mels = generator.normal(0, 1, (batch, *network.input.shape[1:])).astype(np.float32)
    classes = network.output.shape[-1]
    targets = np.eye(classes, dtype=np.float32)[generator.integers(classes, size=batch)]
    if stages.is_frozen(record, network):
        body, learner = embeddings.split(network, record.embedding)
        inputs = body.predict(log_mels, verbose=0)
    learner.compile(optimizer, objective.loss(SINGLE, config.train.label_smoothing))

    def minutes():
        start = time.perf_counter()
        learner.train_on_batch(inputs, targets)
        seconds = (time.perf_counter() - start) * steps * config.train.epochs
        if body is not None:
            start = time.perf_counter()
            body.predict_on_batch(log_mels)
            seconds += (time.perf_counter() - start) * clips / batch
        return seconds / 60

    return minutes


if __name__ == "__main__":
    app.run(main)
