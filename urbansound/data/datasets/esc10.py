"""ESC-10: the ten classes of ESC-50 that are under a freer licence; it comes in the archive of ESC-50."""

from urbansound.data.datasets import esc50
from urbansound.data.datasets.record import DataSet

DATASET = DataSet(
    name="esc10",
    title="ESC-10",
    authors="Piczak 2015",
    licence="CC BY 3.0",
    licence_note="credits of every clip in the data set's LICENSE",
    load=lambda config: esc50.read(config.data_dir, config.folds, "esc10", config.bad_clips),
    needs="data_dir",
)
