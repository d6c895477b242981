"""Chaos: commands are killed, starved and confused, go on as documented, and have to end as if nothing had been.

python tests/chaos/run.py [--rounds=50] [--seed=1] [--commands=train,…] [--attacks=killed,…] [--every_rename]

Prints a table, a line per round, and as its last line one JSON object; exit code 1 where a round shows a fault.
A round is one attack (see attacks.py) on one command (see scenes.py) on sounds of seconds. --every_rename adds a
round for each rename that a command makes, at which it is killed. A round can be played again by its seed,
--commands and --attacks, up to the moments that the machine's speed decides. Linux; a full disk takes the right to
mount.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[1] / folder) for folder in ("support", ".."))

import numpy as np

import attacks
import rounds
import scenes
from world import World


def main():
    """Play, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", type=_names, help="only these, with commas between")
    parser.add_argument("--attacks", type=_names, help="only these, with commas between")
    parser.add_argument("--every_rename", action="store_true")
    arguments = parser.parse_args()
    played, start = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = rounds.Chaos(World(folder))
        print("| round | command | attack | what was done | ended with | s | result |\n|---|---|---|---|---|---|---|")
        for scene, attack, options in _rounds(chaos, arguments):
            played.append(chaos.play(scene, attack, **options))
            print(_row(len(played), played[-1]), flush=True)
    faulty = [number for number, one in enumerate(played, start=1) if one.faults]
    figures = {
        "rounds": len(played),
        "as_unbroken": sum(one.result == rounds.AS_UNBROKEN for one in played),
        "done_before_the_attack": sum(one.code == 0 for one in played),
        "not_possible": sum(one.code is None for one in played),
        "faulty": faulty,
        "seconds": round(time.monotonic() - start),
    }
    print(json.dumps(figures))
    return 1 if faulty else 0


def _names(text):
    return text.split(",")


def _rounds(chaos, arguments):
    scheduled = rounds.schedule(arguments.rounds, arguments.seed, arguments.commands, arguments.attacks)
    for scene, attack, generator in scheduled:
        yield scene, attack, {"generator": generator}
    if not arguments.every_rename:
        return
    for scene in scenes.SCENES:
        if scene.name in (arguments.commands or attacks.ATTACKS[attacks.killed_at_a_rename]):
            for number in rounds.renames(chaos, scene):
                generator = np.random.default_rng([arguments.seed, number])
                yield scene, attacks.killed_at_a_rename, {"generator": generator, "number": number}


def _row(number, one):
    code = "-" if one.code is None else one.code
    cells = (number, one.scene, one.attack, one.detail, code, f"{one.seconds:.0f}", one.result)
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main())
