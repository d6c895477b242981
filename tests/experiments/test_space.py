"""What a search space may say."""

import re
import shlex

import pytest

from running import ROOT, command
from urbansound.config import Config
from urbansound.errors import InputError
from urbansound.experiments import space


def written(folder, text):
    (folder / "space.toml").write_text(text)
    return folder / "space.toml"


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "spaces").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_spaces_hold_the_shipped_settings(path, tmp_path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    text = re.sub(r"\\\n# +", "", path.read_text())
    line = next(line for line in text.splitlines() if line.startswith("# python -m urbansound.search"))
    # Everything but the data is there: the space was read and found whole.
    process = command("search", *shlex.split(line)[4:], "--yamnet_weights=none", cwd=tmp_path)
    assert process.returncode == 2
    assert "UrbanSound8K" in process.stderr
    assert "toml" not in process.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no setting to search"),
        ("width = [", "not TOML"),
        ("wdith = [1.0]", "no setting is called wdith"),
        ("test_fold = [1, 2]", "test_fold can't be searched"),
        ("seed = [1, 2]", "seed can't be searched"),
        ('targets = ["single", "multilabel"]', "targets can't be searched"),
        ('learning_rate = {low = 1e-4, high = 1e-2, log = "false"}', "log must be true or false. Received: false"),
        ("width = []", "width must be a list of choices"),
        ("width = 2.0", "width must be a list of choices"),
        ("width = {low = 1.0}", "width must be a list of choices"),
        ("width = {low = 1.0, high = 2.0, step = 1}", "width must be a list of choices"),
        ("model = {low = 1, high = 2}", "model must be a list of choices"),
        ("width = {low = 2.0, high = 1.0}", "width: "),
        ("dropout = {low = 0.0, high = 2.0}", "dropout must be at most 0.95"),
        ('width = ["wide"]', "width must be a finite number"),
        ('model = ["cnn", "cmm"]', "model must be one of"),
        ("top_db = [60, 80]", "top_db lacks none, the value it has now"),
        ("dropout = {low = 0.0, high = 0.2}", "dropout lacks 0.3"),
    ],
)
def test_spaces_that_are_refused(text, message, tmp_path):
    with pytest.raises(InputError, match=message):
        space.load(written(tmp_path, text), Config())


def test_none_is_no_value_where_a_setting_may_lack_one_and_a_choice_elsewhere(tmp_path):
    found = space.load(written(tmp_path, 'vggish_pca = ["none", "pca.npz"]\nmel_norm = ["none", "slaney"]\n'), Config())
    assert found["vggish_pca"].choices == (None, "pca.npz")
    assert found["mel_norm"].choices == ("none", "slaney")


def test_a_space_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="needs the file of its space"):
        space.load(tmp_path / "space.toml", Config())


def test_a_space_that_is_a_device_or_nested_without_an_end_is_refused_in_a_line(tmp_path):
    with pytest.raises(InputError, match="/dev/zero: not a file"):
        space.load("/dev/zero", Config())
    with pytest.raises(InputError, match="not TOML"):
        space.load(written(tmp_path, f"top_db = {'[' * 100_000}"), Config())
