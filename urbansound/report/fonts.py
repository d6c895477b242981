"""Which installed fonts have the letters of class names that the pictures' own font lacks."""

import functools

from matplotlib import font_manager

OWN = "DejaVu Sans"  # comes with matplotlib
STAND_INS = ("last resort", "lastresort", "adobe blank")  # of every letter they have a box


def lacking(text):
    """The letters of `text` that no installed font has."""
    wanted = _foreign(text)
    return wanted - frozenset().union(*(letters for _, letters in _covering(wanted)))


def families(text):
    """Names of fonts that together have the letters of `text`, as far as there are any: OWN, then what it lacks."""
    return [OWN, *(family for family, _ in _covering(_foreign(text)))]


def _foreign(text):
    return frozenset(char for char in text if char.isprintable() and ord(char) not in _letters(_own()))


@functools.cache
def _covering(wanted):
    """((family, the letters it adds), …) in the order of the files' names, sans first, until none is wanted any more.

    matplotlib's list of fonts is made once for all processes, so it does not know one that was installed later.
    """
    found = []
    paths = font_manager.findSystemFonts() if wanted else []
    for path in sorted(paths, key=lambda path: ("sans" not in path.lower(), path)):
        letters = frozenset(char for char in wanted if ord(char) in _letters(path))
        if letters:
            found.append((_family(path), letters))
            wanted -= letters
        if not wanted:
            break
    return tuple(found)


@functools.cache
def _letters(path):
    """Code points of a font's letters; none where it can't be used."""
    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):  # damaged, or made of bitmaps
        return frozenset()
    stands_in = any(name in font.family_name.lower() for name in STAND_INS)
    return frozenset() if stands_in else frozenset(font.get_charmap())


def _family(path):
    name = font_manager.get_font(path).family_name
    if all(entry.fname != path for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(path)
    return name


@functools.cache
def _own():
    return font_manager.findfont(OWN)
