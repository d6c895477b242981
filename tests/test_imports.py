"""The house: which room may import which, directly or by others, and how long files and functions may be."""

import ast
import functools
import re
import subprocess
import sys

import pytest

from running import ROOT
from urbansound import models

SHARED = {
    "flags",
    "run",
    "command",
    "cores",
    "digest",
    "errors",
    "files",
    "journal",
    "progress",
    "registry",
    "targets",
    "text",
}  # files; config is a folder
# What each room may import, and by that whatever those import. A room is a folder of urbansound/ or a file at its root;
# a command, which is none of these, may import all.
ROOMS = {
    "experiments": {
        "cores",
        "training",
        "inference",
        "run",
        "report",
        "models",
        "data",
        "files",
        "journal",
        "progress",
    },
    "inference": {"cores", "run", "report", "models", "data", "audio", "files", "journal", "progress"},
    "training": {"run", "report", "models", "data", "audio", "files", "progress"},
    "run": {"models", "config", "files", "targets"},
    "flags": {"models", "data", "config"},
    "report": {"files", "targets", "text"},
    "models": {"registry", "targets"},
    "data": {"cores", "digest", "audio", "files", "progress", "registry", "targets", "text"},
    "audio": {"config"},
    "config": {"errors"},
    "command": {"errors", "files", "text"},
    "files": {"errors"},
    "journal": {"errors"},
    "progress": {"errors"},
    "registry": {"errors"},
    "cores": set(),
    "digest": set(),
    "errors": set(),
    "targets": set(),
    "text": set(),
}
GENERATED = {"export/tflite/metadata_schema_py_generated.py"}
WITHOUT_TENSORFLOW = ["config", "flags", "command", "run", "data.catalog", "data.splits", "data.synthetic", "models"]
# What asked for one architecture among all, or for the name of a layer or of what a converter made.
PROTOCOLS = re.compile(r"model\.name ==|get_layer\(\"standardize|DEPTHWISE|NETWORK\.findall")


@functools.cache
def sources():
    """{dotted name: path} of the modules of both packages."""
    paths = [path for package in ("urbansound", "export") for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(_parts(path)): path for path in paths}


def _parts(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def relative(path):
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Dotted names of all that a file imports, inside functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def edges(name):
    """The modules of both packages that a module imports, and the packages that these lie in."""
    found = {part for other in imported(sources()[name]) for part in _with_packages(other)}
    return (found & set(sources())) - {name}


def _with_packages(dotted):
    parts = dotted.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def reached(name):
    """All modules of both packages that a module imports, directly or by others."""
    seen, waiting = set(), [name]
    while waiting:
        new = edges(waiting.pop()) - seen
        seen |= new
        waiting += new
    return seen


def room(name):
    """The room of a module of urbansound; None of the package itself."""
    return name.split(".")[1] if "." in name else None


def allowed(name):
    """The rooms that a room may reach."""
    result, waiting = {name, "errors"}, [name]
    while waiting:
        new = ROOMS[waiting.pop()] - result
        result |= new
        waiting += new
    return result


@pytest.mark.parametrize("name", [name for name in sources() if room(name) in ROOMS and name.startswith("urbansound")])
def test_a_module_reaches_only_what_its_room_may(name):
    rooms = {room(other): other for other in reached(name) if room(other)}
    assert set(rooms) <= allowed(room(name)), f"{name} reaches {rooms}"


def test_the_product_does_not_import_the_export():
    assert not {name for name in sources() if name.startswith("urbansound") and "export" in reached(name)}


# To train is a command's; a search and a cross-validation do it too.
@pytest.mark.parametrize(
    "name", [name for name in sources() if name.startswith(("urbansound.inference.", "export", "urbansound.report."))]
)
def test_augmentation_is_reached_from_training_only(name):
    assert "urbansound.data.augment" not in reached(name)


def test_flags_are_read_only_in_commands():
    users = {path for path in sources().values() if any(name.split(".")[0] == "absl" for name in imported(path))}
    users = {relative(path) for path in users if not is_command(path)}
    # `export` is a command too, and the client of a server is a program of its own.
    assert users == {"urbansound/flags.py", "urbansound/command.py", "export/__main__.py", "export/serving/client.py"}


def is_command(path):
    return path.parent == ROOT / "urbansound" and "command.run(main" in path.read_text()


def test_the_root_holds_commands_and_what_they_share():
    files = {path.stem for path in (ROOT / "urbansound").glob("*.py") if not is_command(path)}
    assert files == {"__init__", *SHARED}
    folders = {path.name for path in (ROOT / "urbansound").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ROOMS) - SHARED


@pytest.mark.parametrize("path", sorted((ROOT / "urbansound/models").glob("*.py")), ids=lambda path: path.stem)
def test_only_weights_of_the_models_know_files(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"pathlib", "os", "io", "h5py", "zipfile"}
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert "open" not in {getattr(function, "id", None) for function in calls}


def test_no_tensorflow_where_none_belongs():
    names = [f"urbansound.{name}" for name in WITHOUT_TENSORFLOW]
    names += [name for name in sources() if name.startswith("urbansound.report")]
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "    if {'tensorflow', 'keras'} & set(sys.modules):\n"
        "        sys.exit(name)\n"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_nobody_asks_which_architecture_it_is():
    own = {f"urbansound/models/{folder}{name}.py" for name in models.MODULES for folder in ("", "weights/")}
    found = {
        f"{relative(path)}:{number}: {line.strip()}"
        for path in sources().values()
        if relative(path) not in own | GENERATED
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if PROTOCOLS.search(line)
    }
    assert not found


@pytest.mark.parametrize("name", [name for name, path in sources().items() if path.name == "__init__.py"])
def test_every_room_says_what_belongs_there(name):
    assert ast.get_docstring(tree(sources()[name]))


def written():
    tests = sorted((ROOT / "tests").rglob("*.py"))
    return [path for path in [*sources().values(), *tests] if relative(path) not in GENERATED]


def test_no_file_is_longer_than_300_lines():
    lengths = {relative(path): len(path.read_text().splitlines()) for path in written()}
    assert not {path: length for path, length in lengths.items() if length > 300}
    assert lengths["urbansound/training/fit.py"] < 150


def test_no_function_is_longer_than_50_lines():
    lengths = {
        f"{relative(path)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in written()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: length for name, length in lengths.items() if length > 50}
