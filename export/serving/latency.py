"""Times a SavedModel in a process of its own, since TensorFlow takes its number of threads once, at its start.

python latency.py FOLDER SAMPLES THREADS RUNS

Prints milliseconds from one waveform of SAMPLES to its scores, {"median": …, "p95": …}. Needs only TensorFlow.
"""

import json
import os
import subprocess
import sys
import time

WARM_UP = 5


def measure(folder, samples, threads, runs=50):
    """{"median", "p95"} in milliseconds, measured in a process of its own; `threads` within and between ops."""
    command = [sys.executable, __file__, *map(str, (folder, samples, threads, runs))]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{folder}: could not be timed: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def _main(folder, samples, threads, runs):
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    loaded = tf.saved_model.load(folder)  # alive as long as its signature runs
    waveform = tf.constant(np.random.default_rng(0).normal(0, 0.1, [1, samples]), tf.float32)
    times = []
    for _ in range(WARM_UP + runs):
        start = time.perf_counter()
        loaded.signatures["serving_default"](waveform=waveform)["scores"].numpy()
        times.append(1000 * (time.perf_counter() - start))
    times = times[WARM_UP:]
    print(json.dumps({"median": float(np.median(times)), "p95": float(np.percentile(times, 95))}))


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:]))
