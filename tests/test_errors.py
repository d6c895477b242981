"""What the operating system refuses is said in a line, with exit code 2, and leaves nothing half-written."""

import errno
import os
import shutil

import h5py
import keras
import pytest
import tensorflow as tf

from running import TINY, command
from urbansound import files
from urbansound.data import cache, prepare, sealed
from urbansound.errors import InputError, reason, system_fault


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), "runs/x: No space left on device"),
        (OSError("100 requested and 0 written"), "100 requested and 0 written"),
        (MemoryError("Unable to allocate 4 TiB"), "not enough memory (Unable to allocate 4 TiB)"),
        (InputError("of its own"), None),
        # What writing a SavedModel says where files must stay small.
        (tf.errors.OutOfRangeError(None, None, "{{node}} a/b; File too large [Op:SaveV2]"), "a/b; File too large"),
        (KeyError("a bug"), None),
    ],
)
def test_a_fault_of_the_system_has_a_line_and_a_bug_has_none(error, line):
    assert system_fault(error) == line


def test_a_full_disk_is_not_said_as_none_by_a_library(tmp_path):
    with pytest.raises(OSError, match=r"h5py|open") as caught:
        h5py.File(tmp_path / "absent" / "a.h5", "w")
    assert reason(caught.value) == "No such file or directory"


def test_a_disk_error_after_a_file_was_opened_has_a_line_in_a_pipeline_too(tmp_path):
    """As in a map that decodes: the file goes, or its disk fails, between the header's check and `tf.io.read_file`."""
    dataset = tf.data.Dataset.from_tensors(str(tmp_path / "gone.wav")).map(tf.io.read_file)
    with pytest.raises(tf.errors.NotFoundError) as caught:
        next(iter(dataset))
    line = system_fault(caught.value)
    assert str(tmp_path / "gone.wav") in line
    assert "No such file or directory" in line
    assert "\n" not in line
    assert "function_node" not in line
    assert system_fault(tf.errors.InvalidArgumentError(None, None, "a shape")) is None


def test_a_cache_file_that_is_damaged_in_mid_run_has_a_line_in_a_fit_in_a_pipeline_and_outside(tmp_path):
    entry = str(tmp_path / "a.i16")
    sealed.write(entry, b"\0" * 8)
    (tmp_path / "a.i16").write_bytes((tmp_path / "a.i16").read_bytes()[:-1] + b"\1")
    dataset = tf.data.Dataset.from_tensors(entry).map(lambda path: (tf.ensure_shape(cache.read(path), [2]), [0.0]))
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for use in (
        lambda: model.fit(dataset.batch(1), shuffle=False, verbose=0),
        lambda: list(dataset),
        lambda: cache.read(entry),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            use()
        assert system_fault(caught.value) == f"{entry} is damaged; start again: it is then made anew"


def test_a_cache_file_that_goes_in_mid_run_has_a_line_in_a_fit(tmp_path):
    dataset = tf.data.Dataset.from_tensors(str(tmp_path / "gone")).map(
        lambda path: (tf.ensure_shape(cache.read(path), [2]), [0.0])
    )
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(tf.errors.NotFoundError) as caught:
        model.fit(dataset.batch(1), shuffle=False, verbose=0)
    assert system_fault(caught.value) == f"{tmp_path}/gone; No such file or directory"


def test_an_error_of_tensorflow_without_a_text_is_a_bug():
    assert system_fault(tf.errors.CancelledError(None, None, "")) is None
    assert system_fault(tf.errors.ResourceExhaustedError(None, None, "")).startswith("not enough memory")


@pytest.fixture
def run(tone_run, tmp_path):
    """The folder of a copy of the run on the tones."""
    shutil.copytree(tone_run / "run", tmp_path / "run")
    return tmp_path / "run"


def test_a_cache_entry_that_goes_in_mid_run_ends_evaluation_in_a_line(run, monkeypatch):
    monkeypatch.setattr(prepare, "cache_entries", lambda clips, config: [f"{run}/gone.i16"] * len(clips))
    done = command("evaluate", f"--run_dir={run}", cwd=run.parent)
    assert done.returncode == 2
    assert "gone.i16" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_cache_entry_that_is_damaged_in_mid_run_ends_evaluation_in_a_line(run, monkeypatch):
    (run / "damaged.i16").write_bytes(bytes(100))
    monkeypatch.setattr(prepare, "cache_entries", lambda clips, config: [f"{run}/damaged.i16"] * len(clips))
    done = command("evaluate", f"--run_dir={run}", cwd=run.parent)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"error: {run}/damaged.i16 is damaged; start again: it is then made anew"
    assert "Traceback" not in done.stderr


def test_a_full_disk_ends_evaluation_in_a_line_and_leaves_the_old_results(run, monkeypatch):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}

    def full(part, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), part, None, path)

    monkeypatch.setattr(files.os, "replace", full)
    done = command("evaluate", f"--run_dir={run}", cwd=run.parent)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert {**after, ".lock": b""} == {**before, ".lock": b""}


NEW_RUN = ("--dataset=folder", "--data_dir=clips", *TINY)
EVENTS = ("--events=known.tsv", "--recordings=clips")
# Of every command that takes a folder to write into: its flag, and what else it needs.
FOLDERS = [
    ("train", "--run_dir", NEW_RUN),
    ("crossval", "--run_dir", (*NEW_RUN, "--protocol=fixed_epochs")),
    ("search", "--run_dir", (*NEW_RUN, "--space=space.toml")),
    ("committee", "--run_dir", ("--run_dirs=run,other",)),
    ("export", "--out", ("--run_dir=run",)),
    ("detect", "--out", ("--model=run", "clips")),
    ("detect", "--clips", ("--model=run", "--out=new", "clips")),
    ("detect", "--out", ("--model=run", "--live")),
    ("evaluate", "--out", (*EVENTS, "--model=run")),
    ("evaluate", "--out", (*EVENTS, "--detected=known.tsv")),
    ("download", "--data_dir", ("--dataset=esc50",)),
]


@pytest.fixture(scope="module")
def home(tone_run, tone_folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(tone_folder, home / "clips")
    for name in ("run", "other"):
        shutil.copytree(tone_run / "run", home / name)
    (home / "file").write_text("text")
    (home / "link").symlink_to("nowhere")
    (home / "space.toml").write_text("dropout = [0.3]")
    (home / "known.tsv").write_text("filename\tonset\toffset\tevent_label\n")
    return home


@pytest.mark.parametrize(("name", "flag", "others"), FOLDERS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("place", ["file", "file/a/b", "link"])
def test_a_folder_that_is_a_file_or_in_one_is_said_alike_by_every_command(name, flag, others, place, home):
    before = sorted(home.rglob("*"))
    done = command(name, f"{flag}={place}", *others, cwd=home)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    taken = place.partition("/")[0]
    assert last.removeprefix("error: ").removeprefix(f"{home}/") == f"{taken}: not a folder; pass another {flag}"
    assert "Traceback" not in done.stderr
    assert (home / "file").read_text() == "text"
    assert sorted(home.rglob("*")) == before
