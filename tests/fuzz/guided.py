"""Coverage-guided fuzzing of one reader by atheris (`pip install .[fuzz]`): runs until it finds a fault, or is stopped.

python tests/fuzz/guided.py TARGET FOLDER [libFuzzer's flags, such as -runs=20000 -max_total_time=600]

Starts from the corpus of the target, and keeps in FOLDER the files by which new lines are executed. A file that shows
a fault is written as crash-…; libFuzzer's -artifact_prefix=FOLDER/ says where. Only Python is watched: of libsndfile
and TensorFlow, the lines that call them.
"""

import contextlib
import sys
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[1] / folder) for folder in ("support", ".."))

import atheris

import seeds
import targets


def main():
    """Fuzz."""
    if len(sys.argv) < 3 or sys.argv[1] not in targets.TARGETS:
        sys.exit(f"{__doc__}\nTARGET is one of {', '.join(targets.TARGETS)}")
    name = sys.argv.pop(1)
    with contextlib.ExitStack() as stack:
        # A reader imports the product when it is opened.
        with atheris.instrument_imports(include=["urbansound", "tomllib", "json", "absl"]):
            read = stack.enter_context(targets.opened(name))

        def feed(data):
            fault = targets.attempt(read, data)
            if isinstance(fault, str):
                raise targets.FaultError(fault)

        atheris.Setup([*sys.argv, str(seeds.CORPUS / targets.TARGETS[name].kind)], feed)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
