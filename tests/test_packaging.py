"""The package: what it imports is pinned, what it consists of is installed."""

import ast
import fnmatch
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("urbansound", "export")
# Installed apart by the Makefile: its own requirements would bring a second TensorFlow.
APART = "tensorflow-serving-api"


def files():
    """Everything in the packages, but for what Python compiled."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*")) if path.is_file()]
    return [path for path in found if path.parent.name != "__pycache__"]


def imported(path):
    """Dotted names of the modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def canonical(name):
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned():
    """Canonical names that requirements.txt pins to one version, on whatever platform."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return {canonical(match[1]) for line in lines if (match := re.match(r"([\w.-]+)==[\d.]+", line))}


def optional():
    """Canonical names that an extra pins: what imports them does without."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
    paths = [path for extra in extras["optional-dependencies"].values() for path in extra["file"]]
    lines = [line for path in paths for line in (ROOT / path).read_text().splitlines()]
    return {canonical(match[1]) for line in lines if (match := re.match(r"([\w.-]+)==[\d.]+", line))}


def test_everything_imported_is_pinned():
    modules = {name.partition(".")[0] for path in files() if path.suffix == ".py" for name in imported(path)}
    modules -= {*PACKAGES, *sys.stdlib_module_names, *(name for name in modules if canonical(name) in optional())}
    distributions = importlib.metadata.packages_distributions()
    provided_by = {module: {canonical(name) for name in distributions[module]} for module in modules}
    assert {module: names for module, names in provided_by.items() if not names & {*pinned(), APART}} == {}


def test_every_file_is_installed():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    for path in files():
        package = next(folder for folder in path.parents if (folder / "__init__.py").exists())
        within = str(path.relative_to(package))
        if path.suffix == ".py":
            assert package == path.parent, f"{path.parent} lacks an __init__.py"
        elif path.name != "README.md":
            assert any(fnmatch.fnmatch(within, pattern) for pattern in patterns), f"{path} is in no package-data"
