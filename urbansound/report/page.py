"""The page of one test: a single HTML file without scripts that can be mailed, read and printed.

page.html is its Jinja template.
"""

import base64
import dataclasses
import functools
import mimetypes
from pathlib import Path

import jinja2
import numpy as np

from urbansound.files import write_text
from urbansound.report.predictions import mistakes_title
from urbansound.report.style import undrawn
from urbansound.report.tables import COLUMNS, cell, headline, in_words, measure_of, percent, totals
from urbansound.targets import NONE
from urbansound.text import shown

MIXUPS = 10


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture file that goes into the page: its heading, and what it shows for who can't see it."""

    path: Path
    title: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text with a section of its own.

    Attributes:
      heading: of the section.
      caption: what the table shows.
      head: a title per column; the first column heads the rows.
      rows: cells of text.
      numbers: this many last columns are right-aligned.
      bar: index of the column of percents that is also drawn as bars.
    """

    heading: str
    caption: str
    head: list[str]
    rows: list[tuple[str, ...]]
    numbers: int = 0
    bar: int | None = None


def write(
    path,
    *,
    title,
    metrics,
    facts,
    of="",
    tables=(),
    more=(),
    pictures=(),
    mistakes=None,
    settings=None,
    warnings=(),
    skipped=None,
):
    """Write the page of one test to `path`, in one step.

    Args:
      path: of the HTML file.
      title: what was tested, a few words.
      metrics: what `metrics.evaluate` returns.
      of: what the headline's figure is of, where its name does not say so.
      facts: {name: value} shown under the headline: data set, test fold, model.
      tables: Tables, before the figures.
      more: Tables, after the classes.
      pictures: Pictures, copied into the page.
      mistakes: DataFrame of clips to look at with path, label, predicted, score, correct and, as far
        as there are classes, second and second_score (`predictions.worst_mistakes`).
      settings: {section: {name: value}} of the run.
      warnings: lines to read before the figures.
      skipped: DataFrame with path and fault of clips that were left out.
    """
    skipped = [] if skipped is None else list(zip(skipped["path"], skipped["fault"], strict=True))
    share, _, interval = headline(metrics).partition(" (")
    html = _template().render(
        title=title,
        share=share,
        measure=f"{in_words(measure_of(metrics))} {of}".rstrip(),
        interval=interval.removesuffix(")"),
        warnings=[*warnings, *_picture_warning(pictures, metrics), *_skipped_warning(skipped)],
        facts={**facts, "Test clips": f"{metrics['n_clips']:,} from {metrics['n_recordings']:,} recordings"},
        before=[*tables, Table("Figures", "The whole test", ["figure", "value"], list(totals(metrics).items()))],
        classes=_class_table(metrics["per_class"]),
        mixups=_mixup_table(metrics),
        more=more,
        pictures=pictures,
        after=[*_mistake_table(mistakes), *_skipped_table(skipped)],
        settings=_settings_table(settings) if settings else None,
    )
    write_text(path, html)


def _picture_warning(pictures, metrics):
    fault = undrawn(list(metrics["per_class"]))
    return [fault] if pictures and fault else []


def _skipped_warning(skipped):
    if not skipped:
        return []
    clips = "1 clip was" if len(skipped) == 1 else f"{len(skipped)} clips were"
    return [f"{clips} left out, unreadable; see Skipped clips below."]


def _skipped_table(skipped):
    return [Table("Skipped clips", "Left out of all figures", ["path", "fault"], skipped)] if skipped else []


def _class_table(per_class):
    rows = [(label, *(cell(name, values[name]) for name in COLUMNS)) for label, values in per_class.items()]
    caption, head = "Precision, recall, F1 and average precision in percent", ["class", *COLUMNS.values()]
    return Table("Classes", caption, head, rows, numbers=len(COLUMNS), bar=1 + list(COLUMNS).index("f1"))


def _mixup_table(metrics):
    """The largest counts off the diagonal of the confusion matrix; None where there is none."""
    if "confusion" not in metrics:
        return None
    counts, names = np.array(metrics["confusion"]), list(metrics["per_class"])
    of_class = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MIXUPS]
    rows = [
        (names[true], names[predicted], f"{counts[true, predicted]} of {of_class[true]}")
        for true, predicted in zip(*np.unravel_index(order, counts.shape), strict=True)
        if counts[true, predicted]
    ]
    return Table("Mix-ups", "Most frequent mix-ups", ["class", "taken for", "clips"], rows, numbers=1)


def _mistake_table(mistakes):
    if mistakes is None or not len(mistakes):
        return []
    rows = [
        (
            row["path"],
            row["label"] or NONE,
            f"{'✓' if row['correct'] else '✗'}\N{NO-BREAK SPACE}{row['predicted'] or NONE}",
            percent(row["score"]),
            f"{row['second']}, {percent(row['second_score'])}" if "second" in mistakes else percent(None),
        )
        for _, row in mistakes.iterrows()
    ]
    caption = "Wrong answers (✗), the surest first; then right ones (✓), the least sure first"
    return [
        Table(
            mistakes_title(mistakes).capitalize(),
            caption,
            ["clip", "label", "predicted", "score", "second guess"],
            rows,
        )
    ]


def _settings_table(settings):
    rows = [(name, section, _setting(value)) for section, values in settings.items() for name, value in values.items()]
    return Table("Settings", "All settings of the run", ["setting", "section", "value"], rows)


def _setting(value):
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _data_url(picture):
    kind = mimetypes.guess_type(picture.path)[0]
    return f"data:{kind};base64,{base64.b64encode(Path(picture.path).read_bytes()).decode('ascii')}"


def _nowrap(value):
    """Text whose numbers stay on one line with their percent signs."""
    return str(value).replace(" %", "\N{NO-BREAK SPACE}%")


@functools.cache
def _template():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: shown(value) if type(value) is str else value,  # a subclass is markup
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"nowrap": _nowrap, "data_url": _data_url}
    environment.globals["none_text"] = percent(None)
    return environment.get_template("page.html")
