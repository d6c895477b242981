"""The readers under test: each takes any bytes and says yes, or why not in a line; all else is a fault."""

import contextlib
import dataclasses
import io
import os
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

import seeds
from running import flags_of_a_new_process
from urbansound.errors import InputError

RATE = 16000
TEXT = (b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", *b'" , nan None -1 1e999 ../'.split())
JSON = tuple(rb'{ } [ ] : null true NaN Infinity -1e400 {} [[]] "\ud800"'.split())
CHUNKS = (b"fmt ", b"\xfe\xff", b"\x03\x00", b"\x11\x00", b"\x55\x00", *b"RIFF WAVE data LIST fact".split())


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
      open: function of an empty folder that returns the reader: a function of bytes that returns True where it takes
        them, False where it refuses them, and raises where there is a fault.
      kind: of the seeds, see `seeds.KINDS`.
      tokens: words of the format.
      files: mutated ones in a whole campaign.
    """

    open: Callable
    kind: str
    tokens: tuple[bytes, ...]
    files: int = 20_000


class FaultError(Exception):
    """A reader did what it must not do."""


@contextlib.contextmanager
def opened(name):
    """Yield the reader of a target in a folder of its own, in memory where there is such a file system."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, flags_of_a_new_process():
        yield TARGETS[name].open(Path(folder))


def attempt(read, data):
    """What a reader makes of bytes: True (taken), False (refused), or a fault in words."""
    try:
        return read(data)
    except Exception as error:
        # The last line of the product: alike for faults of a kind, whatever the file said.
        frames = traceback.extract_tb(error.__traceback__)
        place = [frame for frame in frames if {"urbansound", "export"} & set(Path(frame.filename).parts)] or frames
        text = str(error) if isinstance(error, FaultError) else type(error).__name__
        return f"{text} in {Path(place[-1].filename).name}, line {place[-1].lineno}"


def _check(condition, fault):
    if not condition:
        raise FaultError(fault)


def _refusing(read):
    """A reader of bytes, from a function of them that raises InputError where it refuses them."""

    def reader(data):
        try:
            read(data)
        except InputError as error:
            _check(0 < len(str(error)) < 2000, f"no line for people: {str(error)[:200]!r}")
            return False
        return True

    return reader


def _graph(folder):
    """The graph's WAV decoder; a waveform that libsndfile finds too has to be equal."""
    import tensorflow as tf

    from urbansound.audio.wav import read_wav
    from wav_files import by_libsndfile

    read_in_graph = tf.function(read_wav, input_signature=[tf.TensorSpec([], tf.string)])

    def read(data):
        waveform, rate, fault = (tensor.numpy() for tensor in read_in_graph(data)[:3])
        _check((len(waveform) == 0) == (fault != b""), f"{len(waveform)} samples, fault {fault}")
        _check(np.isfinite(waveform).all(), "samples that are no numbers")
        _check(len(waveform) <= len(data), "more samples than bytes")
        # Of several data chunks, libsndfile takes the last, the graph the first.
        expected = by_libsndfile(data) if len(waveform) and data.count(b"data") == 1 else None
        if expected and (len(expected[0]), expected[1]) == (len(waveform), rate):
            # In a graph, numbers too small for float32's full precision are 0.
            same = np.abs(expected[0] - waveform) <= np.finfo(np.float32).tiny
            _check(same.all(), "other samples than libsndfile finds")
        return len(waveform) > 0

    return read


def _decoder(folder):
    """The decoder of any sound: by the graph or by libsndfile, then soxr."""
    from urbansound.audio.decode import decode_bytes

    def read(data):
        waveform = decode_bytes(data, RATE)
        _check(waveform.dtype == np.float32 and waveform.ndim == 1 and len(waveform) > 0, "no waveform")
        _check(np.isfinite(waveform).all(), "samples that are no numbers")

    return _refusing(read)


def _stream(folder):
    """The decoder block by block: a file that it takes as whole has the same samples as from the decoder."""
    from urbansound.audio.decode import decode_bytes
    from urbansound.audio.recorder import origin
    from urbansound.audio.stream import open_stream

    path = folder / "sound"

    def read(data):
        path.write_bytes(data)
        origin(path)
        with open_stream(path, RATE) as stream:
            waveform = np.concatenate(list(stream.blocks()))
        _check(np.isfinite(waveform).all(), "samples that are no numbers")
        if stream.fault:
            raise InputError(stream.fault)
        _check(np.array_equal(waveform, decode_bytes(data, RATE)), "other samples than of the whole file")

    return _refusing(read)


def _table(folder):
    """The tables of clips, each by the reader of its data set; then the split of its clips."""
    from urbansound.config import DataConfig
    from urbansound.data import splits
    from urbansound.data.datasets import csv, esc50, urbansound8k

    readers = {
        b"slice": (urbansound8k.read, folder / "metadata" / "UrbanSound8K.csv"),
        b"filen": (esc50.read, folder / "meta" / "esc50.csv"),
    }
    own = (lambda data_dir: csv.read(folder / "clips.csv", data_dir), folder / "clips.csv")
    for place in ("audio/fold1", "audio/fold2", "audio/fold3", "audio", "metadata", "meta", "."):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for clip in seeds.CLIPS.path:
            (folder / place / clip).write_bytes(f"{place} {clip}".encode())

    def read(data):
        reader, path = readers.get(data[:5], own)
        path.write_bytes(data)
        try:
            catalog = reader(folder)
            clips = splits.split(catalog, DataConfig(), seed=1)
        finally:
            path.unlink()
        _check(set(clips.label) <= set(catalog.class_names), "a label that is no class")
        _check(not clips.path.duplicated().any(), "a clip twice")
        tested = set(clips.recording[clips.split == splits.TEST])
        _check(not tested & set(clips.recording[clips.split == splits.TRAIN]), "a recording trained and tested on")

    return _refusing(read)


def _config(folder):
    """config.json of a search; a run's has the checksum of its class names, too."""
    from urbansound.config import Config
    from urbansound.files import read_json, write_json

    path = folder / "config.json"

    def read(data):
        path.write_bytes(data)
        config = Config.from_dict(read_json(path))
        write_json(path, dataclasses.asdict(config))
        _check(Config.from_dict(read_json(path)) == config, "reads back otherwise")

    return _refusing(read)


def _flags(folder):
    """Files of flags as a command reads them, and the settings that they make."""
    from absl import flags as absl_flags
    from absl.testing import flagsaver

    from urbansound import command, flags

    path = folder / "some.flags"
    flags.define()

    def read(data):
        path.write_bytes(data)
        with flagsaver.flagsaver(), contextlib.redirect_stderr(io.StringIO()) as errors:
            try:
                command._parse(["train", f"--flagfile={path}"])
            except SystemExit as end:
                _check(end.code in (0, 2), f"exit code {end.code}")
                raise InputError(errors.getvalue() or "help") from None
            flags.config_from(absl_flags.FLAGS)

    return _refusing(read)


def _space(folder):
    """The TOML file of a search's space."""
    from urbansound.config import Config
    from urbansound.experiments import space

    path = folder / "space.toml"

    def read(data):
        path.write_bytes(data)
        space.load(path, Config())

    return _refusing(read)


def _run(folder):
    """A run directory in which one file is another; all that a Run tells is asked."""
    from urbansound.experiments import folds
    from urbansound.run import Run
    from urbansound.training.callbacks import Checkpoints

    files = _named(seeds.load("run", found=False))
    asked = [name for name, value in vars(Run).items() if isinstance(value, property)]
    (folder / "checkpoints").mkdir()
    for name in files.keys() - {b"members.csv"}:  # of an ensemble only
        (folder / name.decode()).write_bytes(files[name])

    def read(data):
        name, _, content = data.partition(b"\n")
        if name not in files:
            raise InputError("no file of a run")
        path = folder / name.decode()
        path.write_bytes(content)
        try:
            run = Run.open(folder)
            for question in asked:
                getattr(run, question)
            _check(0 <= Checkpoints(run, run.config.train, None, ["cnn"]).place <= 1, "a stage that does not exist")
            if name in (b"predictions.csv", b"metrics.json"):
                folds._outcome(run)
        finally:
            path.write_bytes(files[name])
            (folder / "members.csv").unlink(missing_ok=True)

    return _refusing(read)


def _model(folder):
    """model.keras of a run, one of the files in its archive mutated, the archive whole."""
    from urbansound.run import Run

    for name, content in _named(seeds.load("run", found=False)).items():
        if name != b"members.csv":  # of an ensemble only
            (folder / name.decode()).parent.mkdir(exist_ok=True)
            (folder / name.decode()).write_bytes(content)
    files = _named(seeds.load("model", found=False))

    def read(data):
        name, _, content = data.partition(b"\n")
        if name not in files:
            raise InputError("no file of a model")
        with zipfile.ZipFile(folder / "model.keras", "w") as archive:
            for other, unchanged in files.items():
                archive.writestr(other.decode(), content if other == name else unchanged)
        Run.open(folder).load_model()

    return _refusing(read)


def _named(files):
    """{name: content} of seeds that begin with a line of their name."""
    return dict(data.split(b"\n", 1) for data in files)


TARGETS = {
    "graph": Target(_graph, "wav", CHUNKS, files=100_000),
    "decoder": Target(_decoder, "sound", (*CHUNKS, *b"FORM COMM SSND OggS fLaC ID3 Xing caff desc".split())),
    "stream": Target(_stream, "sound", CHUNKS),
    "table": Target(_table, "table", (*TEXT, *b"path label fold recording 0.wav 5.wav 1 0".split())),
    "config": Target(_config, "config", (*TEXT, *JSON)),
    "flags": Target(_flags, "flags", (*TEXT, *b"-- = --no # --flagfile= --undefok= none ' \\".split())),
    "space": Target(_space, "space", (*TEXT, *JSON, *b"= low high log inf ''' 1979-05-27".split())),
    "run": Target(_run, "run", (*TEXT, *JSON)),
    "model": Target(_model, "model", (*TEXT, *JSON, *b"class_name module config Lambda os.system".split()), files=2000),
}
