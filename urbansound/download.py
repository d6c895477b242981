"""Get a public data set: download its official archive, check it, unpack it.

python -m urbansound.download --dataset=urbansound8k --data_dir=data    6.0 GB
python -m urbansound.download --dataset=esc50 --data_dir=data           0.6 GB, ESC-10 within
"""

import sys

from absl import flags

from urbansound import command
from urbansound.data import datasets
from urbansound.data.download import archive, transfer
from urbansound.text import shown

DATASET = flags.DEFINE_enum(
    "dataset", None, datasets.downloadable(), "which data set; esc50 holds esc10", required=True
)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that the data set's own folder is put in")
URL = flags.DEFINE_string("url", None, "a mirror of the archive; its size and checksum are verified all the same")


def main(argv):
    """Download and unpack, or say that it is there."""
    del argv
    chosen = datasets.dataset(DATASET.value)
    try:
        root, was_there = archive.install(chosen.archive, DATA_DIR.value, URL.value)
    except KeyboardInterrupt:
        print(f"\nstopped; {transfer.AGAIN}", file=sys.stderr)
        raise
    there = "already there, " if was_there else ""
    print(f"{shown(root)}: {there}{chosen.archive.clips} clips; licence: {chosen.terms}")


if __name__ == "__main__":
    command.run(main)
