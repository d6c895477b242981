"""ESC-50: 2,000 clips of fifty everyday sounds in five folds."""

import pandas as pd

from urbansound.data import catalog, table
from urbansound.data.datasets.record import Archive, DataSet

# GitHub makes archives on request and publishes no checksum; a commit's archive, unlike a branch's, stays the same.
_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"


def read(data_dir, folds=(), name="esc50", bad_clips="fail"):
    """The Catalog of ESC-50 or of its part ESC-10.

    Args:
      data_dir: the folder ESC-50 or ESC-50-master (audio/*.wav, meta/esc50.csv) or the one around it.
      folds: only these; empty: all.
      name: "esc50", or "esc10" for only the ten classes of ESC-10.
      bad_clips: see `catalog.checked`.

    Raises:
      InputError: as `datasets.load`.

    Source: Piczak 2015, "ESC: Dataset for Environmental Sound Classification".
    """
    root = catalog.find_root(data_dir, ("ESC-50", "ESC-50-master"), "meta/esc50.csv", "esc50")
    source = root / "meta" / "esc50.csv"
    rows = table.read(source, ("filename", "fold", "target", "category", "esc10", "src_file"))
    if name == "esc10":
        rows = rows[rows.esc10.str.lower() == "true"]
    clips = pd.DataFrame(
        {
            "path": [str(root / "audio" / file) for file in rows.filename],
            "label": rows.category,
            "fold": table.whole_numbers(source, rows.fold, minimum=1),
            "recording": rows.src_file,
            "salience": pd.NA,
        }
    )
    class_names = catalog.ordered_names(source, rows.category, table.whole_numbers(source, rows.target, minimum=0))
    return catalog.checked(name, source, clips, class_names, folds, bad_clips)


DATASET = DataSet(
    name="esc50",
    title="ESC-50",
    authors="Piczak 2015",
    licence="CC BY-NC 3.0",
    licence_note="not for commercial use, unlike its part ESC-10; credits of every clip in the data set's LICENSE",
    load=lambda config: read(config.data_dir, config.folds, bad_clips=config.bad_clips),
    needs="data_dir",
    archive=Archive(
        folder="ESC-50",
        url=f"https://github.com/karolpiczak/ESC-50/archive/{_COMMIT}.zip",
        file="ESC-50.zip",
        top=f"ESC-50-{_COMMIT}",
        size_bytes=645_832_161,
        unpacked_bytes=900_000_000,
        checksum="sha256:661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
        clips=2000,
        read=read,
    ),
)
