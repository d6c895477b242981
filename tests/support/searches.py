"""A search of a small space, and what is made of it."""

from urbansound.experiments import trials

SPACE = """
learning_rate = {low = 1e-3, high = 1e-1, log = true}
top_db = [60, 80, "none"]
mel_mask_bands = {low = 0, high = 16}
"""


def written(folder, text):
    (folder / "space.toml").write_text(text)
    return folder / "space.toml"


def search(folder, config, n_trials=8, splits=2, jobs=1):
    return trials.search(folder / "search", config, written(folder, SPACE), n_trials, splits, jobs)
