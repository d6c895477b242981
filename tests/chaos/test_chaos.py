"""A short form of tests/chaos/run.py: what is killed or damaged ends as if nothing had been."""

import os
import sys
import time
from unittest import mock

import numpy as np
import pytest

import attacks
import rounds
import scenes
from running import command
from world import Ended, World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
SCENES = {scene.name: scene for scene in scenes.SCENES}


def in_process(home, arguments):
    """How a command Ended that ran in this process, its renames counted."""
    renamed, start = [], time.monotonic()

    def watched(rename):
        return lambda source, target, **folders: (
            renamed.append(os.path.abspath(target)),
            rename(source, target, **folders),
        )

    with mock.patch.multiple(os, replace=watched(os.replace), rename=watched(os.rename)):
        done = command(*arguments, cwd=home)
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - start, tuple(renamed))


@pytest.fixture(scope="module")
def chaos(tmp_path_factory):
    return rounds.Chaos(World(tmp_path_factory.mktemp("chaos"), in_process))


# Places, of all renames of a training, of the one that ends the making of a run and of one at the end.
PLACES = {
    "the_run_directory_is_complete": lambda names: next(i for i, name in enumerate(names) if "checkpoints" in name) - 1,
    "predictions_are_written": lambda names: next(
        i for i, name in enumerate(names) if name.endswith("predictions.csv")
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_training_killed_just_before(place, chaos):
    scene = SCENES["train"]
    number = PLACES[place](chaos.unbroken(scene)[0].renames) + 1
    one = chaos.play(scene, attacks.killed_at_a_rename, np.random.default_rng(0), number=number, moment="before")
    assert one.code == -9
    assert one.result == rounds.AS_UNBROKEN


def test_damaged_entries_of_the_cache_are_made_anew(chaos):
    one = chaos.play(SCENES["train, warm cache"], attacks.cache_damaged, np.random.default_rng(0))
    assert one.code == 0
    assert one.result == rounds.AS_UNBROKEN


def test_children_end_with_a_parent_that_is_killed(chaos):
    scene = SCENES["crossval"]
    chaos.world.restore(scene.world)
    soon = Ended(0, "", "", seconds=3)
    _, ended, faults = attacks.parent_killed(chaos.world, scene, soon, np.random.default_rng(0), name="SIGKILL")
    assert ended.code == -9
    assert faults == []
