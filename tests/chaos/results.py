"""What a folder of results holds, without what differs from run to run: times, and the order of bytes in archives."""

import hashlib
import io
import json
import zipfile

import h5py
import numpy as np
import pandas as pd

# Figures that time decides, and the size of a SavedModel, whose graph holds names that are numbered by process.
TIMES = {"seconds", "minutes", "latency_ms", "bytes"}
# Files of which it counts that they are there and not empty: they hold times, or are drawn from what the others hold.
PRESENT = {".html", ".png", ".jpg", ".md", ".log", ".pb", ".tflite", ".index", ".data-00000-of-00001"}
# Folders and files that are for watching only, and a journal, whose order is that in which processes are done.
PASSED_OVER = {"tensorboard", "train.log", "journal.jsonl"}


def contents(folder):
    """{relative path: what the file holds} of a folder of results; hidden files and folders are passed over.

    Returns:
      Text or bytes that are equal for equal results.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not PASSED_OVER & set(parts) and not any(part.startswith(".") for part in parts):
            found["/".join(parts)] = _content(path)
    return found


def differences(expected, got):
    """What differs between two `contents`, a line each."""
    lines = [f"{name} is missing" for name in expected if name not in got]
    lines += [f"{name} is too much" for name in got if name not in expected]
    return lines + [f"{name} differs" for name in expected if name in got and got[name] != expected[name]]


def leftovers(home):
    """Hidden files and folders of half-written results, the cache's aside."""
    hidden = (path for path in home.rglob(".*") if "cache" not in path.relative_to(home).parts)
    return [str(path.relative_to(home)) for path in hidden if "part" in path.name]


def _content(path):
    try:
        return _CONTENTS.get(path.suffix, lambda path: path.read_bytes())(path)
    except Exception as error:  # half a file: its reader's own error, whichever that is
        return f"can't be read: {error!r}"


def _json(path):
    return json.dumps(_timeless(json.loads(path.read_text())), sort_keys=True)


def _timeless(value):
    match value:
        case dict():
            return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
        case list():
            return [_timeless(item) for item in value]
        case _:
            return value


def _csv(path):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.drop(columns=list(TIMES & set(table.columns))).to_csv(index=False)


def _keras(path):
    """Hash of the weights in a .keras file, whose archive holds times."""
    with zipfile.ZipFile(path) as archive:
        return _weights(io.BytesIO(archive.read("model.weights.h5")))


def _weights(file):
    digest = hashlib.sha256()

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.shape} {item.dtype}".encode() + np.asarray(item).tobytes())

    with h5py.File(file) as weights:
        weights.visititems(add)
    return digest.hexdigest()


_CONTENTS = {
    ".json": _json,
    ".csv": _csv,
    ".keras": _keras,
    ".h5": _weights,
    **{ending: lambda path: path.stat().st_size > 0 for ending in PRESENT},
}
