"""Files: read within limits, written whole and durably, folders made whole, locks that end with their process."""

import errno
import os
import subprocess
import sys

import pandas as pd
import pytest

from running import ROOT
from urbansound import files
from urbansound.errors import InputError


def test_a_written_file_is_on_the_disk_before_it_takes_its_place_and_the_folder_after(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda part, path: (done.append("replace"), replace(part, path)))
    files.write_text(tmp_path / "a.txt", "text")
    assert done == [str(tmp_path / f".{os.getpid()}.part.a.txt"), "replace", str(tmp_path)]


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path):
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(tmp_path / "a.txt", "half\ud800")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\0" * (files.MAX_TEXT_BYTES + 1)], ids=["binary", "large"])
def test_a_file_that_is_no_text_is_refused_in_a_line(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=r"not (a )?text"):
        files.read_text(tmp_path / "a")


def test_lines_are_read_of_a_file_of_any_size_without_the_mark_of_utf_8(tmp_path):
    lines = ["a\r\n", *["b" * (files.MAX_LINE - 1) + "\n"] * 17, "ä"]
    (tmp_path / "a").write_text("\ufeff" + "".join(lines), newline="")
    assert (tmp_path / "a").stat().st_size > files.MAX_TEXT_BYTES
    assert list(files.read_lines(tmp_path / "a")) == lines
    with open(tmp_path / "hole", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match="line 1 has more than 1048576 characters"):
        list(files.read_lines(tmp_path / "hole"))


def test_devices_pipes_folders_and_names_that_no_file_has_are_refused_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe", tmp_path):
        for read in (files.read_text, lambda path: list(files.read_lines(path))):
            with pytest.raises(InputError, match="not a file"):
                read(path)
    for path in ("a\0b", tmp_path / "absent"):
        with pytest.raises(InputError, match="can't be read"):
            files.read_text(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_json_that_is_no_object_is_refused_in_a_line(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"not JSON|must hold a JSON object"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b'path\n"', b"path,salience\na,x\n", b"other\n1\n"])
def test_a_table_that_is_damaged_is_refused_in_a_line(content, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"not a table|has no column path"):
        files.read_csv(tmp_path / "a.csv", ["path", "salience"][: 2 if b"sal" in content else 1])
    with pytest.raises(InputError, match="not a table"):
        files.read_csv(tmp_path / "absent.csv")
    files.write_csv(tmp_path / "b.csv", pd.DataFrame({"path": ["None"]}))
    assert files.read_csv(tmp_path / "b.csv", ["path"]).path.tolist() == ["None"]


def test_a_folder_that_was_being_made_by_a_killed_process_is_removed_and_one_that_is_being_made_stays(tmp_path):
    killed, alive, other = (tmp_path / name for name in (".1.part.out", ".2.part.out", ".1.part.other"))
    for folder in (killed, alive, other):
        folder.mkdir()
        (folder / "half").touch()
    with files.lock(alive), files.new_folder(tmp_path / "out") as part:
        (part / "whole").touch()
    assert {path.name for path in tmp_path.iterdir()} == {".2.part.out", ".1.part.other", "out"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]


def test_a_folder_is_made_whole_or_not_at_all(tmp_path):
    with pytest.raises(FileNotFoundError), files.new_folder(tmp_path / "out") as part:
        (part / "half" / "file").touch()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="can't be made"), files.new_folder(tmp_path / "out"):
        (tmp_path / "out").touch()  # meanwhile


def test_a_locked_folder_refuses_a_second_and_loses_what_a_killed_one_left(tmp_path):
    (tmp_path / ".1.part.a.csv").touch()
    with files.lock(tmp_path), pytest.raises(InputError, match="another process is at work on it"):
        files.lock(tmp_path).__enter__()
    with files.lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path):
    code = "import sys, time; from urbansound import files; hold = files.lock(sys.argv[1]); hold.__enter__()"
    code += "; print(flush=True); time.sleep(99)"
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(InputError), files.lock(tmp_path):
        pass
    process.kill()
    process.communicate()
    with files.lock(tmp_path):
        pass


def test_a_folder_is_locked_until_it_has_its_name_so_that_nobody_removes_it_as_left_by_a_killed_process(
    tmp_path, monkeypatch
):
    rename = os.rename

    def checked(part, path):
        with pytest.raises(InputError, match="another process"), files.lock(part):
            pass
        rename(part, path)

    monkeypatch.setattr(os, "rename", checked)
    with files.new_folder(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_without_the_system_s_locks_no_file_is_open_in_a_folder_that_is_renamed(tmp_path, monkeypatch):
    """Windows can't rename it then."""
    monkeypatch.setattr(files, "fcntl", None)
    with files.new_folder(tmp_path / "out") as part:
        assert list(part.iterdir()) == []
    (tmp_path / "out" / ".1.part.a.csv").touch()
    with files.lock(tmp_path / "out"):  # nothing tells whether another process is writing it
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".1.part.a.csv"]


def test_on_a_file_system_without_locks_nothing_that_another_process_may_be_writing_is_removed(tmp_path, monkeypatch):
    def no_locks(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    (tmp_path / ".1.part.out").mkdir()
    (tmp_path / ".1.part.a.csv").touch()
    with files.lock(tmp_path) as held, files.new_folder(tmp_path / "out"):
        assert not held
    assert {path.name for path in tmp_path.iterdir()} == {".lock", ".1.part.out", ".1.part.a.csv", "out"}
