"""The pictures of a test's figures, as files for its page: of each figure that there is."""

from urbansound.report import page, plots, style, trust_plots

# Name in the figures, file, title, what it shows for who can't see it, function of all figures.
PICTURES = (
    (
        *("confusion", "confusion_matrix.png", "Confusion matrix", "Test clips by true and predicted class"),
        lambda values: plots.confusion_matrix(values["confusion"], list(values["per_class"])),
    ),
    (
        *("per_class", "class_bars.png", "F1, precision and recall", "F1, precision and recall of every class"),
        lambda values: plots.class_bars(values["per_class"]),
    ),
    (
        *("calibration", "calibration.png", "Calibration", "Share of right answers by the confidence of each"),
        lambda values: trust_plots.calibration(values["calibration"]),
    ),
    (
        *("coverage", "coverage.png", "Coverage", "Share of right answers among the clips of the highest scores"),
        lambda values: trust_plots.coverage(values["coverage"], values.get("thresholds")),
    ),
    (
        *("precision_recall", "precision_recall.png", "Precision by recall"),
        "Precision by recall of every class, with its threshold marked",
        lambda values: trust_plots.precision_recall(values["precision_recall"], values.get("thresholds")),
    ),
)


def of_figures(path, values):
    """Draw and save the pictures of what `figures.evaluate` returned into a folder; the page.Pictures of them."""
    drawn = [row for row in PICTURES if row[0] in values]
    for _, name, _, _, draw in drawn:
        style.save(draw(values), path / name)
    return [page.Picture(path / name, title, alt) for _, name, title, alt, _ in drawn]
