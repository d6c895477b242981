"""Text from elsewhere (labels, file names, a server's words) made safe to show on terminals, pages and in Markdown."""

import html
import re
import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, format marks, lone surrogates, line and paragraph ends
JOINERS = "\u200c\u200d"  # format marks that Persian, Indic scripts and emoji are spelled with
WIDE = ("W", "F")
# What CommonMark and GitHub read as markup within a line; an underscore between letters is none.
MARKUP = re.compile(r"[\\`*\[\]|~$:]|(?<![^\W_])_|_(?![^\W_])")


def shown(text):
    r"""A text, path or number in one line in which every character is visible.

    Control characters, line ends and marks that turn the direction of writing become escapes: \x1b, \n, \u202e. A byte
    of a file name that is not UTF-8, which Python holds as a lone surrogate, becomes \xff.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(_escaped(char) if _is_hidden(char) else char for char in text)


def one_line(text, width=300):
    """The words of `text` in one line as `shown` has them, cut off after `width` characters."""
    return shorten(shown(" ".join(str(text).split())), width)


def markdown(text):
    """`text` as Markdown that is read as this text, in a line or in a cell of a table: no markup, HTML or formula."""
    return html.escape(MARKUP.sub(r"\\\g<0>", shown(text)), quote=False)


def columns(text):
    """How many columns of a terminal `text` takes: Chinese, Japanese and Korean letters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def padded(text, width):
    """`text` with spaces after it up to `width` columns."""
    return text + " " * (width - columns(text))


def shorten(text, width):
    """`text`, its end replaced by an ellipsis where it takes more than `width` columns."""
    if columns(text) <= width:
        return text
    kept = 0
    for place, char in enumerate(text):
        kept += _columns(char)
        if kept > width - 1:
            return text[:place] + "…"
    return text


def _is_hidden(char):
    return unicodedata.category(char) in HIDDEN and char not in JOINERS


def _escaped(char):
    byte = ord(char) - 0xDC00  # how Python's surrogateescape holds a byte of 0x80 and more
    if 0x80 <= byte <= 0xFF:
        return f"\\x{byte:02x}"
    return char.encode("unicode_escape").decode("ascii")


def _columns(char):
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in WIDE else 1
