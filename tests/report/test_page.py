from html.parser import HTMLParser

import numpy as np
import pandas as pd

from urbansound.report import metrics, page
from urbansound.report.predictions import predictions_table, worst_mistakes

VOID = {"meta", "img"}
NAMES = ["dog & cat", "<script>", "rain"]
SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.4, 0.2, 0.4]], np.float32)


class Reader(HTMLParser):
    """Checks nesting; collects tags with their attributes, and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())

    def named(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def write_page(folder, names=NAMES, scores=SCORES, labels=(0, 1, 2), **more):
    clips = pd.DataFrame(
        {"path": [f"a/<{i}>&.wav" for i in range(len(labels))], "fold": 1, "recording": list("xyz")[: len(labels)]}
    ).assign(label=[names[i] for i in labels], salience=pd.NA)
    predictions = predictions_table(clips, scores, names)
    arguments = {
        "title": "cnn on <own> clips",
        "metrics": metrics.evaluate(list(labels), scores, clips["recording"], names),
        "facts": {"Data set": "folder", "Test fold": 1},
        "mistakes": worst_mistakes(predictions, 5),
        **more,
    }
    page.write(folder / "report.html", **arguments)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_holds_everything_and_escapes_it(tmp_path):
    (tmp_path / "curves.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    html = write_page(
        tmp_path,
        pictures=[page.Picture(tmp_path / "curves.png", "Learning curves", 'loss "falls"')],
        settings={"audio": {"n_mels": 128, "f_max": None}, "data": {"folds": (), "shares": (0.5, 1)}},
        warnings=["validation is <small>"],
        skipped=pd.DataFrame({"path": ["b<c>.wav"], "fault": ["not a WAV file"]}),
    )
    reader = Reader(html)
    text = "\n".join(reader.text)
    for expected in ("33.3 %", "validation is <small>", "1 clip was left out", "b<c>.wav", "dog & cat",
                     "✗\N{NO-BREAK SPACE}rain", "a/<1>&.wav", "n_mels", "0.5, 1", "cnn on <own> clips"):  # fmt: skip
        assert expected in text
    assert reader.named("script") == []
    assert reader.named("img") == [{"src": "data:image/png;base64,iVBORw0KGgo=", "alt": 'loss "falls"'}]
    assert all(attributes["scope"] in ("row", "col") for attributes in reader.named("th"))


def test_nothing_is_fetched_from_elsewhere(tmp_path):
    reader = Reader(write_page(tmp_path))
    links = [value for _, attributes in reader.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links == []


def test_two_classes_absent_classes_and_no_mistakes(tmp_path):
    reader = Reader(write_page(tmp_path, NAMES[:2], SCORES[:1, :2], labels=[0]))
    assert "No class was taken for another." in reader.text
    assert "dog & cat" in reader.text
    html = write_page(tmp_path, mistakes=None)
    assert "mistakes" not in html
    assert "<h2>Worst mistakes and the least sure right answers</h2>" in write_page(tmp_path)


def test_the_headline_says_what_it_is_of_where_its_name_does_not(tmp_path):
    assert "</strong> accuracy, 95" in write_page(tmp_path)
    assert "</strong> accuracy of all clips pooled, 95" in write_page(tmp_path, of="of all clips pooled")


def test_f1_is_drawn_as_a_bar_where_it_is_defined(tmp_path):
    # dog & cat 2/3 by hand: right once, and once for rain, which is never answered; <script> has no clip.
    reader = Reader(write_page(tmp_path, scores=np.eye(3, dtype=np.float32)[[0, 0]], labels=[0, 2]))
    bars = [cell["style"] for cell in reader.named("td") if cell.get("class") == "number bar"]
    assert bars == ["--share: 66.7%", "--share: 0.0%"]


def test_cells_are_escaped_and_numbers_keep_their_percent_sign(tmp_path):
    table = page.Table("Rows", "of <b>text</b>", ["name", "value"], [("<i>", "5.0 % & more")], numbers=1)
    html = write_page(tmp_path, tables=[table])
    assert '<td class="number">5.0\N{NO-BREAK SPACE}% &amp; more</td>' in html
    assert "<b>" not in html
    assert "<i>" not in html


def test_mixups_are_the_largest_first(tmp_path):
    scores = np.eye(3, dtype=np.float32)[[1, 1, 2]]
    rows = Reader(write_page(tmp_path, scores=scores, labels=[0, 0, 1])).text
    start = rows.index("Most frequent mix-ups")
    expected = ["class", "taken for", "clips", "dog & cat", "<script>", "2 of 2", "<script>", "rain", "1 of 1"]
    assert rows[start + 1 : start + 10] == expected


def test_control_characters_and_turned_text_are_shown_as_escapes(tmp_path):
    names = ["\x1b[2J", "\u202egnp", "{{ 7 * 7 }}"]
    skipped = pd.DataFrame({"path": ["a\nb\udce9.wav"], "fault": ["=1+1"]})
    html = write_page(tmp_path, names=names, skipped=skipped, warnings=["\x07"])
    text = "\n".join(Reader(html).text)
    for expected in (r"\x1b[2J", r"\u202egnp", "{{ 7 * 7 }}", r"a\nb\xe9.wav", "=1+1", r"\x07"):
        assert expected in text
    assert all(line.isprintable() for line in html.replace("\N{NO-BREAK SPACE}", " ").split("\n"))


def test_the_page_names_classes_that_its_pictures_number(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "undrawn", lambda names: f"class 1 is {names[0]}")
    (tmp_path / "x.png").write_bytes(b"")
    picture = page.Picture(tmp_path / "x.png", "X", "x")
    assert "class 1 is dog &amp; cat" in write_page(tmp_path, pictures=[picture])
    assert "class 1 is" not in write_page(tmp_path)
