"""The page of one test: a single HTML file without scripts that can be mailed, read and printed."""

import base64
import dataclasses
import mimetypes
from html import escape
from pathlib import Path

import numpy as np

from urbansound.files import write_text
from urbansound.report.tables import COLUMNS, cell, headline, percent, totals

SYNTHETIC = "The clips are synthetic: these figures show that the program works and say nothing about real sounds."
MIXUPS = 10

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --soft: #5f5f5f; --line: #ddd; --paper: #fff; --bar: #cfe4f2;
  --warn: #fdf1d8; --edge: #b46b00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --soft: #a8a8a8; --line: #3c3c3c; --paper: #161616;
  --bar: #1d4661; --warn: #3a2c10; --edge: #e69f00 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { margin: 0; font-size: 1.1rem; font-weight: 600; color: var(--soft) }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem }
.headline { margin: .25rem 0 1rem; font-size: 1.1rem }
.headline strong { display: block; font-size: 3rem; line-height: 1.1 }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem 1.5rem; margin: 0 }
dt, caption, figcaption, .note { color: var(--soft); font-size: .875rem }
dd { margin: 0 }
.warning { margin: 1rem 0; padding: .6rem 1rem; background: var(--warn); border-left: 4px solid var(--edge) }
.wide, figure { overflow-x: auto }
.wide + .wide { margin-top: 1.75rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9375rem }
caption { text-align: left; padding-bottom: .4rem }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
thead th { overflow-wrap: normal; vertical-align: bottom; color: var(--soft); font-weight: 600 }
td { overflow-wrap: break-word }
tbody th { font-weight: 500; min-width: 8.75rem }
.number { text-align: right; overflow-wrap: normal }
td.number { white-space: nowrap }
.bar { min-width: 6rem; background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)) }
figure { margin: 1.5rem 0 }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px }
figcaption { margin-bottom: .4rem }
summary { cursor: pointer }
@media (max-width: 40rem) { table { font-size: .8125rem } th, td { padding-right: .5rem }
  tbody th { min-width: 7.25rem } .bar { min-width: 3.5rem } caption { max-width: calc(100vw - 2rem) }
  figure img { max-width: max(100%, 44rem) } }
"""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture file that goes into the page: its heading, and what it shows for who can't see it."""

    path: Path
    title: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with a section of its own: rows of text, the last `numbers` columns right-aligned."""

    heading: str
    caption: str
    head: list[str]
    rows: list[tuple[str, ...]]
    numbers: int = 0


def write(
    path,
    *,
    title,
    metrics,
    facts,
    tables=(),
    pictures=(),
    mistakes=None,
    settings=None,
    warnings=(),
    skipped=None,
    synthetic=False,
):
    """Write the page of one test to `path`, in one step.

    Args:
      path: of the HTML file.
      title: what was tested, a few words.
      metrics: what `metrics.evaluate` returns.
      facts: {name: value} shown under the headline: data set, test fold, model.
      tables: Tables, before the figures.
      pictures: Pictures, copied into the page.
      mistakes: DataFrame of clips worth a look with path, label, predicted, score, correct and, as far
        as there are classes, second and second_score (`predictions.worst_mistakes`).
      settings: {section: {name: value}} of the run.
      warnings: lines that the reader should know before the figures.
      skipped: DataFrame with path and fault of clips that were left out.
      synthetic: whether the clips were made up; the page then says so first.
    """
    skipped = [] if skipped is None else list(zip(skipped["path"], skipped["fault"], strict=True))
    body = [
        _opening(title, metrics, facts, [SYNTHETIC, *warnings] if synthetic else warnings, len(skipped)),
        *(_section(t.heading, _table(t.caption, t.head, t.rows, t.numbers)) for t in tables),
        _section("Figures", _table("The whole test", ["figure", "value"], totals(metrics).items())),
        _section("Classes", _class_table(metrics["per_class"]), _mixup_table(metrics)),
        _section("Pictures", *map(_figure, pictures)) if pictures else "",
        _mistake_section(mistakes) if mistakes is not None and len(mistakes) else "",
        _section("Skipped clips", _table("Left out of all figures", ["path", "fault"], skipped)) if skipped else "",
        _settings_section(settings) if settings else "",
    ]
    write_text(
        path,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, body))
        + "\n</main>\n</body>\n</html>\n",
    )


def _opening(title, metrics, facts, warnings, skipped):
    share, _, rest = headline(metrics).partition(" (")
    warnings = list(warnings)
    if skipped:
        clips = "1 clip was" if skipped == 1 else f"{skipped} clips were"
        warnings.append(f"{clips} left out, unreadable; see Skipped clips below.")
    facts = {**facts, "Test clips": f"{metrics['n_clips']:,} from {metrics['n_recordings']:,} recordings"}
    lines = [
        f"<header>\n<h1>{escape(title)}</h1>",
        f'<p class="headline"><strong>{share}</strong> accuracy, {rest.removesuffix(")")}</p>',
        *(f'<p class="warning" role="note">{escape(line)}</p>' for line in warnings),
        '<dl class="facts">',
        *(f"<div><dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items()),
        "</dl>\n</header>",
    ]
    return "\n".join(lines)


def _section(heading, *parts):
    return "\n".join([f"<section>\n<h2>{escape(heading)}</h2>", *parts, "</section>"])


def _class_table(per_class):
    rows = [
        (label, *(_bar(values[name]) if name == "f1" else cell(name, values[name]) for name in COLUMNS))
        for label, values in per_class.items()
    ]
    caption = "Precision, recall, F1 and average precision in percent"
    return _table(caption, ["class", *COLUMNS.values()], rows, numbers=len(COLUMNS))


def _mixup_table(metrics):
    """The largest counts off the diagonal of the confusion matrix."""
    counts, names = np.array(metrics["confusion"]), list(metrics["per_class"])
    of_class = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MIXUPS]
    pairs = [(true, heard) for true, heard in zip(*np.unravel_index(order, counts.shape), strict=True)]
    rows = [
        (names[true], names[heard], f"{counts[true, heard]} of {of_class[true]}")
        for true, heard in pairs
        if counts[true, heard]
    ]
    if not rows:
        return '<p class="note">No class was taken for another.</p>'
    return _table("Most frequent mix-ups", ["class", "taken for", "clips"], rows, numbers=1)


def _mistake_section(mistakes):
    rows = [
        (
            row["path"],
            row["label"],
            f"{'✓' if row['correct'] else '✗'}\N{NO-BREAK SPACE}{row['predicted']}",
            percent(row["score"]),
            f"{row['second']}, {percent(row['second_score'])}" if "second" in mistakes else percent(None),
        )
        for _, row in mistakes.iterrows()
    ]
    caption = "Wrong answers (✗), the surest first; then right ones (✓), the least sure first"
    return _section("Worst mistakes", _table(caption, ["clip", "label", "predicted", "score", "second guess"], rows))


def _settings_section(settings):
    rows = [(name, section, _setting(value)) for section, values in settings.items() for name, value in values.items()]
    table = _table("All settings of the run", ["setting", "section", "value"], rows)
    return _section("Settings", f"<details>\n<summary>{len(rows)} settings</summary>\n{table}\n</details>")


def _setting(value):
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _figure(picture):
    kind = mimetypes.guess_type(picture.path)[0]
    data = base64.b64encode(Path(picture.path).read_bytes()).decode("ascii")
    return (
        f'<figure tabindex="0">\n<figcaption>{escape(picture.title)}</figcaption>\n'
        f'<img src="data:{kind};base64,{data}" alt="{escape(picture.alt)}">\n</figure>'
    )


class _Markup(str):
    """A cell's attributes and content that are HTML already."""


def _bar(share):
    if share is None:
        return percent(None)
    return _Markup(f' class="number bar" style="--share: {100 * share:.0f}%">{100 * share:.1f}')


def _text(value):
    """Escaped, a number kept on one line with its percent sign."""
    return escape(str(value)).replace(" %", "&nbsp;%")


def _table(caption, head, rows, numbers=0):
    """A table whose first column heads its rows and whose last `numbers` columns are right-aligned."""
    kinds = ["" if i < len(head) - numbers else ' class="number"' for i in range(len(head))]
    lines = [f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">\n<table>']
    lines.append(f"<caption>{escape(caption)}</caption>\n<thead><tr>")
    lines += [f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True)]
    lines.append("</tr></thead>\n<tbody>")
    for first, *others in rows:
        cells = [
            f"<td{value}</td>" if isinstance(value, _Markup) else f"<td{kind}>{_text(value)}</td>"
            for value, kind in zip(others, kinds[1:], strict=True)
        ]
        lines.append(f'<tr><th scope="row">{escape(str(first))}</th>{"".join(cells)}</tr>')
    return "\n".join([*lines, "</tbody>\n</table>\n</div>"])
