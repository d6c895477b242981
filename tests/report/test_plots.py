"""Pictures are checked for what they say and for overlaps, not pixel by pixel."""

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from made_up_figures import FIFTY, TEN, THRESHOLDS, make_metrics, overlaps

from urbansound.audio.mel_filterbank import band_centres
from urbansound.config import AudioConfig
from urbansound.report import comparisons, plots, style, trust_plots


def make_history(epochs):
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {"epoch": epoch, "loss": 2 / epoch, "accuracy": 1 - 0.9 / epoch, "val_loss": 2 / epoch + 0.02 * epoch,
         "val_accuracy": 0.8 - 0.7 / epoch, "learning_rate": 1e-3 / epoch}
    )  # fmt: skip


def make_mel_predictions(clips):
    return pd.DataFrame({"label": TEN[:clips], "predicted": "drilling", "score": 0.9}).assign(
        correct=lambda table: table["label"] == table["predicted"]
    )


def make_mels(clips, columns=4):
    log_mels = np.random.default_rng(0).normal(size=(clips, 40, 32)).astype(np.float32)
    return plots.log_mel_grid(
        log_mels, make_mel_predictions(clips), TEN, 0.1, np.geomspace(50, 9000, 32), columns=columns
    )


@pytest.mark.parametrize("names", [TEN, FIFTY, ["a", "b"]])
def test_confusion_matrix_prints_every_count_and_no_zero(names):
    confusion = np.array(make_metrics(names)["confusion"])
    figure = plots.confusion_matrix(confusion, names)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [str(n) for n in confusion[confusion > 0]]
    assert overlaps(figure, axes.get_yticklabels()) == []
    if len(names) != 10:  # turned by 40 degrees, neighbours' boxes meet though their letters do not
        assert overlaps(figure, axes.get_xticklabels()) == []


def test_large_counts_fit_their_cells():
    confusion = np.zeros((50, 50), int)
    confusion[:2] = 12345
    figure = plots.confusion_matrix(confusion, FIFTY)
    assert overlaps(figure, figure.axes[0].texts) == []


@pytest.mark.parametrize("names", [TEN, FIFTY])
def test_class_bars_are_sorted_and_legible(names):
    per_class = make_metrics(names)["per_class"]
    figure = plots.class_bars(per_class)
    (axes,) = figure.axes
    shown = [per_class[text.get_text()]["f1"] for text in axes.get_yticklabels()]
    assert shown == sorted(shown, reverse=True)
    assert overlaps(figure, [*axes.get_yticklabels(), *axes.texts]) == []


def test_class_bars_say_which_class_has_no_clips():
    empty = {"precision": 0.0, "recall": None, "f1": None, "average_precision": None, "support": 0}
    figure = plots.class_bars({"void": empty, **make_metrics(TEN)["per_class"]})
    assert figure.axes[0].get_yticklabels()[-1].get_text() == "void"
    assert figure.axes[0].texts[-1].get_text() == "no test clips"
    style.pixels(figure)


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("epochs", [1, 2, 60])
def test_learning_curves_mark_the_epoch_that_was_kept(epochs, keep):
    history = make_history(epochs)
    figure = plots.learning_curves(history, keep)
    kept = history["val_loss"].argmin() + 1 if keep == "best" else epochs
    accuracy = history["val_accuracy"][kept - 1]
    legend = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert legend == ["training", "validation", f"epoch {kept}, kept: {100 * accuracy:.1f} %"]
    assert figure.axes[1].lines[-1].get_xydata().tolist() == [[kept, accuracy]]
    style.pixels(figure)


def test_learning_rates_are_all_decimals():
    figure = plots.learning_curves(make_history(5).assign(learning_rate=[0.0004, 0.0003, 0.0002, 0.0001, 0.00005]))
    style.pixels(figure)
    labels = [text.get_text() for text in figure.axes[2].get_yticklabels()]
    assert "0.0001" in labels
    assert not [label for label in labels if "e" in label]
    style.pixels(figure := plots.learning_curves(make_history(2).assign(learning_rate=[8e-5, 2e-5])))
    assert "0.00008" in [text.get_text() for text in figure.axes[2].get_yticklabels()]


def test_stages_have_a_row_of_panels_each():
    history = pd.concat([make_history(5).assign(stage="head"), make_history(20).assign(stage="cepstrum")])
    figure = plots.learning_curves(history)
    style.pixels(figure)
    assert [row.get_suptitle() for row in figure.subfigs] == ["head", "cepstrum"]
    for row, epochs in zip(figure.subfigs, (5, 20), strict=True):
        assert [axes.get_title("left") for axes in row.axes] == ["Loss", "Accuracy", "Learning rate"]
        assert [len(axes.lines[0].get_xdata()) for axes in row.axes] == [epochs] * 3
    assert figure.axes[1].get_legend().get_texts()[2].get_text().startswith("epoch 5, kept")
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not [(i, j) for i in range(6) for j in range(i) if boxes[i].overlaps(boxes[j])]


@pytest.mark.parametrize("columns", [{}, {"stage": "network"}])
def test_a_single_stage_is_not_named(columns):
    figure = plots.learning_curves(make_history(3).assign(**columns))
    assert len(figure.axes) == 3
    assert [row.get_suptitle() for row in figure.subfigs] == [""]


def test_a_stage_without_validation_has_its_training_curve_only():
    history = make_history(4).assign(stage="ranks", val_loss=np.nan, val_accuracy=np.nan)
    figure = plots.learning_curves(history)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["training"]
    style.pixels(figure)


@pytest.mark.parametrize(
    ("epochs", "ticks"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 6, 8]), (40, [1, 8, 16, 24, 32, 40])]
)
def test_epochs_are_counted_from_1(epochs, ticks):
    for axes in plots.learning_curves(make_history(epochs)).axes:
        assert axes.get_xticks().tolist() == ticks


def pictures_with_legends():
    measured = pd.DataFrame({"noise": [None, "white noise", "white noise"], "snr_db": [np.nan, 20, 0],
                             "accuracy": [0.8, 0.7, 0.4], "low": 0.1, "high": 0.9})  # fmt: skip
    values = make_metrics(TEN)
    return {
        "curves": plots.learning_curves(make_history(60)),
        "calibration": trust_plots.calibration(values["calibration"]),
        "coverage": trust_plots.coverage(values["coverage"], THRESHOLDS),
        "noise": plots.robustness(measured),
        "precision and recall": trust_plots.precision_recall(values["precision_recall"], THRESHOLDS),
        "classes": plots.class_bars(values["per_class"]),
    }


def test_no_legend_covers_what_is_drawn():
    for name, figure in pictures_with_legends().items():
        style.pixels(figure)
        legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
        assert legends, name
        for legend in legends:
            box = legend.get_window_extent()
            assert not [axes for axes in figure.axes if box.overlaps(axes.bbox)], name
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, name
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, name


def test_trials_have_a_panel_per_setting_and_mark_where_the_search_began():
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"trial": np.arange(10), "state": ["done"] * 7 + ["ended early"] * 2 + ["failed"],
                          "accuracy": [*rng.uniform(0.5, 0.6, 9), None],
                          "deviation": [*[0.02] * 7, None, 0.01, None], "rate": np.geomspace(1e-4, 1e-1, 10),
                          "floor": [60.0, 80.0, "none", 60.0, 45.0] * 2, "bands": rng.permutation(10),
                          "scale": ["htk", "slaney"] * 5})  # fmt: skip
    figure = comparisons.trials(found, ["rate", "floor", "bands", "scale"])
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in panels] == ["trial", "rate", "floor", "bands", "scale"]
    assert [axes.get_xscale() for axes in panels] == ["linear", "log", "linear", "linear", "linear"]
    assert [label.get_text() for label in panels[2].get_xticklabels()] == ["45", "60", "80", "none"]
    done, early, given = panels[2].lines
    assert len(done.get_xdata()) == 7
    assert early.get_xdata().tolist() == [3, 1]
    assert given.get_xdata().tolist() == [1]
    (bars,) = panels[2].collections
    drawn = [np.ptp(segment[:, 1]) for segment in bars.get_segments() if np.isfinite(segment).all() and len(segment)]
    assert drawn == pytest.approx([0.04] * 7 + [0.02])
    assert "bars: its standard deviation" in figure.get_suptitle()
    once = comparisons.trials(found.assign(deviation=None), ["rate"])
    assert "deviation" not in once.get_suptitle()
    style.pixels(figure)


@pytest.mark.parametrize("clips", [1, 3, 5, 8])
def test_log_mels_mark_what_is_wrong_without_colour(clips):
    figure = make_mels(clips)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == clips
    for axes, row in zip(panels, make_mel_predictions(clips).itertuples(), strict=True):
        assert axes.get_title("left") == f"{row.label}\n{'✓' if row.correct else '✗'} drilling, 90 %"
        assert (axes.spines["top"].get_linestyle() != "solid") == (not row.correct)
    assert overlaps(figure, [axes.title for axes in panels]) == []
    assert overlaps(figure, panels[0].get_yticklabels()) == []
    assert panels[0].get_ylabel() == "Hz"


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])  # librosa's own mel coordinates would be Slaney's for both
@pytest.mark.parametrize(("frame", "band"), [(3, 2), (18, 36)])  # in the linear part of the axis, in the logarithmic
def test_a_sound_is_drawn_at_its_time_and_frequency(mel_scale, frame, band):
    centres = band_centres(AudioConfig(n_mels=40, mel_scale=mel_scale))
    log_mel = np.zeros((1, 20, 40), np.float32)
    log_mel[0, frame, band] = 1
    figure = plots.log_mel_grid(log_mel, make_mel_predictions(1).assign(correct=True), TEN, 0.1, centres)
    image = style.pixels(figure).astype(int)[::-1]  # rows from the bottom, as matplotlib counts
    axes = figure.axes[0]
    box = axes.bbox
    inside = image[int(box.y0) + 4 : int(box.y1) - 4, int(box.x0) + 4 : int(box.x1) - 4].sum(axis=2)
    rows, columns = np.nonzero(inside > 500)  # the one bright cell
    place = (columns.mean() + int(box.x0) + 4.5, rows.mean() + int(box.y0) + 4.5)
    seconds, hz = axes.transData.inverted().transform(place)
    assert seconds == pytest.approx(0.1 * (frame + 0.5), abs=0.03)
    bounds = (centres[1:] + centres[:-1]) / 2
    assert bounds[band - 1] < hz < bounds[band]


def test_silence_can_be_drawn():
    style.pixels(plots.log_mel_grid(np.zeros((1, 9, 4), np.float32), make_mel_predictions(1), TEN, 0.1, [1, 2, 4, 8]))


def test_pixels_and_saved_file_have_the_figure_s_size(tmp_path):
    figure = plots.confusion_matrix([[3, 1], [0, 2]], ["a", "b"])
    size = np.round(figure.get_size_inches() * figure.dpi).astype(int)
    assert style.pixels(figure).shape == (size[1], size[0], 3)
    assert style.pixels(figure).dtype == np.uint8
    for ending in ("png", "jpg"):
        style.save(figure, tmp_path / f"new/matrix.{ending}")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["matrix.jpg", "matrix.png"]


def test_the_caller_s_settings_and_pyplot_s_figures_stay():
    from matplotlib import pyplot

    before = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams}
    plots.learning_curves(make_history(3))
    make_mels(1)
    assert {name: matplotlib.rcParams[name] for name in matplotlib.rcParams} == before
    assert pyplot.get_fignums() == []


def test_report_imports_neither_pyplot_nor_tensorflow():
    code = (
        "import sys, urbansound.report.plots, urbansound.report.page, urbansound.report.predictions\n"
        "print([m for m in ('matplotlib.pyplot', 'tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
