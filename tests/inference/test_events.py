"""Events are what the scores say, at the times of the sounds, whatever blocks the scores come in."""

import itertools
import tracemalloc

import numpy as np
import pytest

from urbansound.errors import InputError
from urbansound.inference.events import Event, EventFinder, EventSettings, find_events

WINDOW = 4.0
NAMES = ["dog", "siren", "drill"]


def starts_of(windows, hop=1.0):
    return hop * np.arange(windows)


def found(scores, settings=None, hop=1.0, seconds=None, window=WINDOW):
    """(start, end) of the events of one class whose scores are given."""
    scores = np.asarray(scores, np.float32)[:, np.newaxis]
    table = find_events(scores, starts_of(len(scores), hop), window, ["dog"], settings or EventSettings(), seconds)
    return list(zip(table.start, table.end, strict=True))


def filled_shares(start, end, starts, window):
    """How much of each window a sound fills, from 0 to 1."""
    return np.maximum(0, np.minimum(end, starts + window) - np.maximum(start, starts)) / window


def random_scores(seed, windows=400, classes=3):
    """Scores that rise and fall, float32 [windows, classes]."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(scale=0.25, size=(windows, classes)), axis=0)
    return (0.5 + 0.5 * np.sin(walk)).astype(np.float32)


@pytest.mark.parametrize("off", [0.4, 0.8, 1.0])
@pytest.mark.parametrize(("on", "hop", "window"), [(0.5, 0.5, 4.0), (0.3, 0.1, 0.96), (0.7, 0.25, 2.0)])
def test_times_of_sounds_are_exact_where_scores_follow_the_share_of_the_window(off, on, hop, window):
    rng = np.random.default_rng(0)
    settings = EventSettings(on=on, off=off)
    gain = 2 * on  # the score is `on` where half of the window is filled
    shortest = window / 2 + hop
    for length in [shortest, *rng.uniform(shortest, 5 * window, 10)]:
        start = rng.uniform(window, 2 * window)
        starts = np.arange(0, 10 * window, hop)
        scores = np.minimum(1, gain * filled_shares(start, start + length, starts, window))
        on_the_slope = hop <= min(on * off, 1 - on) * window / gain  # both windows around each crossing
        tolerance = 1e-9 if on_the_slope else hop
        events = find_events(scores[:, np.newaxis], starts, window, ["dog"], settings)
        assert len(events) == 1
        assert events.start[0] == pytest.approx(start, abs=tolerance)
        assert events.end[0] == pytest.approx(start + length, abs=tolerance)


def test_onsets_of_noisy_scores_have_no_bias():
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(300):
        start = rng.uniform(6, 8)
        starts = np.arange(0, 24, 0.5)
        scores = np.clip(
            filled_shares(start, start + 6, starts, WINDOW) + rng.normal(scale=0.03, size=len(starts)), 0, 1
        )
        (event,) = found(scores, EventSettings(smooth_seconds=1, off=0.5), hop=0.5)
        errors.append((event[0] - start, event[1] - start - 6))
    bias, spread = np.mean(errors, axis=0), np.std(errors, axis=0)
    assert np.abs(bias).max() < 0.05  # s; of windows of 4 s and a hop of 0.5 s
    assert spread.max() < 0.2


def test_an_event_begins_at_on_and_lasts_until_off():
    settings = EventSettings(on=0.6, off=0.5)
    #  middles: 2    3    4    5     6    7
    ((start, end),) = found([0.2, 0.4, 0.8, 0.35, 0.4, 0.2], settings)
    assert start == pytest.approx(3.5)  # halfway from 0.4 to 0.8
    assert end == pytest.approx(6.5 - 1.0)  # 0.3 is halfway from 0.4 to 0.2; the window is a quarter full there
    assert found([0.2, 0.4, 0.59, 0.4, 0.35], settings) == []


def test_peak_and_mean_are_of_the_smoothed_scores_in_the_event():
    scores = np.array([[0], [0.6], [0.9], [0.3], [0]])
    table = find_events(scores, starts_of(5), WINDOW, ["dog"], EventSettings())
    assert table.peak[0] == 0.9
    assert table["mean"][0] == pytest.approx(0.6)
    table = find_events(scores, starts_of(5), WINDOW, ["dog"], EventSettings(smooth_seconds=2))
    assert table.peak[0] == pytest.approx(0.6)
    assert table["mean"][0] == pytest.approx((0.5 + 0.6 + 0.4) / 3)


def test_smoothing_takes_the_windows_within_its_seconds():
    rng = np.random.default_rng(2)
    scores, starts = rng.uniform(size=40), np.cumsum(rng.uniform(0.1, 1, 40))
    near = np.abs(starts[:, np.newaxis] - starts) <= 1.5
    smoothed = np.array([scores[row].mean() for row in near])
    settings = EventSettings(smooth_seconds=3, on=0.5, off=1)
    ours = find_events(scores[:, np.newaxis], starts, 1.0, ["dog"], settings)
    plain = find_events(smoothed[:, np.newaxis], starts, 1.0, ["dog"], EventSettings(on=0.5, off=1))
    np.testing.assert_allclose(ours.drop(columns="label"), plain.drop(columns="label"), rtol=1e-12)


def test_close_events_are_joined_and_short_ones_dropped():
    scores = [0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    settings = EventSettings(off=1)  # at the middles between 0 and 1
    assert found(scores, settings) == [(2.5, 4.5), (6.5, 8.5), (14.5, 15.5)]
    assert found(scores, EventSettings(off=1, gap_seconds=1.99)) == [(2.5, 4.5), (6.5, 8.5), (14.5, 15.5)]
    assert found(scores, EventSettings(off=1, gap_seconds=2)) == [(2.5, 8.5), (14.5, 15.5)]
    assert found(scores, EventSettings(off=1, min_seconds=2)) == [(2.5, 4.5), (6.5, 8.5)]
    assert found(scores, EventSettings(off=1, min_seconds=2.5)) == []
    assert found(scores, EventSettings(off=1, gap_seconds=2, min_seconds=2.5)) == [(2.5, 8.5)]
    assert found(scores, EventSettings(off=1, gap_seconds=100)) == [(2.5, 15.5)]


def test_what_sounds_at_the_edges_begins_and_ends_with_the_recording():
    assert found([1, 1, 1]) == [(0, 6)]
    assert found([1, 1, 1], seconds=5.25) == [(0, 5.25)]
    assert found([1], seconds=0.3) == [(0, 0.3)]  # a recording shorter than a window
    assert found([]) == []
    assert found([0, 0, 1], seconds=4) == [(3, 4)]  # the score is 0.5 at 3.5 s, and an event lasts a hop or more
    starts = np.array([7.0, 8.0, 9.0])  # a part of a recording
    assert find_events(np.array([[1], [0], [0]]), starts, WINDOW, ["dog"], EventSettings()).start[0] == 7


def test_thresholds_may_differ_by_class():
    scores = np.array([[0, 0, 0], [0.4, 0.4, 0.4], [0, 0, 0]])
    settings = EventSettings(on={"dog": 0.3, "siren": 0.5, "drill": 0.4})
    events = find_events(scores, starts_of(3), WINDOW, NAMES, settings)
    assert events.label.tolist() == ["dog", "drill"]


@pytest.mark.parametrize("seed", range(8))
def test_blocks_do_not_matter_to_the_bit(seed):
    rng = np.random.default_rng(seed)
    settings = EventSettings(
        smooth_seconds=rng.choice([0, 0.7, 3]), on=0.6, off=rng.choice([0.5, 1]), min_seconds=rng.choice([0, 1.5]),
        gap_seconds=rng.choice([0, 0.8, 5])
    )  # fmt: skip
    scores, starts = random_scores(seed), np.cumsum(rng.uniform(0.2, 0.6, 400))
    whole = EventFinder(WINDOW, NAMES, settings)
    expected = [*whole.add(scores, starts), *whole.finish(starts[-1] + 3)]
    assert len(expected) > 5
    for blocks in (400, 1, 7):
        cuts = np.sort(rng.integers(0, 401, blocks - 1))
        finder, events = EventFinder(WINDOW, NAMES, settings), []
        for part, begins in zip(np.split(scores, cuts), np.split(starts, cuts), strict=True):
            events += finder.add(part, begins)
        assert [*events, *finder.finish(starts[-1] + 3)] == expected
    table = find_events(scores, starts, WINDOW, NAMES, settings, starts[-1] + 3)
    assert [Event(*row) for row in table.itertuples(index=False)] == sorted(expected)


@pytest.mark.parametrize("gap", [0, 1.3])
@pytest.mark.parametrize("seed", range(4))
def test_events_of_a_class_are_apart_and_within_the_recording(gap, seed):
    settings = EventSettings(on=0.6, off=0.7, min_seconds=0.4, gap_seconds=gap)
    starts = starts_of(400, 0.5)
    seconds = starts[-1] + WINDOW / 2 + 0.1
    events = find_events(random_scores(seed), starts, WINDOW, NAMES, settings, seconds)
    assert events.start.is_monotonic_increasing
    assert (events.start >= 0).all()
    assert (events.end <= seconds).all()
    assert (events.end - events.start > 0.399).all()
    assert (events.peak >= 0.6).all()
    assert (events["mean"] <= events.peak).all()
    assert (events["mean"] >= 0.42).all()
    for _, rows in events.groupby("label"):
        assert (rows.start.to_numpy()[1:] - rows.end.to_numpy()[:-1] > gap).all()


def test_events_are_given_as_soon_as_they_cannot_change():
    finder = EventFinder(WINDOW, ["dog"], EventSettings(off=1, gap_seconds=2))
    given = [len(finder.add([[score]], [start])) for start, score in enumerate([0, 1, 0, 0, 0, 0, 0])]
    assert given == [0, 0, 0, 0, 1, 0, 0]  # it ends at 3.5; the first window of which the middle is after 5.5
    assert finder.finish() == []


def test_memory_does_not_grow_with_the_recording():
    def peak(windows):
        finder, scores = EventFinder(WINDOW, NAMES, EventSettings(smooth_seconds=2, gap_seconds=1)), random_scores(0)
        tracemalloc.start()
        for block in range(windows // 400):
            finder.add(scores, starts_of(400, 0.5) + 200 * block)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(8000) < 1.2 * peak(800)


def test_an_empty_table_has_the_columns_and_types():
    table = find_events(np.zeros((3, 3)), starts_of(3), WINDOW, NAMES, EventSettings())
    assert table.dtypes.astype(str).tolist() == ["float64", "float64", "str", "float64", "float64"]
    assert table.columns.tolist() == ["start", "end", "label", "peak", "mean"]
    assert len(table) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"on": 0}, "on must be above 0. Received: 0"),
        ({"on": float("nan")}, "on must be above 0"),
        ({"on": {"dog": -1}}, "on must be above 0"),
        ({"off": 0}, "off must be above 0 and at most 1"),
        ({"off": 1.1}, "off must be above 0 and at most 1"),
        ({"gap_seconds": -1}, "gap_seconds must be 0 or more. Received: -1"),
        ({"min_seconds": float("nan")}, "min_seconds must be 0 or more"),
        ({"smooth_seconds": float("inf")}, "smooth_seconds must be 0 or more"),
    ],
)
def test_settings_out_of_their_limits(settings, message):
    with pytest.raises(InputError, match=message):
        EventSettings(**settings)


def test_what_is_no_input():
    with pytest.raises(InputError, match="classes; drill is only in one"):
        EventFinder(WINDOW, NAMES, EventSettings(on={"dog": 0.5, "siren": 0.5}))
    finder = EventFinder(WINDOW, NAMES, EventSettings())
    with pytest.raises(InputError, match="no numbers"):
        finder.add([[0, np.nan, 0]], [0])
    with pytest.raises(ValueError, match=r"\[1, 3\]"):
        finder.add([[0, 0]], [0])
    assert finder.add([], []) == []
    finder.add(np.zeros((2, 3)), [0, 1])
    for start, _ in itertools.product([1, 0.5], range(2)):
        with pytest.raises(ValueError, match="one after the other"):
            finder.add(np.zeros((1, 3)), [start])
