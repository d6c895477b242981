"""What a device needs in addition to int8_spectrogram.tflite: the front-end as constants, and vectors to test it with.

frontend.h, frontend.json            the same constants, for C and for everything else
reference.npz                        waveform, log_mel, input, output: what comes in and goes out at each step
reference_NAME_DTYPE.bin             each of these raw, little-endian, row by row
"""

import json
import math
from pathlib import Path

import numpy as np

from export.tflite import quantization
from urbansound.audio.logmel import LEAST_MEAN, hann_window, log_mel, padding
from urbansound.audio.mel_filterbank import mel_filterbank
from urbansound.files import replacing, write_json, write_text
from urbansound.inference import litert

LOG_KINDS = ("none", "db", "ln")  # their numbers in frontend.h
EXPLANATION = f"""\
Log-mel front-end of a sound classifier, and the steps of its int8 model.

x[n]      mono samples in [-1, 1] at SAMPLE_RATE, CLIP_SAMPLES of them, if REMOVE_DC their mean subtracted
frame t   y[i] = x[t * HOP_LENGTH - PAD_BEFORE + i] * window[i], i = 0 ... WIN_LENGTH - 1; t = 0 ... FRAMES - 1;
          outside the clip x is 0, or with PAD_REFLECT mirrored at its first and last sample (x[-1] is x[1])
spectrum  s[k] = |sum over i of y[i] * exp(-2 pi j k i / N_FFT)| ^ POWER, k = 0 ... N_FFT / 2
mel       m[b] = sum over i of band_weights[i - start of b in it] * s[band_start[b] + i]; the weights of band b
          follow those of band b - 1, band_length[b] of them
level     if MEAN_LEVEL > 0, every m * MEAN_LEVEL / max(mean of m over the clip's frames and bands, {LEAST_MEAN:g})
log       LOG_KIND 0: m; 1: LOG_FACTOR * ln(max(m, LOG_FLOOR)), and if TOP_DB >= 0 at least the clip's largest
          value - TOP_DB; 2: ln(m + LOG_FLOOR)
input     int8 [FRAMES][N_MELS] = clip(round(log / INPUT_SCALE) + INPUT_ZERO_POINT, -128, 127)
output    score of class c = (int8 - OUTPUT_ZERO_POINT) * OUTPUT_SCALE; kernels that round elsewhere than
          TensorFlow Lite's reference kernels may differ by a few steps
Standardisation by the training clips' mean and variance is inside the model.
"""


def write(folder, classifier, content, reference_waveforms):
    """Write the files above into `folder`.

    Args:
      folder: a path, made if absent.
      classifier: the Classifier.
      content: its int8_spectrogram file.
      reference_waveforms: float32 [clips, clip_samples], clips >= 1.

    Returns:
      The paths written.
    """
    folder = Path(folder)
    interpreter = quantization.interpreter(content)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    constants = _constants(classifier, source["quantization"], target["quantization"])
    arrays = _arrays(classifier.audio)
    names = list(classifier.class_names)
    write_text(folder / "frontend.h", _header(constants, arrays, names))
    lists = {name: [_plain(value) for value in array] for name, array in arrays.items()}
    settings = {"explanation": EXPLANATION.splitlines(), **constants, **lists, "class_names": names}
    write_json(folder / "frontend.json", settings)
    vectors = _vectors(interpreter, np.asarray(reference_waveforms, np.float32), classifier.audio)
    with replacing(folder / "reference.npz") as part:
        np.savez_compressed(part, **vectors)
    paths = [folder / name for name in ("frontend.h", "frontend.json", "reference.npz")]
    for name, values in vectors.items():
        paths.append(folder / f"reference_{name}_{values.dtype.name}.bin")
        with replacing(paths[-1]) as part:
            values.astype(values.dtype.newbyteorder("<")).tofile(part)
    return paths


def _constants(classifier, source, target):
    """{name: number} in the order of frontend.h."""
    audio = classifier.audio
    before, _ = padding(audio)
    return {
        "sample_rate": audio.sample_rate,
        "clip_samples": audio.clip_samples,
        "remove_dc": int(audio.remove_dc),
        "n_fft": audio.n_fft,
        "win_length": audio.win_length,
        "hop_length": audio.hop_length,
        "frames": audio.frames,
        "n_mels": audio.n_mels,
        "pad_before": before,
        "pad_reflect": int(audio.padding == "reflect"),
        "power": float(audio.power),
        "mean_level": -1.0 if audio.mean_level is None else float(audio.mean_level),
        "log_kind": LOG_KINDS.index(audio.log),
        "log_floor": float(audio.log_floor),
        "log_factor": 20 / audio.power / math.log(10),
        "top_db": -1.0 if audio.top_db is None else float(audio.top_db),
        "input_scale": float(source[0]),
        "input_zero_point": int(source[1]),
        "output_scale": float(target[0]),
        "output_zero_point": int(target[1]),
        "classes": len(classifier.class_names),
    }


def _arrays(audio):
    """Window, and the filterbank's rows without the zeros around them."""
    filterbank = mel_filterbank(audio)  # [bins, n_mels]
    spans = [np.flatnonzero(band)[[0, -1]] + (0, 1) for band in filterbank.T]
    return {
        "window": hann_window(audio.win_length),
        "band_start": np.array([first for first, _ in spans], np.int32),
        "band_length": np.array([end - first for first, end in spans], np.int32),
        "band_weights": np.concatenate([filterbank[first:end, band] for band, (first, end) in enumerate(spans)]),
    }


def _vectors(interpreter, waveforms, audio):
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    log_mels = log_mel(waveforms, audio).numpy()
    inputs = litert.quantize(log_mels, source)
    outputs = []
    for row in inputs:
        interpreter.set_tensor(source["index"], row[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"])[0])
    return {"waveform": waveforms, "log_mel": log_mels, "input": inputs, "output": np.array(outputs)}


def _header(constants, arrays, class_names):
    """The text of frontend.h."""
    lines = [f"// {line}".rstrip() for line in EXPLANATION.splitlines()]
    lines += ["#ifndef FRONTEND_H_", "#define FRONTEND_H_", "", "#include <stdint.h>", ""]
    lines += [f"#define FRONTEND_{name.upper()} {_literal(value)}" for name, value in constants.items()]
    for name, values in arrays.items():
        kind = "int32_t" if values.dtype == np.int32 else "float"
        lines += ["", f"static const {kind} frontend_{name}[{len(values)}] = {{"]
        literals = [_literal(_plain(value)) for value in values]
        lines += [f"    {', '.join(literals[i : i + 8])}," for i in range(0, len(literals), 8)] + ["};"]
    # JSON's escapes are C's, but for what lies beyond ASCII, which C takes as it is.
    names = "".join(f"    {json.dumps(name, ensure_ascii=False)},\n" for name in class_names)
    lines += ["", f"static const char *const frontend_class_names[{len(class_names)}] = {{\n{names}}};"]
    return "\n".join([*lines, "", "#endif  // FRONTEND_H_", ""])


def _plain(value):
    """A number of an array as Python's; a float32 with the fewest digits that give it back."""
    return int(value) if isinstance(value, np.integer) else float(str(value))


def _literal(value):
    return str(value) if isinstance(value, int) else f"{value!r}f"
