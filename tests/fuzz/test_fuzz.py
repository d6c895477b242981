"""Broken files of every kind are taken or refused in a line: a share of what tests/fuzz/run.py tries."""

import pytest

import seeds
import targets
from mutation import mutated

# Files a second differ by target; together they take less than a minute. Models are for the campaign only: HDF5 may
# end a process, which is a fault there, and would be the end of pytest.
FILES = {"graph": 6000, "decoder": 2000, "stream": 500, "table": 800, "config": 2000, "flags": 500}
FILES |= {"space": 1000, "run": 1000}


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_are_taken(name):
    with targets.opened(name) as read:
        for path in sorted((seeds.CORPUS / targets.TARGETS[name].kind).iterdir()):
            answer = targets.attempt(read, path.read_bytes())
            # What a campaign has found is no fault any more.
            assert answer is True or (path.name.startswith("found-") and answer is False), f"{path.name}: {answer}"


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_are_taken_or_refused(name):
    target = targets.TARGETS[name]
    files, answers = seeds.load(target.kind), []
    with targets.opened(name) as read:
        for number in range(FILES[name]):
            answers.append(targets.attempt(read, mutated(files, target.tokens, 0, number)))
    faults = {answer: number for number, answer in reversed(list(enumerate(answers))) if isinstance(answer, str)}
    assert not faults, f"first number of each: {faults}"
    # Neither so broken that nothing deeper is read, nor so little that nothing is refused.
    assert 0.03 < answers.count(True) / len(answers) < 0.9


def test_a_mutation_follows_from_seed_and_number():
    files = seeds.load("wav")
    assert mutated(files, targets.CHUNKS, 1, 2) == mutated(files, targets.CHUNKS, 1, 2)
    assert len({mutated(files, targets.CHUNKS, 1, number) for number in range(100)}) > 90


def test_the_corpus_is_small_and_what_seeds_writes():
    names = {kind: {path.name for path in (seeds.CORPUS / kind).iterdir()} for kind in seeds.KINDS}
    for kind, make in seeds.KINDS.items():
        assert {name for name in names[kind] if not name.startswith("found-")} == set(make())
    assert sum(path.stat().st_size for path in seeds.CORPUS.rglob("*") if path.is_file()) < 200_000
