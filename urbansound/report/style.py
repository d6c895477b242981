"""How pictures look: colours, sizes, fonts; a Figure without pyplot, saved or as pixels.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; no picture relies on colour only.
"""

import functools

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from urbansound.files import replacing
from urbansound.report import fonts
from urbansound.text import shorten, shown

BLUE, ORANGE, RED, GREEN, GREY, INK = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#767676", "#222222"
PALE = "#9CC8E3"  # blue
DOTS_PER_INCH = 120
LABEL_WIDTH = 24
_STYLE = {
    "font.family": [fonts.OWN],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "white",
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name starts no formula
}


def styled(draw):
    """Decorate a function that returns a Figure: it draws in this style, with fonts that have all its letters.

    The caller's settings stay as they are.
    """

    @functools.wraps(draw)
    def drawn(*arguments, **named):
        with matplotlib.rc_context(_STYLE):
            figure = draw(*arguments, **named)
        texts = figure.findobj(Text)
        families = fonts.families("".join(text.get_text() for text in texts))
        for text in texts:
            text.set_fontfamily(families)
        return figure

    return drawn


def new_figure(width, height):
    """An empty Figure of that many inches whose parts are laid out without overlaps."""
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def legend_below(axes, columns=2, fontsize=None):
    """A legend under the axes' own label, where it covers nothing that is drawn."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=columns, borderaxespad=0, fontsize=fontsize)


def axis_labels(class_names):
    """A text per class that is short enough for an axis; "class N" where no installed font has all its letters."""
    numbers = _undrawn(class_names)
    names = [f"class {numbers[name]}" if name in numbers else shown(name) for name in class_names]
    return [shorten(name, LABEL_WIDTH) for name in names]


def undrawn(class_names):
    """A sentence on the classes that pictures give by their number; None where there are none."""
    numbers = _undrawn(class_names)
    if not numbers:
        return None
    listed = ", ".join(f"class {number} is {name}" for name, number in numbers.items())
    return f"No installed font has all letters of these names, so the pictures number them: {listed}."


def _undrawn(class_names):
    """{name: its number from 1} of the names with a letter that no installed font has."""
    without = fonts.lacking("".join(map(str, class_names)))
    return {name: number for number, name in enumerate(class_names, start=1) if without & set(str(name))}


def save(figure, path):
    """Write a Figure to `path`, in the format of its ending, in one step."""
    with replacing(path) as part:
        figure.savefig(part)


def pixels(figure):
    """A Figure as uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
