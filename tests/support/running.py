"""Running the commands as a person does: in this process, which is quick, or in one of their own."""

import contextlib
import copy
import io
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path
from unittest import mock

from absl import app, flags

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "--sample_rate=8000",
    "--clip_seconds=0.5",
    "--n_fft=256",
    "--win_length=256",
    "--hop_length=128",
    "--n_mels=16",
    "--width=0.25",
    "--batch_size=8",
    "--learning_rate=0.01",
    "--mel_mask_bands=2",
    "--time_mask_frames=4",
)
# absl defines them once in a process; here they must stand before the first command comes.
app.define_help_flags()


def command(name, *arguments, cwd=ROOT):
    """Run python -m urbansound.NAME, or python -m export, in this process: TensorFlow is loaded once for all.

    What a process of its own would not share with others is as new: the flags, the names of Keras's layers, the
    working directory. Its warnings are errors, as those of the tests are.

    Returns:
      what `process` would: arguments, exit code, and what Python printed to stdout and stderr.
    """
    arguments = [_module(name), *map(str, arguments)]
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(cwd))
        stack.enter_context(mock.patch.dict(os.environ, PYTHONPATH=str(ROOT)))
        stack.enter_context(mock.patch.object(sys, "argv", arguments))
        stack.enter_context(flags_of_a_new_process())
        stack.enter_context(_tensorflow_of_a_new_process())
        stack.enter_context(contextlib.redirect_stdout(output))
        stack.enter_context(contextlib.redirect_stderr(errors))
        code = _run_as_main(arguments[0])
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def process(name, *arguments, cwd=ROOT):
    """Run python -m urbansound.NAME, or python -m export, in a process of its own; the finished process."""
    return subprocess.run(
        [sys.executable, "-m", _module(name), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _module(name):
    return name if name.startswith("export") else f"urbansound.{name}"


def _run_as_main(module):
    """Exit code of running a module as __main__."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code or 0
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def flags_of_a_new_process():
    """The registry holds absl's own flags only; afterwards it is as it was."""
    new = copy.deepcopy(flags.FLAGS)
    for name in list(new):
        if name in new and not new.find_module_defining_flag(name).startswith("absl."):
            delattr(new, name)
    new.unparse_flags()
    registry = vars(flags.FLAGS)  # the object itself is the default argument of every DEFINE function
    before = dict(registry)
    registry.clear()
    registry.update(vars(new))
    try:
        yield
    finally:
        registry.clear()
        registry.update(before)
        # A command that another one imports defines its flags when it is loaded.
        for name in [name for name in sys.modules if name.startswith("urbansound.") and name.count(".") == 1]:
            if hasattr(sys.modules[name], "main"):
                del sys.modules[name]
                delattr(sys.modules["urbansound"], name.removeprefix("urbansound."))


@contextlib.contextmanager
def _tensorflow_of_a_new_process():
    """Layers are counted from the first again; afterwards nothing is deterministic that was not before."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=False)  # collecting takes half a second
    try:
        yield
    finally:
        if "tensorflow" in sys.modules:
            from tensorflow.python.util import _pywrap_determinism

            _pywrap_determinism.enable(False)
