"""The timeline shows every class and event, with labels that can be read, in memory that does not grow."""

import io
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from urbansound.report import fonts, style
from urbansound.report import timeline as timelines
from urbansound.report.timeline import Columns, Hours, number_of_pictures, timeline

THREE = ["dog bark", "siren", "drilling"]
FIFTY = [f"class number {i}" for i in range(50)]


def events_of(*rows):
    return pd.DataFrame(rows, columns=["start", "end", "label"])


def picture(names=THREE, events=None, span=(0.0, 60.0), title="a.wav"):
    rng = np.random.default_rng(0)
    log_mel = rng.normal(size=(300, 40)).astype(np.float32)
    scores = rng.uniform(size=(120, len(names))).astype(np.float32)
    events = events_of((5.0, 9.0, names[0]), (20.0, 20.1, names[-1])) if events is None else events
    return timeline(log_mel, np.geomspace(50, 9000, 40), scores, events, names, span, title)


def frames(figure):
    return [patch for patch in figure.axes[1].patches if isinstance(patch, Rectangle)]


def overlaps(figure, texts):
    boxes = [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]
    return [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]


@pytest.mark.parametrize("names", [["x"], THREE, ["x" * 60, "AIR_CONDITIONER_RUNNING", "$a^$"], FIFTY])
@pytest.mark.parametrize("span", [(0.0, 0.8), (0.0, 60.0), (3600.0, 7200.0), (82800.0, 86400.0)])
def test_labels_can_be_read(names, span):
    figure = picture(names, span=span, title="/recordings/" + "long_name/" * 30 + "a.wav")
    style.pixels(figure)
    below = figure.axes[1]
    low, high = below.get_xlim()
    ticks = [
        label for place, label in zip(below.get_xticks(), below.get_xticklabels(), strict=True) if low <= place <= high
    ]
    assert 4 <= len(ticks) <= 14
    assert overlaps(figure, ticks) == []
    assert overlaps(figure, below.get_yticklabels()) == []
    room = figure.bbox.padded(1)
    shown = [
        text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label, axes._left_title)
    ]
    for text in [*shown, *below.get_yticklabels(), *ticks]:
        box = text.get_window_extent()
        assert not text.get_text() or (room.contains(*box.p0) and room.contains(*box.p1)), text.get_text()


def test_events_are_frames_in_the_rows_of_their_classes():
    rows = events_of((5.0, 9.0, "dog bark"), (55.0, 70.0, "drilling"), (80.0, 90.0, "siren"))
    figure = picture(events=rows)
    assert [(f.get_x(), f.get_width(), f.get_y() + 0.5) for f in frames(figure)] == [(5, 4, 0), (55, 5, 2)]
    assert figure.axes[0].get_title(loc="left") == "a.wav: 2 events"
    assert picture(events=rows[:1]).axes[0].get_title(loc="left") == "a.wav: 1 event"
    assert picture(events=rows[:0]).axes[0].get_title(loc="left") == "a.wav: no events"


def test_cells_of_none_of_the_classes_are_grey_and_the_legend_says_so():
    legends = []
    for last in (0.0, timelines.NONE_OF_THESE):
        scores = np.array([[0.2, 0.8, 0.1], [last] * 3])
        figure = timeline(np.eye(9, 4), [1, 2, 4, 8], scores, events_of(), THREE, (0, 2), "a", smooth_seconds=1.5)
        image, red = figure.axes[1].images[0], style.pixels(figure)[..., 0]
        assert (to_hex(image.to_rgba([last])[0]) == timelines.LIGHT_GREY) == (last < 0)
        assert (red == int(timelines.LIGHT_GREY[1:3], 16)).sum() > 10000 or last == 0
        legends.append(figure.axes[1].get_title("left"))
    assert legends[0] == "Scores (white 0, dark blue 1); frames: events, found in means of the scores over 1.5 s"
    assert "grey: none of the classes, which counts as 0" in legends[1]


def test_an_event_of_a_tenth_of_a_second_is_seen_in_an_hour():
    plain, marked = (
        style.pixels(picture(events=rows, span=(0, 3600))).astype(int)
        for rows in (events_of(), events_of((1000.0, 1000.1, "siren")))
    )
    red = (np.abs(marked - plain).sum(axis=-1) > 0) & (marked[..., 0] > marked[..., 2] + 60)
    assert red.any(axis=0).sum() >= 2


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [((0, 60), "0", "60"), ((0, 600), "0:00", "10:00"), ((3600, 7200), "1:00:00", "2:00:00"), ((0, 0.5), "0", "0.5")],
)
def test_ticks_say_when(span, first, last):
    figure = picture(span=span)
    style.pixels(figure)
    labels = {
        round(p, 6): t.get_text()
        for p, t in zip(figure.axes[1].get_xticks(), figure.axes[1].get_xticklabels(), strict=True)
    }
    assert (labels[span[0]], labels[span[1]]) == (first, last)


def test_letters_that_no_font_has_and_control_characters(monkeypatch):
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    fonts._covering.cache_clear()
    figure = picture(title="犬\U0010fffd\x1b[2J.wav")
    style.pixels(figure)  # a missing letter is a warning, which is an error here
    fonts._covering.cache_clear()
    assert "\ufffd\ufffd\\x1b[2J.wav: 2 events" in [text.get_text() for text in figure.findobj(Text)]


def columns(rows, step=0.1, most=8, seconds=None, blocks=1):
    reduced = Columns(step, most)
    times = np.arange(len(rows)) * step
    for part, begins in zip(np.array_split(rows, blocks), np.array_split(times, blocks), strict=True):
        reduced.add(part, begins)
    return reduced.picture(step * len(rows) if seconds is None else seconds)


def test_columns_hold_the_maximum_of_their_rows():
    rows = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    assert (columns(rows[:8]) == rows[:8]).all()
    expected = [rows[i : i + 4].max(axis=0) for i in range(0, 30, 4)]
    for blocks in (1, 4, 30):
        np.testing.assert_array_equal(columns(rows, blocks=blocks), expected)


def test_columns_span_what_has_no_rows():
    rows = np.array([[1], [2], [3]], np.float32)
    reduced = Columns(0.5, 8)
    reduced.add(rows, [1.0, 1.5, 2.5])  # nothing at first, a gap, and nothing at the end
    assert reduced.picture(4.0)[:, 0].tolist() == [1, 1, 1, 2, 2, 3, 3, 3]
    assert reduced.picture(8.0)[:, 0].tolist() == [1, 2, 3, 3, 3, 3, 3, 3] or len(reduced.picture(8.0)) == 8


def test_columns_of_a_day_take_no_more_memory():
    reduced = Columns(0.01, 1000)
    for block in range(100):
        reduced.add(np.full((1000, 4), block, np.float32), 864 * block + 0.01 * np.arange(1000))
    assert 500 <= len(reduced.picture(86400.0)) <= 1000
    assert reduced.picture(86400.0)[-1, 0] == 99


@pytest.mark.parametrize("blocks", [1, 7, 50])
def test_hours_are_the_columns_of_each(blocks, monkeypatch):
    monkeypatch.setattr(timelines, "SECONDS", 10)
    times = np.sort(np.random.default_rng(0).uniform(0, 34, 500))
    times = times[(times < 12) | (times > 21)]  # 1 s of the second hour and all of 20 to 21 s have no rows
    rows = np.random.default_rng(1).normal(size=(len(times), 3)).astype(np.float32)
    hours = Hours(0.1, io.BytesIO())
    for part, begins in zip(np.array_split(rows, blocks), np.array_split(times, blocks), strict=True):
        hours.add(part, begins)
    found = list(hours.pictures(35.0))
    assert [len(picture) for picture in found] == [100, 100, 100, 50]
    for hour, picture in enumerate(found):
        inside = (times >= 10 * hour) & (times < 10 * hour + 10)
        expected = Columns(0.1)
        if hour:  # the last row before it lasts until its first
            expected.add(rows[times < 10 * hour][-1:], np.zeros(1))
        expected.add(rows[inside], times[inside] - 10 * hour)
        np.testing.assert_array_equal(picture, expected.picture(5.0 if hour == 3 else 10.0))


def test_an_hour_without_rows_goes_on_with_the_last_one(monkeypatch):
    monkeypatch.setattr(timelines, "SECONDS", 10)
    hours = Hours(1.0, io.BytesIO())
    hours.add(np.array([[1.0], [2.0]]), np.array([0.0, 5.0]))
    assert [picture[:, 0].tolist() for picture in hours.pictures(25.0)] == [[1] * 5 + [2] * 5, [2] * 10, [2] * 5]


def test_hours_take_the_memory_of_one(tmp_path):
    with open(tmp_path / "hours", "w+b") as file:
        hours = Hours(0.01, file)
        tracemalloc.start()
        for hour in range(100):
            hours.add(np.full((4, 64), hour, np.float32), 3600.0 * hour + np.array([0.0, 1.0, 2.0, 3599.0]))
        assert tracemalloc.get_traced_memory()[1] < 10e6
        for hour, picture in enumerate(hours.pictures(360000.0)):
            assert (picture == hour).all()
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()


@pytest.mark.parametrize(("seconds", "number"), [(0, 0), (0.1, 1), (3600, 1), (3600.1, 2), (86400, 24)])
def test_there_is_a_picture_of_every_hour(seconds, number):
    assert number_of_pictures(seconds) == number
