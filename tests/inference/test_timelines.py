"""Pictures of a recording hold its log-mel, its scores and its events, hour by hour."""

import dataclasses
import datetime

import numpy as np
import pandas as pd
import pytest
import soundfile

from urbansound.audio.logmel import log_mel
from urbansound.config import AudioConfig
from urbansound.inference import detection, timelines
from urbansound.inference.description import Description
from urbansound.inference.events import EventSettings
from urbansound.inference.scorer import Scorer
from urbansound.inference.timelines import open_timeline, picture_suffixes
from urbansound.report import timeline as drawing
from urbansound.report.score_table import score_table

RATE = 8000
ARGUMENTS = ("log_mel", "mel_hz", "scores", "events", "class_names", "span", "title", "smooth_seconds")
# Each clip at one level, which a picture of many blocks must not take over.
AUDIO = AudioConfig(
    sample_rate=RATE,
    clip_seconds=0.5,
    n_fft=256,
    win_length=256,
    hop_length=128,
    n_mels=16,
    mean_level=1.0,
    log="ln",
    remove_dc=False,
)


def loudness(windows):
    loud = np.clip(np.sqrt(np.mean(np.square(windows, dtype=np.float64), axis=1)) / 0.2, 0, 1)
    return np.stack([loud, 1 - loud], axis=1).astype(np.float32)


SCORER = Scorer(Description(AUDIO, "repeat", ("loud", "quiet")), loudness, "model", "0" * 64)
SETTINGS = EventSettings()


@pytest.fixture
def sound():
    """25 s of quiet noise, loud from 8 to 11 s."""
    sound = np.random.default_rng(0).normal(0, 0.01, 25 * RATE)
    sound[8 * RATE : 11 * RATE] *= 20
    return np.float32(sound)


def drawn(sound, tmp_path, monkeypatch, begin=None):
    """What `timeline` is given for each picture, by the names of its arguments."""
    soundfile.write(tmp_path / "a.wav", sound, RATE, "FLOAT")
    given = []

    def noted(*arguments):
        given.append(dict(zip(ARGUMENTS, arguments, strict=True)))
        return drawing.timeline(*arguments)

    monkeypatch.setattr(timelines, "timeline", noted)
    with open_timeline(SCORER, SETTINGS, tmp_path) as taken:
        found = detection.detect(SCORER, tmp_path / "a.wav", 1000, SETTINGS, on_sound=taken.add_sound, outputs=[taken])
        paths = [tmp_path / f"a.wav{suffix}" for suffix in picture_suffixes(found.seconds)]
        taken.draw(found.events, "night/a.wav", begin, paths)
    assert sorted(tmp_path.glob("*.png")) == paths
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG"] * len(paths)
    return given


def test_a_recording_below_an_hour_has_one_picture(sound, tmp_path, monkeypatch):
    (picture,) = drawn(sound, tmp_path, monkeypatch, datetime.datetime(2026, 5, 4, 6, tzinfo=datetime.UTC))
    assert picture["title"] == "2026-05-04 06:00:00+00:00  night/a.wav"
    assert picture["span"] == (0, 25.0)
    plain = AudioConfig(**{**vars(AUDIO), "mean_level": None, "log": "db", "padding": "zeros"})
    whole = log_mel(sound, plain).numpy()[: -(-len(sound) // 128)]
    # Maxima of two frames; at the borders of blocks frames lack what is in the next one.
    expected = np.pad(whole, [(0, len(whole) % 2), (0, 0)], mode="edge").reshape(-1, 2, 16).max(axis=1)
    differs = np.abs(picture["log_mel"] - expected).max(axis=1) > 0.01
    assert picture["log_mel"].shape == expected.shape
    assert differs.sum() <= 3
    loud = picture["scores"][:, 0] > 0.5
    seconds = (np.arange(len(loud)) + 0.5) * 25 / len(loud)
    assert (loud == ((seconds > 8) & (seconds < 11)))[np.abs(seconds - 8) > 0.2][:60].all()
    assert picture["events"].label.tolist() == ["quiet", "loud", "quiet"]


def test_longer_ones_have_one_of_each_hour(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(timelines, "SECONDS", 10)
    monkeypatch.setattr(drawing, "SECONDS", 10)
    begin = datetime.datetime(2026, 5, 4, 23, 59, 50)
    pictures = drawn(sound, tmp_path, monkeypatch, begin)
    assert picture_suffixes(25.0) == [f".timeline.00{hour}h.png" for hour in range(3)]
    assert [picture["span"] for picture in pictures] == [(0, 10), (10, 20), (20, 25.0)]
    assert [picture["title"] for picture in pictures] == [
        f"{clock}  night/a.wav" for clock in ("2026-05-04 23:59:50", "2026-05-05 00:00:00", "2026-05-05 00:00:10")
    ]
    for picture, loud in zip(pictures, (0.2, 0.1, 0), strict=True):
        assert (picture["scores"][:, 0] > 0.5).mean() == pytest.approx(loud, abs=0.03)
        assert (picture["log_mel"].mean(axis=1) > -8).mean() == pytest.approx(loud, abs=0.03)


@pytest.mark.parametrize("seconds", [10, 3600])
@pytest.mark.parametrize("hop", [1000, 1300, 3000])  # samples; a window has 4000
def test_scores_stand_where_the_table_of_scores_has_them(hop, seconds, tmp_path, monkeypatch):
    monkeypatch.setattr(timelines, "SECONDS", seconds)
    monkeypatch.setattr(drawing, "SECONDS", seconds)
    rng, given = np.random.default_rng(0), []
    sound = np.repeat(rng.uniform(0, 0.2, 120), RATE // 10).astype(np.float32)[:-700]
    soundfile.write(tmp_path / "a.wav", sound, RATE, "FLOAT")
    monkeypatch.setattr(
        timelines, "timeline", lambda *arguments: given.append(arguments) or drawing.timeline(*arguments)
    )
    with open_timeline(SCORER, EventSettings(), tmp_path) as taken:
        with score_table(tmp_path / "a.tsv", ["loud", "quiet"], AUDIO.clip_seconds) as table:
            found = detection.detect(SCORER, tmp_path / "a.wav", hop, on_sound=taken.add_sound, outputs=[table, taken])
        taken.draw(found.events, "a", None, [tmp_path / f"{n}.png" for n in picture_suffixes(found.seconds)])
    rows = pd.read_csv(tmp_path / "a.tsv", sep="\t")
    for _, _, scores, _, _, (begin, end), *_ in given:
        width = (end - begin) / len(scores)
        middles = begin + width * (np.arange(len(scores)) + 0.5)
        row = np.searchsorted(rows.onset, middles) - 1
        inside = np.minimum(middles - rows.onset[row], rows.offset[row] - middles)
        inside = inside > 2 * width  # a row's column may begin one before it, and columns are drawn a bit narrower
        assert inside.mean() > 0.2
        np.testing.assert_allclose(scores[inside], rows[["loud", "quiet"]].to_numpy()[row[inside]], atol=1e-6)


def test_windows_that_count_as_0_are_marked(sound, tmp_path, monkeypatch):
    thresholds = {"classes": {"loud": 0.5, "quiet": 2.0}, "none": 0.0}  # quiet ones are none of the classes
    described = dataclasses.replace(SCORER.described, thresholds=thresholds)
    monkeypatch.setattr(f"{__name__}.SCORER", dataclasses.replace(SCORER, described=described))
    for known_only in (True, False):
        monkeypatch.setattr(f"{__name__}.SETTINGS", EventSettings(known_only=known_only))
        (picture,) = drawn(sound, tmp_path, monkeypatch)
        marked = picture["scores"] == drawing.NONE_OF_THESE
        assert marked.mean() == pytest.approx(22 / 25 if known_only else 0, abs=0.02)


@pytest.mark.parametrize("samples", [1, 100, 4000, 4001])
def test_the_shortest_recordings_have_a_picture(samples, sound, tmp_path, monkeypatch):
    assert len(drawn(sound[:samples], tmp_path, monkeypatch)) == 1


def test_nothing_has_no_picture(tmp_path):
    with open_timeline(SCORER, EventSettings(), tmp_path) as taken:
        taken.draw(pd.DataFrame({"start": [], "end": [], "label": []}), "a", None, [])
    assert list(tmp_path.iterdir()) == []
