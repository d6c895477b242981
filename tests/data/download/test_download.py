"""The download command."""

import subprocess
import sys


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "urbansound.download", *arguments], capture_output=True, text=True, timeout=60
    )


def test_command_refuses_a_mirror_that_holds_something_else(serve, tmp_path):
    server = serve()
    done = run_command("--dataset=esc50", f"--data_dir={tmp_path}", f"--url={server.url}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "1024000 bytes where 645832161 are expected" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_command_says_in_one_line_what_is_wrong(tmp_path):
    for arguments, text in (
        ([], "--dataset"),
        (["--dataset=esc10"], "esc10"),
        (["--dataset=esc50", "--url=ftp://example.invalid/x"], "must start with https:// or http://"),
    ):
        done = run_command(*arguments, f"--data_dir={tmp_path}")
        assert done.returncode == 2
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


def test_command_finds_a_complete_data_set_without_tensorflow(shared_data, tmp_path):
    table = shared_data / "esc10" / "esc50.csv"
    target = tmp_path / "ESC-50" / "meta" / "esc50.csv"
    target.parent.mkdir(parents=True)
    target.write_bytes(table.read_bytes())
    (tmp_path / "ESC-50" / "audio").mkdir()
    for line in table.read_text().splitlines()[1:]:
        (tmp_path / "ESC-50" / "audio" / line.split(",")[0]).touch()
    done = run_command("--dataset=esc50", f"--data_dir={tmp_path}")
    assert done.returncode == 0
    assert "already there, 2000 clips; licence: CC BY-NC" in done.stdout
    probe = "import sys, urbansound.download; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], timeout=60).returncode == 0
