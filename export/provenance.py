"""What data a model comes from, in words: the licence of the sounds, the test clips, how they were set apart."""

from urbansound.data import datasets, splits


def licence(names):
    """The licences of data sets' sounds, in a few words.

    Args:
      names: values of DataConfig.dataset: the model's own, and those that its teachers were trained on.
    """
    return "; ".join(dict.fromkeys(datasets.dataset(name).terms for name in names))


def source(dataset):
    """What a data set is and its licence, in two sentences."""
    record = datasets.dataset(dataset)
    return f"{record.title} ({record.authors}). Licence of the sounds: {record.terms}."


def notice(names):
    """The line on the licences, of `names` as above, for who uses the model, in Markdown."""
    own, *others = names
    taught = [f"Taught by models that were trained on {source(name)}" for name in others]
    return f"**{' '.join([f'Trained on {source(own)}', *taught])}**"


def warnings(dataset):
    """Lines of Markdown to be read before any figures: paragraphs, a blank line after each."""
    return [line for warning in datasets.dataset(dataset).warnings for line in (f"**{warning}**", "")]


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
