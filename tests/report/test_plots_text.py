"""Names in pictures: whole, in fonts that have their letters, and never read as formulas."""

import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text

from urbansound.report import comparisons, fonts, metrics, plots, style, trust_plots

DOG, RAIN = "犬の鳴き声", "雨"
DOLLARS = ["$x^$ y$", r"$\frac{$", r"\$5 and $6$", "a$"]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Function of letters that makes a font of them the only one installed; of "" none is."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist])
    paths = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)

    def install(letters):
        paths[:] = [str(font_of(letters, tmp_path / "letters.ttf"))] if letters else []
        fonts._covering.cache_clear()

    yield install
    fonts._covering.cache_clear()


def font_of(letters, path):
    """A font with a bar for each letter."""
    pen = TTGlyphPen(None)
    for place in ((50, 0), (50, 700), (450, 700), (450, 0)):
        (pen.lineTo if pen.points else pen.moveTo)(place)
    pen.closePath()
    names = [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):x}" for letter in letters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (500, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Letters", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def figures(names):
    """Every picture that has class names in it."""
    labels = np.arange(60) % len(names)
    values = metrics.evaluate(
        labels, np.float32(np.eye(len(names))[labels] * 0.9), labels.astype(str), names, resamples=5
    )
    table = pd.DataFrame({"label": names[:3], "predicted": names[-1], "score": 1.0, "correct": False})
    log_mels = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)
    yield plots.confusion_matrix(values["confusion"], names)
    yield plots.class_bars(values["per_class"])
    yield trust_plots.calibration(values["calibration"])
    for clips in range(1, len(table) + 1):
        yield plots.log_mel_grid(log_mels[:clips], table[:clips], names, 0.1, [100.0, 200.0, 400.0, 800.0])


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def outside(figure):
    """Texts of which a part lies beyond the picture, but for ticks beyond their axis, which are not drawn."""
    style.pixels(figure)
    ticks = {tick for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_ticklabels()}
    boxes = {text: text.get_window_extent() for text in texts(figure) if text not in ticks}
    room = figure.bbox.padded(1)
    return [text.get_text() for text, box in boxes.items() if not (room.contains(*box.p0) and room.contains(*box.p1))]


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b"],
        ["dog", "siren", "rain"],
        [f"class_{i}" for i in range(10)],
        ["AIR_CONDITIONER_RUNNING", "x" * 60, "y"],
    ],
)
def test_no_text_is_cut_off_with_few_classes_or_long_names(names):
    assert not any(outside(figure) for figure in figures(names))


def test_dollar_signs_start_no_formula():
    for figure in figures(DOLLARS):
        style.pixels(figure)
    labels = [label.get_text() for label in next(figures(DOLLARS)).axes[0].get_yticklabels()]
    assert labels == DOLLARS
    rates = np.geomspace(1e-4, 1, 8)
    found = pd.DataFrame(
        {
            "trial": range(8),
            "state": "done",
            "accuracy": 0.1,
            "deviation": None,
            "rate": rates,
            "place": ["$a^$", "b"] * 4,
        }
    )
    figure = comparisons.trials(found, ["rate", "place"])
    style.pixels(figure)
    assert "0.001" in [label.get_text() for label in figure.axes[1].get_xticklabels()]


def test_control_characters_are_drawn_as_escapes():
    names = ["a\x1b[2J", "b\u202ec\nd", "e"]
    labels = [label.get_text() for label in next(figures(names)).axes[0].get_yticklabels()]
    assert labels == [r"a\x1b[2J", r"b\u202ec\nd", "e"]


def test_letters_that_the_font_lacks_are_drawn_in_one_that_has_them(installed):
    installed(DOG + RAIN)
    assert style.undrawn([DOG, RAIN, "dog"]) is None
    for figure in figures([DOG, RAIN, "dog"]):
        style.pixels(figure)  # a missing letter is a warning, which is an error here
        assert {tuple(text.get_fontfamily()) for text in texts(figure)} <= {
            ("DejaVu Sans", "Letters"),
            ("DejaVu Sans",),
        }
    labels = [label.get_text() for label in next(figures([DOG, RAIN, "dog"])).axes[0].get_yticklabels()]
    assert labels == [DOG, RAIN, "dog"]


def test_classes_of_letters_that_no_font_has_are_numbered(installed):
    installed(RAIN)
    names = ["dog", DOG, RAIN]
    for figure in figures(names):
        style.pixels(figure)
        assert not any(set(DOG) & set(text.get_text()) for text in texts(figure))
    labels = [label.get_text() for label in next(figures(names)).axes[0].get_yticklabels()]
    assert labels == ["dog", "class 2", RAIN]
    assert style.undrawn(names) == (
        f"No installed font has all letters of these names, so the pictures number them: class 2 is {DOG}."
    )


def test_a_damaged_font_is_passed_over(installed, tmp_path):
    installed("")
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    font_manager.findSystemFonts().append(str(tmp_path / "bad.ttf"))
    assert fonts.lacking(f"dog {RAIN}") == {RAIN}
