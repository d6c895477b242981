"""Pictures of trust in scores say what their marks and numbers mean."""

import pytest
from made_up_figures import FIFTY, TEN, THRESHOLDS, make_metrics, overlaps
from matplotlib.colors import to_hex

from urbansound.report import style, trust_plots
from urbansound.report.style import BLUE, PALE


@pytest.mark.parametrize("names", [TEN, FIFTY, ["a", "b"]])
def test_each_class_has_its_precision_by_recall_and_its_threshold(names):
    values = make_metrics(names)
    thresholds = THRESHOLDS if names is TEN else None
    figure = trust_plots.precision_recall(values["precision_recall"], thresholds)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in panels] == list(names)
    for axes, curve in zip(panels, values["precision_recall"].values(), strict=True):
        assert axes.lines[0].get_xdata().tolist() == curve["recall"]
        assert axes.lines[0].get_ydata().tolist() == curve["precision"]
    if thresholds:
        assert [len(axes.lines) for axes in panels] == [1, *[2] * 9]
        assert panels[1].lines[1].get_xydata().tolist() == [[0.4, 0.9]]
        assert not panels[1].lines[1].get_clip_on()
        assert [[text.get_text() for text in axes.texts] for axes in panels] == [["no clip reaches 90.0 %"], *[[]] * 9]
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        assert legend == ["highest precision at each recall", "the class's threshold, chosen by other clips"]
    assert overlaps(figure, [axes.title for axes in panels]) == []


def test_a_class_without_clips_has_an_empty_panel():
    curves = {"void": {"threshold": [], "precision": [], "recall": []}, "b": {"precision": [0.5], "recall": [1.0]}}
    figure = trust_plots.precision_recall(curves)
    assert figure.axes[0].texts[0].get_text() == "no test clips"
    style.pixels(figure)


def test_calibration_draws_the_filled_bins():
    values = make_metrics(TEN)["calibration"]
    figure = trust_plots.calibration(values)
    filled = [b["accuracy"] for b in values["bins"] if b["count"]]
    bars = sorted(figure.axes[0].patches, key=lambda bar: bar.get_x())
    assert [bar.get_height() for bar in bars] == filled
    style.pixels(figure)


def test_calibration_tells_empty_bins_from_those_of_0_percent_and_few_clips_from_many():
    counts, shares = [0, 1, 9, 10, 12345], [None, 0.0, 0.5, 0.5, 1.0]
    bins = [
        {"low": n / 5, "high": (n + 1) / 5, "count": count, "accuracy": share}
        for n, (count, share) in enumerate(zip(counts, shares, strict=True))
    ]
    axes = trust_plots.calibration({"ece": 0.1, "bins": bins}).axes[0]
    assert [(text.get_text(), text.xy[1]) for text in axes.texts] == [("1", 0), ("9", 0.5), ("10", 0.5), ("12k", 1)]
    pale = {round(bar.get_x() + bar.get_width() / 2, 3): to_hex(bar.get_facecolor()) for bar in axes.patches}
    assert pale == {0.3: PALE.lower(), 0.5: PALE.lower(), 0.7: BLUE.lower(), 0.9: BLUE.lower()}


def test_the_mark_of_coverage_says_that_its_rule_is_another():
    figure = trust_plots.coverage(make_metrics(TEN)["coverage"], THRESHOLDS)
    (text,) = figure.axes[0].get_legend().get_texts()
    assert "a rule of all scores" in text.get_text()
