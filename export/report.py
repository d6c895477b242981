"""The report of an export: report.json, report.md and report.png of the measured files."""

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf

from export import provenance
from export.measurement import too_much_lost
from urbansound import cores
from urbansound.files import write_json, write_text
from urbansound.report import style
from urbansound.report.tables import headline, in_words, measure_of, percent
from urbansound.text import markdown
from urbansound.training import teachers

NOT_KNOWN = "–"  # noqa: RUF001


def write(folder, run, classifier, keras, files, max_accuracy_drop):
    """Write report.json, report.md and report.png.

    Args:
      folder: the export; paths of files are written relative to it.
      run: the Run that was exported.
      classifier: its Classifier.
      keras: what `measurement.baseline` returned.
      files: what `measurement.measure` returned, for each.
      max_accuracy_drop: percentage points; a file that lost more is listed with `kept` false.

    Returns:
      The dict that report.json holds.
    """
    folder, config = Path(folder), run.config
    lost = too_much_lost(files, max_accuracy_drop)
    rows = [
        {**file, "path": Path(file["path"]).relative_to(folder).as_posix(), "kept": file["format"] not in lost}
        for file in files
    ]
    report = {
        "run": run.path.resolve().name,
        "dataset": config.data.dataset,
        "data_sets": teachers.data_sets(run),
        "model": " + ".join(run.architectures),
        "split": config.data.split,
        "test_fold": config.data.test_fold if config.data.split == "folds" else None,
        "tested_on": provenance.tested_on(config.data),
        "shared_recordings": provenance.shared_recordings(run.clips),
        "window_seconds": classifier.audio.clip_seconds,
        "max_accuracy_drop": max_accuracy_drop,
        "machine": _machine(),
        "keras": keras,
        "files": rows,
    }
    write_json(folder / "report.json", report)
    style.save(picture(report), folder / "report.png")
    write_text(folder / "report.md", text(report))
    return report


def files_table(report):
    """Markdown lines: a row for the Keras model, then one per file."""
    measure = in_words(measure_of(report["keras"]))
    titles = [
        *("format", "file", "kB", f"{measure} (95 % interval)", "change, points", "same label as Keras"),
        *("largest score difference", "mean score difference", "calibration error, points", "ms, 1 thread (p95)"),
        *("front-end + backbone", f"ms, {report['machine']['cores']} threads (p95)", "arena, kB"),
    ]
    keras = report["keras"]
    first = ["Keras", "", "", _interval(keras), "", "", "", "", _points(keras), "", "", "", ""]
    return table(titles, [first, *map(_row, report["files"])], align=":")


def text(report):
    """report.md."""
    keras = report["keras"]
    measure = in_words(measure_of(keras)).capitalize()
    lines = [f"# {markdown(report['run'])}: exported files", "", provenance.notice(report["data_sets"]), ""]
    lines += provenance.warnings(report["dataset"])
    lines += [
        f"{report['model']} on {report['dataset']}, {keras['parameters']:,} parameters. Every file scored the same "
        f"{keras['n_clips']} test clips ({report['tested_on']}). {measure} of the Keras model: {headline(keras)}. "
        f"{report['shared_recordings']}",
        "",
        f"![{measure}, size and latency of each file](report.png)",
        "",
        *files_table(report),
        "",
    ]
    for file in report["files"]:
        if not file["kept"]:
            lines += [
                f"**{file['format']} lost more than {report['max_accuracy_drop']:g} points and was not kept.**",
                "",
            ]
    lines += ["## Operations", "", *_operations(report["files"]), ""]
    lines += ["## How it was measured", "", *_method(report["machine"], report["window_seconds"])]
    return "\n".join(lines) + "\n"


def _method(machine, window_seconds):
    """Markdown lines: how the figures were taken."""
    return [
        "- Intervals: bootstrap over recordings. All files and the Keras model scored the same clips. The change says "
        "how a file differs from the Keras model; the interval says how either may differ on other recordings.",
        f"- Latency: one window of {window_seconds:g} s, median and 95th percentile after warm-up, on "
        f"{markdown(machine['processor'])}, {machine['cores']} cores, "
        f"ai-edge-litert {machine['ai_edge_litert']} with XNNPACK; the SavedModel with TensorFlow "
        f"{machine['tensorflow']} in a process of its own. The front-end was cut out "
        "of each file and timed by itself; the backbone's time is the difference. A file that takes log-mels has no "
        "front-end.",
        "- Arena: memory of the tensors as the interpreter lays them out without delegates; weights not counted.",
        "- Multiply-adds: convolutions, matrix products and the Fourier transform (n log2 n a frame), one window.",
    ]


@style.styled
def picture(report):
    """Accuracy with its interval, size and latency, a row per file, as a matplotlib Figure."""
    files, keras = report["files"], report["keras"]
    places = np.arange(len(files))
    figure = style.new_figure(10, 1.6 + 0.42 * len(files))
    accuracy, size, latency = figure.subplots(1, 3, sharey=True, width_ratios=[4, 3, 3])
    _accuracy_panel(accuracy, places, files, keras)
    sizes = [file["bytes"] / 1000 for file in files]
    size.barh(places, sizes, 0.55, color=style.GREEN)  # of its own: a file holds more than the backbone
    size.set_title("Size, kB")
    _numbers(size, places, sizes, "{:,.0f}")
    times = [file["latency_ms"]["one_thread"] for file in files]
    before = [time["frontend"] or 0 for time in times]
    latency.barh(places, before, 0.55, color=style.ORANGE, label="front-end")
    split = [time["backbone"] if time["backbone"] is not None else 0 for time in times]
    latency.barh(places, split, 0.55, before, color=style.BLUE, label="backbone")
    whole = [time["median"] if time["backbone"] is None else 0 for time in times]
    if any(whole):
        latency.barh(places, whole, 0.55, color=style.GREY, label="both")
    latency.set_title(f"Milliseconds for {report['window_seconds']:g} s, 1 thread")
    bare = [time["frontend"] is None and time["backbone"] is not None for time in times]
    _numbers(latency, places, [time["median"] for time in times], "{:.2f}", bare)
    for axes in (accuracy, size, latency):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(axes is not accuracy)
    accuracy.set_ylim(len(files) - 0.5, -0.5)
    handles = [pair for axes in (accuracy, latency) for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=len(handles))
    return figure


def _accuracy_panel(axes, places, files, keras):
    measure = measure_of(keras)
    values = np.array([100 * file[measure] for file in files])
    bounds = 100 * np.array([file[f"{measure}_interval"] for file in files]).T
    axes.axvline(100 * keras[measure], color=style.INK, lw=1, ls="--", label="Keras", zorder=1)
    arms = np.abs(bounds - values)  # [2, files]
    axes.errorbar(values, places, xerr=arms, fmt="o", color=style.BLUE, ms=6, capsize=4, label="95 % interval")
    for place, value, file in zip(places, values, files, strict=True):
        axes.annotate(
            f"{value:.1f} ({file[f'{measure}_change']:+.2f})",
            (value, place),
            (7, 6),
            textcoords="offset points",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )
    names = [file["format"] + ("" if file["kept"] else "\n(not kept)") for file in files]
    axes.set_yticks(places, names)
    axes.set_title(f"{in_words(measure).capitalize()}, % (points from Keras)")


def _numbers(axes, places, values, form, bare=()):
    """Write each bar's value after its end and make room for it; `bare` marks the files without a front-end."""
    for row, (place, value) in enumerate(zip(places, values, strict=True)):
        label = form.format(value) + (", no front-end" if any(bare[row : row + 1]) else "")
        axes.annotate(label, (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xlim(0, 1.25 * max(values))


def _row(file):
    one, every = file["latency_ms"]["one_thread"], file["latency_ms"]["all_threads"]
    split = NOT_KNOWN
    if one["backbone"] is not None:
        before = NOT_KNOWN if one["frontend"] is None else f"{one['frontend']:.2f}"
        split = f"{before} + {one['backbone']:.2f}"
    return [
        *(file["format"], f"`{file['path']}`", f"{file['bytes'] / 1000:,.0f}", _interval(file)),
        *(f"{file[f'{measure_of(file)}_change']:+.2f}", percent(file["top1_agreement"])),
        *(f"{file['max_score_difference']:.2g}", f"{file['mean_score_difference']:.2g}"),
        _points(file),
        *(f"{one['median']:.2f} ({one['p95']:.2f})", split, f"{every['median']:.2f} ({every['p95']:.2f})"),
        NOT_KNOWN if file["arena_bytes"] is None else f"{file['arena_bytes'] / 1000:,.0f}",
    ]


def _operations(files):
    """Markdown lines: a column per .tflite file, a row per operation."""
    files = [file for file in files if file["operations"] is not None]
    if not files:
        return ["No .tflite file was exported."]
    products = ["million multiply-adds, front-end + backbone"]
    listed = [{row["operation"]: row["types"] for row in file["operations"]} for file in files]
    for file in files:
        parts = [NOT_KNOWN if n is None else f"{n / 1e6:.1f}" for n in file["multiply_adds"].values()]
        products.append(" + ".join(parts))
    rows = [products]
    for name in dict.fromkeys(name for types in listed for name in types):
        cells = [", ".join(f"{n} {kind}" for kind, n in types.get(name, {}).items()) for types in listed]
        rows.append([name, *cells])
    return table(["operation, by type of its result", *(file["format"] for file in files)], rows)


def table(titles, rows, align=""):
    """Markdown lines of a table; align ":" right-aligns all columns but the first. Cells are Markdown already."""
    lines = [titles, ["---", *[f"---{align}"] * (len(titles) - 1)], *rows]
    return [f"| {' | '.join(row)} |" for row in lines]


def _points(figures):
    return f"{100 * figures['calibration']['ece']:.1f}"


def _interval(group):
    measure = measure_of(group)
    low, high = (f"{100 * bound:.1f}" for bound in group[f"{measure}_interval"])
    return f"{percent(group[measure])} ({low} to {high})"


def _machine():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": cores.usable(),
        "system": platform.system(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "ai_edge_litert": version("ai-edge-litert"),
    }
