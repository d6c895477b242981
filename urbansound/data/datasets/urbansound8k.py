"""UrbanSound8K: 8,732 clips of ten city sounds in ten folds."""

import pandas as pd

from urbansound.data import catalog, table
from urbansound.data.datasets.record import Archive, DataSet


def read(data_dir, folds=(), name="urbansound8k", bad_clips="fail"):
    """The Catalog of UrbanSound8K, or of a data set in its layout.

    Args:
      data_dir: the folder UrbanSound8K (audio/foldN/*.wav, metadata/UrbanSound8K.csv) or the one around it.
      folds: only these; empty: all.
      name: of the data set.
      bad_clips: see `catalog.checked`.

    Raises:
      InputError: as `datasets.load`.

    Source: Salamon, Jacoby, Bello 2014, "A Dataset and Taxonomy for Urban Sound Research".
    """
    root = catalog.find_root(data_dir, ("UrbanSound8K",), "metadata/UrbanSound8K.csv", "urbansound8k")
    source = root / "metadata" / "UrbanSound8K.csv"
    rows = table.read(source, ("slice_file_name", "fsID", "salience", "fold", "classID", "class"))
    fold = table.whole_numbers(source, rows.fold, minimum=1)
    clips = pd.DataFrame(
        {
            "path": [
                str(root / "audio" / f"fold{n}" / file) for n, file in zip(fold, rows.slice_file_name, strict=True)
            ],
            "label": rows["class"],
            "fold": fold,
            "recording": rows.fsID,
            "salience": table.whole_numbers(source, rows.salience, minimum=1, maximum=2),
        }
    )
    class_id = table.whole_numbers(source, rows.classID, minimum=0)
    class_names = catalog.ordered_names(source, rows["class"], class_id)
    return catalog.checked(name, source, clips, class_names, folds, bad_clips)


DATASET = DataSet(
    name="urbansound8k",
    title="UrbanSound8K",
    authors="Salamon, Jacoby and Bello 2014",
    licence="CC BY-NC 3.0",
    licence_note="not for commercial use; credits in the data set's FREESOUNDCREDITS.txt",
    load=lambda config: read(config.data_dir, config.folds, bad_clips=config.bad_clips),
    needs="data_dir",
    archive=Archive(
        folder="UrbanSound8K",
        url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz?download=1",
        file="UrbanSound8K.tar.gz",
        top="UrbanSound8K",
        size_bytes=6_023_741_708,
        unpacked_bytes=7_100_000_000,
        checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
        clips=8732,
        read=read,
    ),
)
