"""Events of a recording by blocks are those of its whole waveform; one that breaks off keeps what came before."""

import dataclasses

import numpy as np
import pytest
import soundfile

from urbansound.config import AudioConfig
from urbansound.errors import InputError
from urbansound.inference import detection
from urbansound.inference.description import Description
from urbansound.inference.events import EventSettings, find_events
from urbansound.inference.scorer import Scorer

RATE = 8000
AUDIO = AudioConfig(sample_rate=RATE, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)


def loudness(windows):
    """A class that is heard where the window is loud, and one that is not."""
    loud = np.clip(np.sqrt(np.mean(np.square(windows, dtype=np.float64), axis=1)) / 0.2, 0, 1)
    return np.stack([loud, 1 - loud], axis=1)


SCORER = Scorer(Description(AUDIO, "repeat", ("loud", "quiet")), loudness, "model", "0" * 64)
SETTINGS = EventSettings(on={"loud": 0.5, "quiet": 2.0})


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """30 s of silence with noise from 3 to 5 s and from 21 to 29 s."""
    path = tmp_path_factory.mktemp("recording") / "a.wav"
    sound = np.zeros(30 * RATE)
    generator = np.random.default_rng(0)
    for start, end in ((3, 5), (21, 29)):
        sound[start * RATE : end * RATE] = generator.normal(0, 0.2, (end - start) * RATE)
    soundfile.write(path, sound, RATE)
    return path


def test_events_are_those_of_the_whole_waveform_and_come_as_they_are_known(recording):
    said, heard = [], []
    hop = detection.hop_of(SCORER, 0.1)
    found = detection.detect(SCORER, recording, hop, SETTINGS, said.extend, lambda *seconds: heard.append(seconds))
    sound = soundfile.read(recording, dtype="float32")[0]
    starts = np.arange(0, len(sound) - AUDIO.clip_samples + 1, hop)
    whole = np.stack([sound[start : start + AUDIO.clip_samples] for start in starts])
    expected = find_events(loudness(whole), starts / RATE, 0.5, ("loud", "quiet"), SETTINGS, 30.0)
    assert found.events.equals(expected)
    assert [event.label for event in said] == ["loud", "loud"]
    np.testing.assert_allclose(found.events[["start", "end"]], [[3, 5], [21, 29]], atol=0.15)
    assert (found.seconds, found.fault) == (30.0, None)
    assert heard[-1] == (30.0, 30.0)


def test_a_recording_that_breaks_off_gives_what_came_before(recording, tmp_path):
    (tmp_path / "cut.wav").write_bytes(recording.read_bytes()[: 44 + 2 * 10 * RATE])
    found = detection.detect(SCORER, tmp_path / "cut.wav", 800, SETTINGS)
    assert found.events.label.tolist() == ["loud"]
    assert found.seconds == 10.0
    assert "truncated" in found.fault


def test_what_is_no_sound_is_a_fault_and_has_no_events(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    found = detection.detect(SCORER, tmp_path / "text.wav", 800)
    assert (len(found.events), found.seconds) == (0, 0.0)
    assert found.fault


@pytest.mark.parametrize("seconds", [0, -1, 0.51, float("nan"), 1e-9])
def test_a_hop_that_leaves_gaps_is_refused(seconds):
    with pytest.raises(InputError, match="window_hop_seconds must be above 0 and at most the window"):
        detection.hop_of(SCORER, seconds)


def test_a_hop_is_a_quarter_of_a_window_by_default():
    assert detection.hop_of(SCORER, None) == 1000


# ln(p / (1 - p)) of "loud" alone: windows at least half as loud as "loud" can be are known.
THRESHOLDS = {"classes": {"loud": 0.7, "quiet": 0.6}, "none": 0.5, "weights": {"loud": 1.0, "quiet": 0.0}, "bias": 0.7}


def test_windows_that_are_none_of_the_classes_begin_no_event_but_under_a_threshold_of_ones_own(recording):
    described = dataclasses.replace(SCORER.described, thresholds=THRESHOLDS)
    scorer = dataclasses.replace(SCORER, described=described)
    for threshold, labels in ((None, {"loud"}), ("classes", {"loud"}), (0.5, {"loud", "quiet"})):
        settings = detection.event_settings(described, threshold)
        assert set(detection.detect(scorer, recording, 800, settings).events.label) == labels


def test_a_threshold_means_the_same_number_for_all_classes_or_the_model_s_own():
    described = dataclasses.replace(SCORER.described, thresholds=THRESHOLDS)
    assert detection.event_settings(described, "classes", gap_seconds=2.0) == EventSettings(
        on=THRESHOLDS["classes"], gap_seconds=2.0, known_only=True
    )
    assert detection.event_settings(described, 0.3) == EventSettings(on=0.3)
    assert detection.event_settings(described) == EventSettings(on=0.5, known_only=True)
    assert detection.event_settings(SCORER.described) == EventSettings(on=0.5)  # a model without thresholds
    with pytest.raises(InputError, match="the model has no thresholds"):
        detection.event_settings(SCORER.described, "classes")
