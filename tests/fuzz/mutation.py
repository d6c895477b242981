"""Seeded mutation: the same seed and number give the same file, on every machine."""

import re

import numpy as np

NUMBERS = (0, 1, 2, 7, 8, 16, 44, 128, 255, 2**15, 2**16 - 1, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1)
HEADER = 128  # bytes, in which half of all changes fall
MOST = 2**16  # bytes that a file grows to
WORD = re.compile(rb"[\w.+-]+")


def mutated(files, tokens, seed, number):
    """The `number`-th mutated file.

    Args:
      files: what to start from, bytes each.
      tokens: words of the format, bytes each, to put in.
      seed, number: of this one.

    Returns:
      Bytes: one of the files, changed in one to six places, mostly in one or two.
    """
    generator = np.random.default_rng([seed, number])
    data = bytearray(_one_of(files, generator))
    for _ in range(min(generator.geometric(0.6), 6)):
        change = _CHANGES[generator.integers(len(_CHANGES))]
        change(data, generator, files, tokens)
    return bytes(data[:MOST])


def _one_of(items, generator):
    return items[generator.integers(len(items))]


def _place(data, generator):
    most = min(len(data), HEADER) if generator.random() < 0.5 else len(data)
    return int(generator.integers(most + 1))


def _length(generator):
    """Of a stretch, in bytes: short ones are more likely."""
    return int(2 ** generator.uniform(0, 9))


def _flip(data, generator, *_):
    if data:
        place = min(_place(data, generator), len(data) - 1)
        data[place] ^= 1 << int(generator.integers(8))


def _number(data, generator, *_):
    """A number of one, two, four or eight bytes, little- or big-endian, in the place of what was there."""
    size = int(_one_of((1, 2, 4, 8), generator))
    number = (_one_of(NUMBERS, generator) + int(generator.integers(-1, 2))) % 256**size
    place = _place(data, generator)
    data[place : place + size] = number.to_bytes(size, _one_of(("little", "big"), generator))


def _digits(data, generator, *_):
    """A number in digits."""
    number = _one_of((*NUMBERS, -1, 10**9, 10**30), generator)
    place = _place(data, generator)
    data[place : place + int(generator.integers(3))] = str(number).encode()


def _token(data, generator, _, tokens):
    place = _place(data, generator)
    data[place : place + int(generator.integers(3)) * 2] = _one_of(tokens, generator)


def _cut(data, generator, *_):
    del data[_place(data, generator) :]


def _remove(data, generator, *_):
    place = _place(data, generator)
    del data[place : place + _length(generator)]


def _repeat(data, generator, *_):
    start, place = _place(data, generator), _place(data, generator)
    stretch = bytes(data[start : start + _length(generator)])
    data[place:place] = stretch * int(_one_of((1, 1, 2, 50), generator))


def _noise(data, generator, *_):
    place, length = _place(data, generator), _length(generator)
    data[place : place + length] = generator.bytes(length)


def _splice(data, generator, files, _):
    """The end of another file."""
    other = _one_of(files, generator)
    data[_place(data, generator) :] = other[int(generator.integers(len(other) + 1)) :]


def _word(data, generator, files, tokens):
    """Another word of the file, or one of the format, in the place of a word."""
    if words := list(WORD.finditer(data)):
        new = _one_of(words, generator).group() if generator.random() < 0.5 else _one_of(tokens, generator)
        data[slice(*_one_of(words, generator).span())] = new


def _line(data, generator, *_):
    """A line twice, or not at all."""
    lines = data.splitlines(keepends=True)
    if lines:
        place = int(generator.integers(len(lines)))
        lines[place : place + 1] = [lines[place]] * int(_one_of((0, 2), generator))
        data[:] = b"".join(lines)


_CHANGES = (
    *(_flip, _flip, _number, _number, _digits, _token, _cut, _remove, _repeat, _noise, _splice),
    *(_word, _word, _word, _line),
)
