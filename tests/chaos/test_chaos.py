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
        def counted(source, target, **folders):
            renamed.append(os.path.abspath(target))
            rename(source, target, **folders)

        return counted

    with mock.patch.multiple(os, replace=watched(os.replace), rename=watched(os.rename)):
        done = command(*arguments, cwd=home)
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - start, tuple(renamed))


@pytest.fixture(scope="module")
def chaos(tmp_path_factory):
    return rounds.Chaos(World(tmp_path_factory.mktemp("chaos"), in_process))


@pytest.mark.parametrize("name", ["the run directory is complete", "predictions.csv"])
def test_a_training_killed_before_a_rename_goes_on(name, chaos):
    scene = SCENES["train"]
    names = [os.path.basename(target) for target in chaos.unbroken(scene)[0].renames]
    # The run directory is complete by the last rename before the first epoch is kept, as weights and then as a row.
    number = 1 + names.index(name) if name in names else names.index("history.csv") - 1
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
