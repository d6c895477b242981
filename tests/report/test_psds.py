"""PSDS is that of psds_eval, where the packages are installed; without them one line says what to install."""

import sys

import numpy as np
import pandas as pd
import pytest

from urbansound.errors import InputError
from urbansound.report import psds
from urbansound.report.event_tables import SED
from urbansound.report.score_table import score_table

NAMES = ("dog", "siren", "never")
SECONDS = 600.0


def recordings(folder, seed=0):
    """(known events, {name: table of scores}): windows of 1 s every 0.5 s, noisy scores that rise where events are."""
    generator, rows, paths = np.random.default_rng(seed), [], {}
    starts = np.arange(0, SECONDS - 0.5, 0.5)
    for name in ("a.wav", "b.wav", "quiet.wav"):
        scores = generator.uniform(0, 0.6, (len(starts), len(NAMES)))
        for place, label in enumerate(NAMES[:2]):
            for onset in () if name == "quiet.wav" else np.arange(0, SECONDS, 50) + generator.uniform(0, 40, 12):
                offset = onset + generator.uniform(1, 9)
                rows.append((name, onset, offset, label))
                scores[(starts + 1 > onset) & (starts < offset), place] += generator.uniform(0, 0.4)
        paths[name] = folder / f"{name}.scores.tsv"
        with score_table(paths[name], NAMES, 1.0) as table:
            table.add(scores, starts)
            table.finish(SECONDS)
    return pd.DataFrame(rows, columns=SED), paths


def by_psds_eval(reference, paths, settings):
    """PSDS by psds_eval 0.5.3 at every threshold that changes anything."""
    from psds_eval import PSDSEval

    tables = {name: pd.read_csv(path, sep="\t") for name, path in paths.items()}
    metadata = pd.DataFrame([(name, SECONDS) for name in paths], columns=["filename", "duration"])
    names = {"dtc_threshold": "dtc_threshold", "gtc_threshold": "gtc_threshold", "cttc_threshold": "cttc_threshold"}
    judge = PSDSEval(
        **{own: settings[name] for name, own in names.items() if name in settings},
        ground_truth=reference, metadata=metadata, class_names=sorted(set(reference.event_label)),
    )  # fmt: skip
    for threshold in np.linspace(0.3, 1, 141):
        rows = []
        for (name, table), label in (
            (item, label) for item in tables.items() for label in sorted(set(reference.event_label))
        ):
            above = np.concatenate([[False], table[label].to_numpy() > threshold, [False]])
            for first, last in np.flatnonzero(np.diff(above)).reshape(-1, 2):
                rows.append((name, table.onset[first], table.offset[last - 1], label))
        judge.add_operating_point(pd.DataFrame(rows, columns=SED))
    alphas = settings["alpha_ct"], settings["alpha_st"]
    return judge.psds(*alphas, max_efpr=psds.MAX_FALSE_PER_HOUR).value


@pytest.mark.filterwarnings("ignore")  # the packages'
def test_psds_is_that_of_psds_eval(tmp_path, monkeypatch):
    pytest.importorskip("sed_scores_eval")
    pytest.importorskip("psds_eval")
    fill = pd.DataFrame.fillna  # psds_eval calls it as before pandas 3
    of_old = lambda table, value=None, method=None: table.ffill() if method else fill(table, value)  # noqa: E731
    monkeypatch.setattr(pd.DataFrame, "fillna", of_old)
    # The two count cross triggers at other thresholds, so here they cost nothing.
    without = {"dtc_threshold": 0.1, "gtc_threshold": 0.1, "alpha_ct": 0.0, "alpha_st": 1.0}
    monkeypatch.setitem(psds.SCENARIOS, "scenario 2", without)
    reference, paths = recordings(tmp_path)
    first = reference[(reference.filename == "b.wav") & (reference.event_label == "dog")].iloc[0]
    within = ("b.wav", first.onset + 0.1, first.offset, "dog")
    more = [("a.wav", 1.0, 2.0, "bird"), ("a.wav", 5.0, 5.0, "dog"), within]
    result = psds.measure(pd.concat([reference, pd.DataFrame(more, columns=SED)], ignore_index=True), paths)
    assert result["left_out"] == 2
    for name, settings in psds.SCENARIOS.items():
        # psds_eval has the curve at 141 thresholds, sed_scores_eval at all.
        assert 0 < result[name] == pytest.approx(by_psds_eval(reference, paths, settings), abs=0.02)


def test_without_the_package_a_line_says_what_to_install(tmp_path, monkeypatch):
    reference, paths = recordings(tmp_path)
    monkeypatch.setitem(sys.modules, "sed_scores_eval", None)
    with pytest.raises(InputError, match="PSDS needs sed_scores_eval: pip install"):
        psds.measure(reference, paths)


def stand_in(monkeypatch, value):
    """A sed_scores_eval that keeps what it is asked and returns a value."""
    asked = []

    class Intersection:
        @staticmethod
        def psds(scores, truth, durations, **settings):
            asked.append((scores, truth, durations, settings))
            return value, {}, (), {}

    class Package:
        intersection_based = Intersection

    monkeypatch.setitem(sys.modules, "sed_scores_eval", Package)
    return asked


def test_the_package_gets_all_recordings_and_the_classes_that_have_events(tmp_path, monkeypatch):
    asked = stand_in(monkeypatch, 0.5)
    reference, paths = recordings(tmp_path)
    assert psds.measure(reference, paths) == {"scenario 1": 0.5, "scenario 2": 0.5, "left_out": 0}
    for scores, truth, durations, _ in asked:
        assert durations == dict.fromkeys(paths, SECONDS)
        assert [list(table.columns) for table in scores.values()] == [["onset", "offset", "dog", "siren"]] * 3
        assert (len(truth["a.wav"]), truth["quiet.wav"]) == (24, [])
    assert [settings["dtc_threshold"] for *_, settings in asked] == [0.7, 0.1]


def test_a_recording_without_sound_has_no_part_in_it(tmp_path, monkeypatch):
    asked = stand_in(monkeypatch, 0.5)
    reference, paths = recordings(tmp_path)
    paths["a.wav"].write_text("onset\toffset\tdog\tsiren\tnever\n")
    assert psds.measure(reference, paths)["left_out"] == (reference.filename == "a.wav").sum()
    assert all(list(scores) == list(truth) == ["b.wav", "quiet.wav"] for scores, truth, *_ in asked)


def test_what_can_t_be_measured_is_said(tmp_path, monkeypatch):
    stand_in(monkeypatch, 0.5)
    reference, paths = recordings(tmp_path)
    with pytest.raises(InputError, match="PSDS needs known events of the model's classes"):
        psds.measure(reference.assign(event_label="bird"), paths)
    for text in ("", "a,b\n1,2\n"):
        paths["b.wav"].write_text(text)
        with pytest.raises(InputError, match="not a table of scores"):
            psds.measure(reference, paths)
