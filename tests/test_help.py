"""Every command's --help: exit code 0, an example of use, no TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for package in ("urbansound", "export")
    for path in (ROOT / package).rglob("*.py")
    if "    command.run(main" in path.read_text()
)


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_commands_are_found():
    assert {"urbansound.train", "urbansound.download", "export"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_and_every_flag_and_exits_with_0(name):
    done = run(name, "--help")
    assert done.returncode == 0
    before_flags, _, listed = done.stdout.partition("\nflags:\n")
    assert f"\npython -m {name} " in before_flags
    assert "  --" in listed
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "absl" in imported
    assert "tensorflow" not in imported


@pytest.mark.parametrize("flag", ["--helpshort", "--helpfull", "-?"])  # of one command: the same code serves all
def test_other_spellings_of_help_exit_with_0(flag):
    done = run("urbansound.evaluate", flag)
    assert done.returncode == 0
    assert "\npython -m urbansound.evaluate --run_dir=" in done.stdout
    assert "--run_dir: directory of the trained run" in done.stdout


def test_a_bad_flag_is_still_an_error():
    assert run("urbansound.evaluate", "--helpful").returncode == 2
