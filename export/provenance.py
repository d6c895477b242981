"""What data a model comes from, in words: the licence of the sounds, the test clips, how they were set apart."""

from urbansound.data import splits

# Title, authors, licence of the sounds, what else must be said.
DATASETS = {
    "urbansound8k": (
        "UrbanSound8K",
        "Salamon, Jacoby and Bello 2014",
        "CC BY-NC 3.0",
        "not for commercial use; credits in the data set's FREESOUNDCREDITS.txt",
    ),
    "esc50": (
        "ESC-50",
        "Piczak 2015",
        "CC BY-NC 3.0",
        "not for commercial use; credits of every clip in the data set's LICENSE",
    ),
    "esc10": ("ESC-10", "Piczak 2015", "CC BY 3.0", "credits of every clip in the data set's LICENSE"),
    "synthetic": ("synthetic clips", "computed by this program", "CC0 1.0", "they hold no recording of anything"),
    "folder": ("your own folder of clips", "you", "yours", "this program knows no licence of them: state it here"),
    "csv": ("your own table of clips", "you", "yours", "this program knows no licence of them: state it here"),
}


def licence(dataset):
    """The licence of a data set's sounds, in a few words.

    Args:
      dataset: a value of DataConfig.dataset.
    """
    _, _, name, note = DATASETS[dataset]
    return f"{name} ({note})"


def notice(dataset):
    """The line on the licence for who uses the model, in Markdown."""
    title, authors, _, _ = DATASETS[dataset]
    return f"**Trained on {title} ({authors}). Licence of the sounds: {licence(dataset)}.**"


def tested_on(data):
    """Name of the test clips of a DataConfig: 'test fold 3' or 'random split, part 1 of 10'."""
    if data.split == "random":
        return f"random split, part {data.test_fold} of {splits.RANDOM_PARTS}"
    return f"test fold {data.test_fold}"


def shared_recordings(clips):
    """Sentences on recordings that lie in two of train, validation and test, counted in a run's table.

    Args:
      clips: DataFrame with recording and split, a row per clip.
    """
    clips = clips[clips.split != splits.LEFT_OUT]
    places = clips.groupby("recording").split.nunique()
    shared = set(places.index[places > 1])
    if not shared:
        return "No recording is in two of train, validation and test."
    tested = clips[clips.split == splits.TEST].recording
    leaked = int(tested.isin(shared).sum())
    if not leaked:
        return f"Recordings in both train and validation: {len(shared)}. No recording in test is in either."
    return (
        f"Slices of one recording are on both sides of the split: the recordings of {leaked} of {len(tested)} test "
        "clips are also in train or validation. So the accuracy flatters; expect less of it on new recordings."
    )
