"""The commands that are attacked: how each is started, how it goes on as documented, and where its results are."""

import dataclasses

import numpy as np
import soundfile

from results import contents
from running import TINY

CLASSES = {"high": 3000, "low": 300, "middle": 1000}  # Hz
CLIPS = 10  # of each class: two in each of five folds
RECORDINGS = 4
SPACE = "dropout = [0.3, 0.0]\n"
_DATA = ("--dataset=folder", "--data_dir=data", "--epochs=2", "--deterministic", *TINY)
_RUN = "--run_dir=runs/trained"


@dataclasses.dataclass(frozen=True)
class Scene:
    """One command under attack.

    Attributes:
      name: of the scene.
      start: the command and its flags.
      again: what goes on from where it was stopped, once `begun` exists.
      begun: a path in home; without it, `start` is what goes on.
      results: the folder in home that its results are in; None: they are what it prints.
      world: what home holds before: "data", or "trained", a run on it and the cache too.
      writes: folders in home that it has to write to.
      children: whether it works in processes of its own.
      locks: whether a second one on the same results has to be refused.
    """

    name: str
    start: tuple[str, ...]
    again: tuple[str, ...]
    begun: str
    results: str | None
    world: str = "data"
    writes: tuple[str, ...] = ("runs", "cache")
    children: bool = False
    locks: bool = True

    def command_after(self, home):
        """What a person runs after the command was stopped."""
        return self.again if (home / self.begun).exists() else self.start

    def outcome(self, home, ended):
        """What the command has made: {name: content}."""
        return contents(home / self.results) if self.results else {"output": ended.output}


def _repeated(name, start, results, **others):
    """The Scene of a command that is simply run again."""
    return Scene(name, start, start, "data", results, **others)


_TRAIN = ("train", "--run_dir=runs/one", *_DATA)
_RESUME = ("train", "--resume", "--run_dir=runs/one")
_CROSSVAL = ("crossval", "--run_dir=runs/folds", "--test_folds=1,2", *_DATA)
_SEARCH = ("search", "--run_dir=runs/search", "--space=space.toml", "--trials=2", "--splits=1", *_DATA)
_DETECT = (
    *("detect", "--model=runs/trained", "--out=events/one", "--format=csv,raven,audacity,sed,scores", "--timeline"),
    *("--clips=events/clips", "--jobs=2", "--print=none", "night"),
)
_EXPORT = ("export", _RUN, "--out=exports/one", "--formats=float32,saved_model", "--max_accuracy_drop=100")
SCENES = (
    Scene("train", _TRAIN, _RESUME, "runs/one", "runs/one"),
    Scene("train, warm cache", _TRAIN, _RESUME, "runs/one", "runs/one", world="trained"),
    _repeated("crossval", _CROSSVAL, "runs/folds", children=True),
    _repeated("search", _SEARCH, "runs/search", children=True),
    _repeated("evaluate", ("evaluate", _RUN, "--snr_db=10"), "runs/trained", world="trained", locks=False),
    _repeated("detect", _DETECT, "events", world="trained", writes=("events",), children=True),
    _repeated("export", _EXPORT, "exports/one", world="trained", writes=("exports",), locks=False),
    _repeated(
        "predict", ("predict", _RUN, "--format=csv", "data"), None, world="trained", writes=("runs",), locks=False
    ),
)


def _night(folder, generator):
    """Recordings of half a minute in which tones of all classes come and go."""
    folder.mkdir()
    for i in range(RECORDINGS):
        sound = generator.normal(0, 0.05, 30 * 8000)
        for place, hertz in enumerate(CLASSES.values()):
            start = 8000 * (2 + 9 * place + i)
            sound[start : start + 16000] += 0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 8000)
        soundfile.write(folder / f"{i}.wav", sound, 8000)


def prepare(world):
    """Make what the scenes need: the worlds "data" and "trained"."""
    generator = np.random.default_rng(0)
    for label, hertz in CLASSES.items():
        folder = world.home / "data" / label
        folder.mkdir(parents=True)
        for i in range(CLIPS):
            time = np.arange(int(8000 * generator.uniform(0.3, 0.6))) / 8000
            tone = 0.5 * np.sin(2 * np.pi * hertz * generator.uniform(0.9, 1.1) * time)
            soundfile.write(folder / f"{i}.wav", tone + generator.normal(0, 0.05, len(time)), 8000)
    _night(world.home / "night", generator)
    (world.home / "space.toml").write_text(SPACE)
    for folder in ("runs", "exports", "events"):
        (world.home / folder).mkdir()
    world.keep("data")
    ended = world.run(("train", _RUN, "--noevaluate", *_DATA))
    if ended.code:
        raise RuntimeError(f"the run to measure can't be trained: {ended.errors}")
    world.keep("trained")
