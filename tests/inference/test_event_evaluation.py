"""Names in tables find their recordings; the command measures what detect has written, or detects first."""

import itertools
import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile

from running import command
from urbansound.errors import InputError
from urbansound.inference.event_evaluation import Known, measure
from urbansound.report.event_metrics import event_based, segment_based
from urbansound.report.event_tables import SED, About, formats, recording_table

HEAD = "\t".join(SED) + "\n"


@pytest.fixture
def night(tmp_path, monkeypatch):
    """night/ with a.wav, b.wav, deep/a.wav and deep/c.flac; the working directory is its parent."""
    monkeypatch.chdir(tmp_path)
    os.makedirs("night/deep")
    for name in ("a.wav", "b.wav", "deep/a.wav", "deep/c.flac"):
        (tmp_path / "night" / name).touch()
    return tmp_path / "night"


def known(text, folder="night"):
    with open("known.tsv", "w") as file:
        file.write(HEAD + text)
    return Known.read("known.tsv", folder)


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("b.wav", "night/b.wav"),
        ("a.wav", "night/a.wav"),  # deep/a.wav would be another name
        ("./deep/a.wav", "night/deep/a.wav"),
        ("night/a.wav", "night/a.wav"),
        ("c.flac", "night/deep/c.flac"),
        ("/on/another/machine/deep/c.flac", "night/deep/c.flac"),
        ("../night/deep/a.wav", "night/deep/a.wav"),
        ("day/b.wav", "night/b.wav"),  # the folder has another name there
        ("day/c.flac", None),  # not its folder
        ("d.wav", None),
        ("wav", None),
    ],
)
def test_a_name_finds_its_recording(night, name, recording):
    for folder in ("night", str(night)):
        found = known("", folder).recording_of(name)
        assert found == (recording and os.path.join(os.path.dirname(folder), recording))
    assert known("").recording_of(str(night / "b.wav")) == "night/b.wav"


def test_a_name_that_fits_several_recordings_is_refused(night):
    (night / "deep" / "b.wav").touch()
    (night / "deep" / "er").mkdir()
    (night / "deep" / "er" / "c.flac").touch()
    with pytest.raises(
        InputError, match=r"c.flac: fits night/deep/c.flac and night/deep/er/c.flac; write their folders"
    ):
        known("c.flac\t1\t2\tdog\n")
    assert known("").recording_of("b.wav") == "night/b.wav"


def test_known_events_elsewhere_are_refused(night):
    with pytest.raises(
        InputError, match=r"2 recordings of known.tsv are not in night: x.wav, .*; pass other --recordings"
    ):
        known("a.wav\t1\t2\tdog\nx.wav\t1\t2\tdog\ny.wav\t\t\t\n")


def test_figures_are_of_the_recordings_and_what_is_left_out_is_counted(night):
    reference = known("a.wav\t1\t2\tdog\ndeep/a.wav\t5\t9\tsiren\nb.wav\t\t\t\n")
    rows = ["night/a.wav\t1.5\t2\tdog", "night/deep/a.wav\t5\t7\tsiren", "night/deep/a.wav\t20\t21\tdog",
            "day/c.flac\t1\t2\tdog", "x.wav\t1\t2\tdog"]  # fmt: skip
    with open("detected.tsv", "w") as file:
        file.write(HEAD + "\n".join(rows))
    figures = measure(reference, "detected.tsv", [1.0, 0.2], 0.5, offsets=True)
    assert (figures["recordings"], figures["without_events"]) == (4, 1)
    assert figures["left_out"] == {"events": 2, "recordings": 2}
    tables = [
        pd.DataFrame([["a", 1, 2, "dog"], ["da", 5, 9, "siren"]], columns=SED),
        pd.DataFrame([["a", 1.5, 2, "dog"], ["da", 5, 7, "siren"], ["da", 20, 21, "dog"]], columns=SED),
    ]
    for result, collar in zip(figures["event_based"], (1.0, 0.2), strict=True):
        assert (result.pop("collar"), result.pop("offsets")) == (collar, True)
        assert result == event_based(*tables, collar=collar, offsets=True)
    assert figures["event_based"][0]["micro"]["matched"] == 2
    assert figures["segment_based"].pop("segment_seconds") == 0.5
    assert figures["segment_based"] == segment_based(*tables, segment_seconds=0.5)
    assert figures["psds"] is None


def write_detected(events, form="csv", done=("a.wav", "b.wav", "deep/a.wav", "deep/c.flac")):
    os.makedirs("events", exist_ok=True)
    table = pd.concat(
        [
            recording_table(pd.DataFrame([row], columns=["start", "end", "label", "peak", "mean"]), path)
            for path, *row in events
        ]
    )
    (one,) = formats([form]).values()
    one.write(table, f"events/events{one.suffix}", About({}, 0.0, 4000.0))
    entry = dict.fromkeys(("size", "modified", "begin", "latitude", "longitude", "fault")) | {"seconds": 20.0}
    with open("events/journal.jsonl", "w") as file:
        for path in [f"night/{name}" for name in done]:
            own = [event for of, *event in events if of == path]
            file.write(json.dumps({**entry, "path": path, "events": own}) + "\n")


def test_labels_that_the_model_does_not_have_are_named(night):
    reference = known("a.wav\t1\t2\tdog\na.wav\t3\t4\tdgo\nb.wav\t5\t9\tsiren\n")
    write_detected([("night/a.wav", 1.0, 2.0, "dog", 1.0, 1.0)])
    for detected in ("events", "events/events.csv"):  # whose classes nothing tells
        assert measure(reference, detected, [1.0], 1.0)["unknown_labels"] == ["dgo", "siren"]
    (night.parent / "events/settings.json").write_text('{"classes": ["dog", "siren"]}')
    assert measure(reference, "events", [1.0], 1.0)["unknown_labels"] == ["dgo"]


@pytest.mark.parametrize("form", ["csv", "sed"])
def test_labels_and_names_like_formulas_are_those_of_detect_s_tables(night, form):
    (night / "=x.wav").touch()
    events = [("night/b.wav", 1.0, 2.0, "=dog", 1.0, 1.0)]
    write_detected(events, form, ("a.wav", "b.wav", "deep/a.wav", "deep/c.flac", "=x.wav"))
    for detected in ("events", f"events/events{formats([form])[form].suffix}"):
        figures = measure(known("b.wav\t1\t2\t=dog\n"), detected, [1.0], 1.0)
        assert figures["event_based"][0]["micro"]["f1"] == 1


def test_a_folder_of_detect_must_hold_all_recordings(night):
    write_detected([("night/a.wav", 1.0, 2.0, "dog", 1.0, 1.0)], done=("a.wav", "deep/a.wav"))
    with pytest.raises(
        InputError, match=r"events: lacks night/b.wav and 1 more; run python -m urbansound.detect on all"
    ):
        measure(known(""), "events", [1.0], 1.0)
    os.remove("events/journal.jsonl")
    with pytest.raises(InputError, match=r"events: not a folder of python -m urbansound.detect"):
        measure(known(""), "events", [1.0], 1.0)


def test_two_names_of_one_recording_in_what_was_detected_are_refused(night):
    write_detected([("night/a.wav", 1.0, 2.0, "dog", 1.0, 1.0)])
    with open("events/journal.jsonl") as file:
        lines = file.readlines()
    with open("events/journal.jsonl", "w") as file:
        file.writelines([*lines, lines[0].replace("night/a.wav", "other/night/a.wav")])
    with pytest.raises(InputError, match=r"night/a.wav and other/night/a.wav would both be night/a.wav"):
        measure(known(""), "events", [1.0], 1.0)


def test_a_journal_with_a_line_that_is_no_entry_is_damaged(night):
    write_detected([("night/a.wav", 1.0, 2.0, "dog", 1.0, 1.0)])
    with open("events/journal.jsonl", "a") as file:
        file.write('{"a": 1}\n')
    with pytest.raises(InputError, match=r"journal.jsonl: damaged; delete it"):
        measure(known(""), "events", [1.0], 1.0)


def test_psds_needs_scores_of_all_recordings(night):
    write_detected([("night/a.wav", 1.0, 2.0, "dog", 1.0, 1.0)])
    with pytest.raises(InputError, match=r"events: lacks the scores of night/a.wav and 3 more, which PSDS needs"):
        measure(known("a.wav\t1\t2\tdog\n"), "events", [1.0], 1.0, psds=True)


@pytest.fixture(scope="module")
def home(tone_run, tmp_path_factory):
    """A folder with night/, two recordings of tones and one of noise, and known.tsv."""
    home, rows = tmp_path_factory.mktemp("measured"), []
    (home / "night").mkdir()
    generator, seconds = np.random.default_rng(0), np.arange(20 * 8000) / 8000
    for place, name in enumerate(("a.wav", "b.wav", "quiet.wav")):
        sound = generator.normal(0, 0.05, len(seconds))
        for start, hertz, label in ((2 + place, 300, "low"), (9, 1000, "middle"), (14, 3000, "high")):
            if name != "quiet.wav":
                sound += 0.5 * np.sin(2 * np.pi * hertz * seconds) * ((seconds >= start) & (seconds < start + 2))
                rows.append(f"{name}\t{start}\t{start + 2}\t{label}\n")
        soundfile.write(home / "night" / name, sound, 8000)
    (home / "known.tsv").write_text(HEAD + "".join(rows))
    return home


def test_the_command_detects_and_measures_or_measures_what_is_there(home, tone_run):
    which = ("--events=known.tsv", "--recordings=night")
    flags = (f"--model={tone_run / 'run'}", "--out=events", "--threshold=0.6", "--collar=1,0.2")
    done = command("evaluate", *which, *flags, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "recordings: 3, of which 1 has no known events" in done.stdout
    assert "events, onsets within 1 s\nclass " in done.stdout
    assert "\nsegments of 1 s\nclass " in done.stdout
    figures = json.loads((home / "events/events_metrics.json").read_text())
    wide, narrow = figures["event_based"]
    assert wide["micro"]["recall"] >= narrow["micro"]["recall"]
    assert all(wide["per_class"][label]["reference"] == 2 for label in ("low", "middle", "high"))
    assert wide["per_class"]["low"]["recall"] == 1  # the tones are there
    assert json.loads((home / "events/settings.json").read_text())["on"] == 0.6
    again = command("evaluate", *which, "--detected=events", "--collar=1,0.2", "--out=figures", cwd=home)
    assert again.returncode == 0, again.stderr
    assert json.loads((home / "figures/events_metrics.json").read_text()) == figures
    assert again.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    table = command("evaluate", *which, "--detected=events/events.csv", "--collar=1,0.2", cwd=home)
    assert table.stdout == done.stdout
    (home / "typo.tsv").write_text((home / "known.tsv").read_text().replace("middle", "midle", 1))
    assert "midle" not in done.stderr
    typo = command("evaluate", "--events=typo.tsv", "--recordings=night", "--detected=events", cwd=home)
    fault = "typo.tsv: labels that are no class and were not detected: midle; are they misspelt?\n"
    assert (typo.returncode, typo.stderr) == (0, fault)


@pytest.mark.parametrize(
    "arguments",
    [
        pair + rest
        for pair, rest in itertools.product(
            [(), ("--recordings=night",), ("--detected=events",)], [(), ("--model=run",)]
        )
        if pair + rest != ("--recordings=night", "--detected=events")
    ]
    + [("--recordings=night", "--detected=events", "--model=run", "--out=events")],
)
def test_what_the_command_needs_is_said_in_a_line(home, arguments):
    done = command("evaluate", "--events=known.tsv", *arguments, cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: say which recordings")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flag", "fault"),
    [
        ("--collar=", "collar must be seconds"),
        ("--collar=1,x", "collar must be seconds with commas between. Received: 1,x"),
        ("--collar=-1", "collar must be seconds"),
        ("--events=nowhere.tsv", "nowhere.tsv: can't be read"),
        ("--recordings=nowhere", "nowhere: no such file or folder"),
        ("--detected=nowhere.tsv", "nowhere.tsv: can't be read"),
    ],
)
def test_bad_flags_end_in_a_line_and_nothing_is_written(home, tmp_path, flag, fault):
    which = ("--events=known.tsv", "--recordings=night", "--detected=known.tsv", f"--out={tmp_path / 'out'}")
    done = command("evaluate", *which, flag, cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--run_dir=run", "--recordings=night"), "--recordings is of no use without --events"),
        (("--run_dir=run", "--smooth_seconds=2"), "--smooth_seconds is of no use without --events"),
        (("--events=known.tsv", "--snr_db=10"), "--snr_db is of no use with --events"),
        (("--events=known.tsv", "--recordings=night", "--live"), "--live is of no use with --events"),
    ],
)
def test_flags_of_the_other_task_are_refused(home, arguments, fault):
    done = command("evaluate", *arguments, cwd=home)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {fault}\n")


def test_psds_s_package_is_asked_for_before_anything_is_detected(home, tone_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sed_scores_eval", None)
    flags = ("--events=known.tsv", "--recordings=night", f"--model={tone_run / 'run'}", f"--out={tmp_path / 'out'}")
    done = command("evaluate", *flags, "--psds", cwd=home)
    assert (done.returncode, "PSDS needs sed_scores_eval: pip install" in done.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_known_events_are_read_before_anything_is_detected(home, tone_run, tmp_path):
    (tmp_path / "known.tsv").write_text(HEAD + "x.wav\t1\t2\tlow\n")
    flags = (f"--events={tmp_path / 'known.tsv'}", f"--model={tone_run / 'run'}", f"--out={tmp_path / 'out'}")
    done = command("evaluate", "--recordings=night", *flags, cwd=home)
    assert (done.returncode, "known.tsv is not in night: x.wav" in done.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
