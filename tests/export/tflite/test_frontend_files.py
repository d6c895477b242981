"""The front-end as constants: another implementation, in C, makes the same log-mel of them."""

import dataclasses
import json
import shutil
import subprocess

import numpy as np
import pytest

from export.tflite import convert, frontend_files
from tiny import AUDIO, classifier_of, sounds
from urbansound.inference import litert

# A naive DFT in double, of nothing but frontend.h.
PROGRAM = r"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "frontend.h"

static float x[FRONTEND_CLIP_SAMPLES];
static double spectrum[FRONTEND_N_FFT / 2 + 1], features[FRONTEND_FRAMES][FRONTEND_N_MELS];

static double sample(long n) {
  const long last = FRONTEND_CLIP_SAMPLES - 1;
  if (FRONTEND_PAD_REFLECT) n = n < 0 ? -n : n > last ? 2 * last - n : n;
  return n < 0 || n > last ? 0.0 : x[n];
}

int main(int argc, char **argv) {
  FILE *file = fopen(argv[1], "rb");
  if (argc != 2 || !file || fread(x, sizeof(float), FRONTEND_CLIP_SAMPLES, file) != FRONTEND_CLIP_SAMPLES) return 1;
  double largest = -INFINITY, mean = 0, dc = 0;
  for (long n = 0; n < FRONTEND_CLIP_SAMPLES; n++) dc += x[n] / (double)FRONTEND_CLIP_SAMPLES;
  for (long n = 0; n < FRONTEND_CLIP_SAMPLES && FRONTEND_REMOVE_DC; n++) x[n] -= dc;
  for (long t = 0; t < FRONTEND_FRAMES; t++) {
    for (long k = 0; k <= FRONTEND_N_FFT / 2; k++) {
      double re = 0, im = 0;
      for (long i = 0; i < FRONTEND_WIN_LENGTH; i++) {
        double y = sample(t * FRONTEND_HOP_LENGTH - FRONTEND_PAD_BEFORE + i) * frontend_window[i];
        double angle = 2 * M_PI * (double)(k * i % FRONTEND_N_FFT) / FRONTEND_N_FFT;
        re += y * cos(angle);
        im -= y * sin(angle);
      }
      spectrum[k] = pow(re * re + im * im, FRONTEND_POWER / 2);
    }
    const float *weight = frontend_band_weights;
    for (long b = 0; b < FRONTEND_N_MELS; b++) {
      double m = 0;
      for (long i = 0; i < frontend_band_length[b]; i++) m += *weight++ * spectrum[frontend_band_start[b] + i];
      features[t][b] = m;
      mean += m / FRONTEND_FRAMES / FRONTEND_N_MELS;
    }
  }
  for (long t = 0; t < FRONTEND_FRAMES; t++) {
    for (long b = 0; b < FRONTEND_N_MELS; b++) {
      double m = features[t][b];
      if (FRONTEND_MEAN_LEVEL > 0) m *= FRONTEND_MEAN_LEVEL / fmax(mean, 1e-10);
      if (FRONTEND_LOG_KIND == 1) m = FRONTEND_LOG_FACTOR * log(fmax(m, FRONTEND_LOG_FLOOR));
      if (FRONTEND_LOG_KIND == 2) m = log(m + FRONTEND_LOG_FLOOR);
      features[t][b] = m;
      largest = fmax(largest, m);
    }
  }
  for (long t = 0; t < FRONTEND_FRAMES; t++) {
    for (long b = 0; b < FRONTEND_N_MELS; b++) {
      double m = features[t][b];
      if (FRONTEND_LOG_KIND == 1 && FRONTEND_TOP_DB >= 0) m = fmax(m, largest - FRONTEND_TOP_DB);
      double q = round(m / FRONTEND_INPUT_SCALE) + FRONTEND_INPUT_ZERO_POINT;
      printf("%.9g %d\n", m, (int)fmin(fmax(q, -128), 127));
    }
  }
  for (long c = 0; c < FRONTEND_CLASSES; c++) fprintf(stderr, "%s\n", frontend_class_names[c]);
  return 0;
}
"""
SETTINGS = {
    "padded by reflection, dB": {},
    "padded by zeros, ln, short window": {"padding": "zeros", "log": "ln", "log_floor": 1e-3, "win_length": 200},
    "unpadded, magnitude, top_db": {"padding": "none", "power": 1.0, "top_db": 30.0, "mel_scale": "slaney"},
    "no logarithm, unit area": {"log": "none", "mel_norm": "slaney"},
    "of one level, ln": {"mean_level": 0.5, "log": "ln", "log_floor": 1e-3},
    "DC kept": {"remove_dc": False},
}


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def written(request, tmp_path_factory):
    """(folder, classifier, content) of one front-end."""
    classifier = classifier_of(dataclasses.replace(AUDIO, **request.param), names=("dog bark", 'a "b"', "Straße"))
    windows = sounds(classifier.audio, 12) + np.float32(0.01)  # a recorder's DC offset
    content = convert.convert(classifier, "int8_spectrogram", windows)
    folder = tmp_path_factory.mktemp("frontend")
    paths = frontend_files.write(folder, classifier, content, windows[:2])
    assert sorted(paths) == sorted(folder.iterdir())
    return folder, classifier, content


def test_a_program_in_c_computes_the_reference_vectors(written):
    folder, classifier, _ = written
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: cc is absent")
    (folder / "program.c").write_text(PROGRAM)
    command = [compiler, "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O2", "program.c", "-o", "program", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    run = subprocess.run(
        ["./program", "reference_waveform_float32.bin"], cwd=folder, check=True, capture_output=True, text=True
    )
    values = np.array([line.split() for line in run.stdout.splitlines()], float)
    log_mel = np.fromfile(folder / "reference_log_mel_float32.bin", "<f4").reshape(2, -1)[0]
    quantized = np.fromfile(folder / "reference_input_int8.bin", np.int8).reshape(2, -1)[0]
    # A transform in float32 against one in double: 1e-3 dB, of tens of dB; the largest without a logarithm.
    np.testing.assert_allclose(values[:, 0], log_mel, atol=1e-3, rtol=1e-4)
    # Values within that distance of the middle between two steps may fall on either side.
    assert np.abs(values[:, 1] - quantized).max() <= 1
    assert np.mean(values[:, 1] != quantized) < 0.01
    assert run.stderr.splitlines() == list(classifier.class_names)


def test_the_vectors_are_what_the_file_answers(written):
    folder, classifier, content = written
    with np.load(folder / "reference.npz") as vectors:
        settings = json.loads((folder / "frontend.json").read_text())
        scores = (vectors["output"].astype(float) - settings["output_zero_point"]) * settings["output_scale"]
        # The vectors come from the reference kernels; the delegate's round elsewhere, and this head is steep.
        expected = litert.score_windows(content, classifier.audio)(vectors["waveform"])
        np.testing.assert_allclose(scores, expected, atol=16.1 / 256)
        for name, values in vectors.items():
            raw = np.fromfile(folder / f"reference_{name}_{values.dtype.name}.bin", values.dtype.newbyteorder("<"))
            np.testing.assert_array_equal(raw, values.ravel())
    assert settings["class_names"] == list(classifier.class_names)
    assert len(settings["window"]) == classifier.audio.win_length
    assert sum(settings["band_length"]) == len(settings["band_weights"])
