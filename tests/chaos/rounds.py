"""A round: a command is attacked, goes on as documented, and its results are compared with an undisturbed one's."""

import dataclasses
import itertools
import os
import time

import numpy as np

import attacks
import scenes
from results import differences, leftovers

AS_UNBROKEN, NOT_POSSIBLE = "as unbroken", "not possible here"


@dataclasses.dataclass(frozen=True)
class Round:
    """What came of a round; without faults, the results are those of an unbroken run."""

    scene: str
    attack: str
    detail: str
    code: int | None  # of the attacked command; 0: it was done before the attack
    faults: tuple[str, ...]
    seconds: float

    @property
    def result(self):
        """In words."""
        return NOT_POSSIBLE if self.code is None else "; ".join(self.faults) or AS_UNBROKEN


class Chaos:
    """Rounds in one world.

    Args:
      world: a World, its home empty.
    """

    def __init__(self, world):
        self.world = world
        self._unbroken = {}
        scenes.prepare(world)

    def unbroken(self, scene):
        """(Ended, outcome) of a scene's command that nobody disturbs, run once."""
        if scene.name not in self._unbroken:
            self.world.restore(scene.world)
            ended = self.world.run(scene.start)
            if ended.code:
                raise RuntimeError(f"{scene.name}, undisturbed: exit code {ended.code}: {ended.errors}")
            self.world.keep(f"after {scene.name}")
            self._unbroken[scene.name] = ended, scene.outcome(self.world.home, ended)
        return self._unbroken[scene.name]

    def play(self, scene, attack, generator, **options):
        """The Round of one attack on one scene."""
        world, start = self.world, time.monotonic()
        whole, expected = self.unbroken(scene)
        world.restore(scene.world)
        detail, ended, faults = attack(world, scene, whole, generator, **options)
        code = None if ended is None else ended.code
        if ended is not None:
            faults += ended.faults
            if alive := world.survivors():
                faults.append(f"{len(alive)} processes outlive the command")
            if ended.code:
                ended = world.run(scene.command_after(world.home))
                faults += [f"again: {fault}" for fault in ended.faults if ended.code == 0]
            if ended.code:
                faults.append(f"it does not go on: {' '.join(ended.errors.split())[-200:]}")
            else:
                faults += differences(expected, scene.outcome(world.home, ended))
                faults += [f"left over: {path}" for path in leftovers(world.home)]
        return Round(scene.name, attack.__name__, detail, code, tuple(faults), time.monotonic() - start)


def schedule(rounds, seed, commands=None, chosen=None):
    """(scene, attack, generator) of each round: every attack on every scene that it fits, in random order, and again.

    Args:
      rounds: how many.
      seed: of the order and of what the attacks choose.
      commands: names of scenes; None: all.
      chosen: names of attacks; None: all.
    """
    by_name = {scene.name: scene for scene in scenes.SCENES}
    pairs = [
        (by_name[name], attack)
        for attack, names in attacks.ATTACKS.items()
        for name in names
        if (commands is None or name in commands) and (chosen is None or attack.__name__ in chosen)
    ]
    order = np.random.default_rng(seed)
    endless = itertools.chain.from_iterable(
        [pairs[i] for i in order.permutation(len(pairs))] for _ in itertools.count()
    )
    for number, (scene, attack) in enumerate(itertools.islice(endless, rounds)):
        yield scene, attack, np.random.default_rng([seed, number])


def renames(chaos, scene):
    """Numbers of a scene's renames that are worth a round: of the cache's, which are alike, the first."""
    whole, _ = chaos.unbroken(scene)
    seen = set()
    for number, target in enumerate(whole.renames, start=1):
        place = os.path.relpath(target, chaos.world.home)
        kind = "cache" if place.startswith("cache") else number
        if kind not in seen:
            seen.add(kind)
            yield number
