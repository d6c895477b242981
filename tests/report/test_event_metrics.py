"""Figures of events are sed_eval's, and tables of events are read or refused in one line."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from running import ROOT
from urbansound.errors import InputError
from urbansound.report.event_metrics import as_lines, event_based, read_events, segment_based
from urbansound.report.event_tables import SED

GOLDEN = json.loads((ROOT / "tests/golden/sed_eval_0.2.1.json").read_text())["cases"]
MEASURES = {"event": event_based, "segment": segment_based}


def table(*rows):
    return pd.DataFrame(rows, columns=SED).astype({"onset": float, "offset": float})


@pytest.mark.parametrize("case", range(len(GOLDEN)))
def test_figures_are_those_of_sed_eval(case):
    reference, estimated = (table(*GOLDEN[case][name]) for name in ("reference", "estimated"))
    for result in GOLDEN[case]["results"]:
        ours = MEASURES[result["kind"]](reference, estimated, **result["settings"])
        assert ours["per_class"].keys() == result["figures"]["per_class"].keys()
        for name in ("micro", "macro"):
            check(ours[name], result["figures"][name])
        for label, figures in result["figures"]["per_class"].items():
            check(ours["per_class"][label], figures)


def check(ours, theirs):
    known = {name: value for name, value in theirs.items() if value is not None}
    assert {name: ours[name] for name in known} == pytest.approx(known, rel=1e-12)
    assert all(ours[name] is None for name in theirs.keys() - known.keys())


def most_pairs(known, found, collar):
    """The most pairs that can be formed, by trying all."""
    if not known:
        return 0
    fits = [most_pairs(known[1:], found[:i] + found[i + 1 :], collar) + 1 for i, onset in enumerate(found)
            if abs(onset - known[0]) <= collar]  # fmt: skip
    return max([most_pairs(known[1:], found, collar), *fits])


def test_as_many_pairs_are_formed_as_can_be():
    rng = np.random.default_rng(0)
    for _ in range(60):
        known, found = (np.round(rng.uniform(0, 5, rng.integers(0, 6)), 1).tolist() for _ in range(2))
        tables = [table(*(("a.wav", onset, onset + 1, "dog") for onset in onsets)) for onsets in (known, found)]
        figures = event_based(*tables, labels=["dog"], collar=0.8)["micro"]
        assert figures["matched"] == most_pairs(known, found, 0.8)


def test_the_collar_is_within_its_limits():
    reference = table(("a.wav", 1, 2, "dog"))
    for onset, matched in ((0, 1), (2, 1), (2.0000001, 0)):
        figures = event_based(reference, table(("a.wav", onset, onset + 5, "dog")), collar=1.0)
        assert figures["micro"]["matched"] == matched


def test_other_files_and_labels_do_not_match():
    reference = table(("a.wav", 1, 2, "dog"), ("b.wav", 1, 2, "dog"))
    estimated = table(("a.wav", 1.5, 2, "dog"), ("b.wav", 1, 2, "siren"), ("c.wav", 1, 2, "dog"))
    figures = event_based(reference, estimated)
    assert figures["micro"] == {
        "precision": 1 / 3, "recall": 0.5, "f1": 0.4, "matched": 1, "reference": 2, "estimated": 3
    }  # fmt: skip
    assert figures["per_class"]["siren"]["f1"] is None
    assert figures["macro"]["f1"] == 0.5
    assert event_based(reference, estimated, labels=["dog"])["micro"]["estimated"] == 2


def test_figures_as_lines():
    reference = table(("a.wav", 1, 2, "dog"), ("b.wav", 1, 2, "犬\x1b[2J"))
    estimated = table(("a.wav", 1.5, 2, "dog"), ("b.wav", 1, 2, "siren"), ("c.wav", 1, 2, "dog"))
    lines = as_lines(event_based(reference, estimated)).splitlines()
    assert lines == [
        "class                   F1  precision     recall      known      found      right",
        "dog                   66.7       50.0      100.0          1          2          1",
        "siren                    –        0.0          –          0          1          0",  # noqa: RUF001
        r"犬\x1b[2J              0.0        0.0        0.0          1          0          0",
        "all events            40.0       33.3       50.0          2          3          1",
        "mean of classes       33.3       16.7       50.0",
    ]


def test_without_any_events():
    for measure, tables in itertools.product(
        MEASURES.values(), [(table(), table()), (table(("a", 0, 1, "x")), table())]
    ):
        figures = measure(*tables)
        assert figures["micro"]["matched"] == 0
        assert figures["micro"]["f1"] == (None if tables[0].empty else 0)
    assert measure(table(), table())["macro"] == {"precision": None, "recall": None, "f1": None}


def test_an_hour_with_thousands_of_events_takes_no_square_of_memory():
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, 86400, 20000))
    reference = pd.DataFrame({"filename": "a.wav", "onset": onsets, "offset": onsets + 2, "event_label": "dog"})
    estimated = reference.assign(onset=onsets + 0.3, offset=onsets + 2.3)
    assert event_based(reference, estimated)["micro"]["f1"] == 1
    assert segment_based(reference, estimated)["micro"]["f1"] > 0.8


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("names", [SED, ["path", "start", "end", "label"]])
def test_tables_are_read_with_tabs_or_commas(tmp_path, separator, names):
    rows = [
        [*names, "more"],
        ["b.wav", "1.5", "2", "NA", "x"],
        ["silent.wav", "", "", "", ""],
        ["a.wav", "0", "1e1", "x y", ""],
    ]
    (tmp_path / "t").write_text("\ufeff" + "\n".join(map(separator.join, rows)))
    events, files = read_events(tmp_path / "t")
    pd.testing.assert_frame_equal(events, table(("b.wav", 1.5, 2, "NA"), ("a.wav", 0, 10, "x y")), check_dtype=False)
    assert events.onset.dtype == np.float64
    assert files == ["b.wav", "silent.wav", "a.wav"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column filename; its first line must name filename, onset, offset, event_label"),
        ("filename\tonset\n", "has no column offset"),
        ("filename,onset,offset,event_label\na,x,1,dog\n", "line 2: needs an onset of 0 s or more"),
        ("filename,onset,offset,event_label\na,1,2,dog\na,2,1,dog\n", "line 3: needs"),
        ("filename,onset,offset,event_label\na,1,inf,dog\n", "line 2: needs"),
        ("filename,onset,offset,event_label\na,nan,2,dog\n", "line 2: needs"),
        ("filename,onset,offset,event_label\na,-1,2,dog\n", "line 2: needs"),
        ("filename,onset,offset,event_label\na,1,2\n", "line 2: needs"),
        ('filename,onset,offset,event_label\n"a,1,2\n', "line 2: not a table"),
        ("filename,onset,offset,event_label\n\n\r\na,1,2,dog\r\n\n , \na,2,1,dog\n", "line 7: needs"),
        ('filename,onset,offset,event_label\n"a\n\nb",1,2,dog\n\na,2,1,dog\n', "line 6: needs"),
        ('filename,onset,offset,event_label\na,1,2,dog\n\n"a,1,2\n', "line 4: not a table"),
        ("filename,onset,offset,event_label\na,1,2,dog\n\n,1,2,dog\n", "line 4: has no file name"),
        ("filename,onset,offset,event_label\n\na,1,2,\udcff\n", "line 3 is not text in UTF-8"),
        (
            "filename,onset,offset,event_label\n\n" + "a" * 2**20 + ",1,2,dog\n",
            "line 3 has more than 1048576 characters",
        ),
    ],
)
def test_what_is_no_table_of_events_is_refused_in_a_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text, errors="surrogateescape", newline="")
    with pytest.raises(InputError, match=message) as error:
        read_events(tmp_path / "t.csv")
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(InputError, match="can't be read"):
        read_events(tmp_path / "none.csv")


MONTH = """
import resource, sys
from urbansound.report.event_metrics import read_events
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
events, files = read_events(sys.argv[1])
print(len(events), len(files), events.offset.sum(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("provenance", [0, 300], ids=["sed", "csv"])
def test_a_month_of_events_is_read_in_little_memory(tmp_path, provenance):
    rows, more = 30 * 2**20 // (48 + provenance), "," + "p" * provenance
    with open(tmp_path / "t.csv", "w") as file:
        file.write("filename,onset,offset,event_label,more\n")
        file.writelines(f"night/20260504_{row % 720:06}.wav,{row}.25,{row}.5,dog bark{more}\n" for row in range(rows))
    assert (tmp_path / "t.csv").stat().st_size > 30e6
    done = subprocess.run(
        [sys.executable, "-c", MONTH, tmp_path / "t.csv"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    read, files, offsets, kilobytes = map(float, done.stdout.split())
    assert (read, files, offsets) == (rows, 720, rows * (rows - 1) / 2 + rows / 2)
    assert 1024 * kilobytes < 350 * rows + 20e6  # what reading takes itself
