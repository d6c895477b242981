"""The table of window scores has no gaps and no overlaps, whatever blocks the windows come in."""

import numpy as np
import pandas as pd
import pytest

from urbansound.report.score_table import SUFFIX, score_table

NAMES = ["dog bark", "siren"]


def written(tmp_path, scores, starts, cuts=(), seconds=None, names=NAMES):
    path = tmp_path / f"a{SUFFIX}"
    with score_table(path, names, 4.0) as table:
        for part, begins in zip(np.split(scores, cuts), np.split(starts, cuts), strict=True):
            table.add(part, begins)
        table.finish(seconds)
    return path


def read(path):
    return pd.read_csv(path, sep="\t", float_precision="round_trip")


def test_rows_have_no_gaps_and_scores_are_whole(tmp_path):
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=(50, 2)).astype(np.float32)
    starts = np.cumsum(rng.uniform(0.1, 0.9, 50)) - 0.1
    starts[0] = 0
    path = written(tmp_path, scores, starts, seconds=40.5)
    table = read(path)
    assert table.columns.tolist() == ["onset", "offset", *NAMES]
    assert table.onset[0] == 0
    assert table.offset[49] == 40.5
    assert (table.onset[1:].to_numpy() == table.offset[:-1].to_numpy()).all()  # to the bit: sed_scores_eval asks for it
    middles = starts + 2
    np.testing.assert_allclose(table.offset[:-1], (middles[1:] + middles[:-1]) / 2, rtol=1e-12)
    assert (table[NAMES].to_numpy().astype(np.float32) == scores).all()


def test_blocks_do_not_matter(tmp_path):
    rng = np.random.default_rng(1)
    scores, starts = rng.uniform(size=(50, 2)).astype(np.float32), np.cumsum(rng.uniform(0.1, 0.9, 50))
    whole = written(tmp_path, scores, starts).read_bytes()
    for blocks in (2, 10, 49, 80):
        cuts = np.sort(rng.integers(0, 51, blocks - 1))
        assert written(tmp_path, scores, starts, cuts).read_bytes() == whole


def test_one_window_and_none(tmp_path):
    row = read(written(tmp_path, np.ones((1, 2), np.float32), np.zeros(1), seconds=0.3)).iloc[0]
    assert row.tolist() == [0, 0.3, 1, 1]
    assert read(written(tmp_path, np.ones((1, 2), np.float32), np.zeros(1))).offset[0] == 4
    empty = read(written(tmp_path, np.ones((0, 2), np.float32), np.zeros(0)))
    assert empty.columns.tolist() == ["onset", "offset", *NAMES]
    assert len(empty) == 0


def test_names_stay_one_cell(tmp_path):
    names = ["a\tb", 'c"\nd', '"', "犬"]
    table = read(written(tmp_path, np.ones((3, 4), np.float32), np.arange(3.0), names=names))
    assert table.columns.tolist() == ["onset", "offset", r"a\tb", r'c"\nd', '"', "犬"]


def test_nothing_is_left_of_a_table_that_was_broken_off(tmp_path):
    with pytest.raises(RuntimeError), score_table(tmp_path / "a.tsv", NAMES, 4.0) as table:  # noqa: PT012
        table.add(np.ones((3, 2), np.float32), np.arange(3.0))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
