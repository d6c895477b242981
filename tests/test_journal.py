"""A journal keeps what was added, whatever a kill leaves of its last line."""

import pytest

from urbansound.errors import InputError
from urbansound.journal import Journal, read


def test_entries_are_read_back_in_order(tmp_path):
    entries = [{"path": "a\nb", "value": 0.1}, {"path": "ü\udcff"}]
    for entry in entries:
        Journal(tmp_path / "j").add(entry)
    assert Journal(tmp_path / "j").entries == entries


@pytest.mark.parametrize("torn", [b'{"path": "c"', b'{"path": "c"}', b"\0\0\0\n", b"[]\n"])
def test_a_torn_last_line_is_taken_off(torn, tmp_path):
    Journal(tmp_path / "j").add({"path": "a"})
    with open(tmp_path / "j", "ab") as file:
        file.write(torn)
    written = (tmp_path / "j").read_bytes()
    assert read(tmp_path / "j") == [{"path": "a"}]
    assert (tmp_path / "j").read_bytes() == written  # its writer may be at work on that line
    journal = Journal(tmp_path / "j")
    assert journal.entries == [{"path": "a"}]
    journal.add({"path": "b"})
    assert Journal(tmp_path / "j").entries == [{"path": "a"}, {"path": "b"}]


@pytest.mark.parametrize("line", [b"text\n", b"[]\n", b"1\n", b"[" * 100_000 + b"\n"])
def test_a_damaged_line_before_the_last_is_refused(line, tmp_path):
    (tmp_path / "j").write_bytes(line + b"{}\n")
    with pytest.raises(InputError, match="damaged; delete it to begin anew"):
        Journal(tmp_path / "j")
