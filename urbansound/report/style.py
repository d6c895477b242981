"""How pictures look: colours, sizes, fonts; a Figure without pyplot, saved or as pixels.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; no picture relies on colour only.
"""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from urbansound.files import replacing
from urbansound.report.tables import shorten

BLUE, ORANGE, RED, GREY, INK = "#0072B2", "#E69F00", "#D55E00", "#767676", "#222222"
DOTS_PER_INCH = 120
LABEL_WIDTH = 24
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
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
}
styled = matplotlib.rc_context(_STYLE)  # decorates what draws; the caller's settings stay as they are


def new_figure(width, height):
    """An empty Figure of that many inches whose parts are laid out without overlaps."""
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def axis_labels(names):
    """Names short enough for an axis, dollar signs kept from starting a formula."""
    return [shorten(str(name), LABEL_WIDTH).replace("$", r"\$") for name in names]


def save(figure, path):
    """Write a Figure to `path`, in the format of its ending, in one step."""
    with replacing(path) as part:
        figure.savefig(part)


def pixels(figure):
    """A Figure as uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
