"""Imports point one way (DESIGN: commands, then trainer and report, then data and models, then audio, then config)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {"train", "evaluate", "crossval", "predict", "download", "search", "committee"}
# Highest first; a module imports from its own layer or a lower one.
LAYERS = [
    COMMANDS,
    {"trainer", "evaluation", "prediction", "callbacks", "crossvalidation", "trials", "combination"},
    {"processes", "space"},
    {"robustness"},
    {"scoring", "frozen"},
    {"data", "models", "pretrained", "run", "report"},
    {"audio"},
    {"flags"},
    {"config", "command", "files", "progress"},
    {"errors"},
]
# Of one layer, these know nothing of each other.
STRANGERS = [{"data", "models"}, {"data", "report"}, {"models", "report"}, {"models", "pretrained"}]
WITHOUT_TENSORFLOW = [
    "config",
    "flags",
    "command",
    "run",
    "data.catalog",
    "data.splits",
    "data.synthetic",
    "report.page",
]


def modules():
    return sorted((ROOT / "urbansound").rglob("*.py"))


def imported(path):
    """Dotted names of what a file imports from the project's two packages, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(dotted):
    """The part of urbansound that a dotted name belongs to, such as audio or config."""
    return dotted.split(".")[1]


def layer(name):
    (index,) = [i for i, names in enumerate(LAYERS) if name in names]
    return index


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    relative = path.relative_to(ROOT / "urbansound")
    if relative.name == "__init__.py" and len(relative.parts) == 1:
        return
    own = relative.parts[0].removesuffix(".py")
    for name in imported(path):
        assert name.split(".")[0] != "export", f"{relative} imports {name}"
        if not name.startswith("urbansound."):
            continue
        other = part(name)
        assert layer(own) <= layer(other), f"{relative} imports {name}, which lies above it"
        assert own == other or {own, other} not in STRANGERS, f"{relative} imports {name}"


def test_augmentation_is_reached_from_the_training_pipeline_alone():
    users = {
        str(path.relative_to(ROOT))
        for path in [*modules(), *(ROOT / "export").rglob("*.py")]
        if any(name.startswith("urbansound.data.augment") for name in imported(path))
    }
    assert users == {"urbansound/data/pipeline.py"}


def test_flags_are_read_in_commands_alone():
    allowed = {*(f"urbansound/{name}.py" for name in COMMANDS), "urbansound/flags.py", "urbansound/command.py"}
    users = {str(path.relative_to(ROOT)) for path in modules() if any("absl" in name for name in imported(path))}
    assert users <= allowed


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_no_tensorflow_where_none_belongs(name):
    code = f"import sys, urbansound.{name}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_file_outgrows_400_lines():
    files = [*modules(), *(ROOT / "export").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    files = [path for path in files if not path.name.endswith("_generated.py")]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := len(path.read_text().splitlines())) > 400}
    assert not long
