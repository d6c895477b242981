"""Flags derive from the settings; values, files of flags and errors."""

import dataclasses

import pytest
from absl import flags as absl_flags

from running import command
from urbansound import flags
from urbansound.config import Config
from urbansound.errors import InputError


@pytest.fixture
def values():
    """A fresh set of flags, one per setting, apart from the process's own."""
    return flags.define(absl_flags.FlagValues())


def test_every_setting_has_a_flag_with_its_default_and_help(values):
    values(["program"])
    assert flags.config_from(values) == Config()
    for section in dataclasses.fields(Config):
        for field in dataclasses.fields(section.type):
            assert field.metadata["help"] in values[field.name].help


def test_values_of_each_kind(values):
    values(["program", "--folds=1,3", "--val_fold=none", "--f_max=8000", "--deterministic", "--noise_snr_db=-5,5"])
    config = flags.config_from(values)
    assert config.data.folds == (1, 3)
    assert config.data.val_fold is None
    assert config.audio.f_max == 8000.0
    assert config.train.deterministic is True
    assert config.augment.noise_snr_db == (-5.0, 5.0)
    values(["program", "--yamnet_classes=dog_bark=70, siren=390"])
    assert flags.config_from(values).model.yamnet_classes == ("dog_bark=70", "siren=390")


def test_later_wins_over_a_file_of_flags(values, tmp_path):
    file = tmp_path / "small.flags"
    file.write_text("# a comment\n--epochs=3\n--width=0.5\n")
    values(["program", f"--flagfile={file}", "--epochs=5"])
    config = flags.config_from(values)
    assert (config.train.epochs, config.model.width) == (5, 0.5)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--epochs=many", "must be a whole number"),
        ("--val_fold=x", "must be a whole number, or none"),
        ("--folds=1,x", "must be whole numbers with commas between"),
        ("--mel_scale=bark", "value should be one of <htk|slaney>"),
    ],
)
def test_a_value_that_cannot_be_read(values, argument, message):
    with pytest.raises(absl_flags.IllegalFlagValueError, match=message.replace("|", r"\|")):
        values(["program", argument])


def test_a_table_that_the_data_set_does_not_read_is_refused(values):
    values(["program", "--dataset=folder", "--data_dir=x", "--csv=clips.csv"])
    with pytest.raises(InputError, match="--dataset=folder reads no table: leave out --csv"):
        flags.config_from(values)


def test_changed_names_only_what_was_given_and_differs(values):
    values(["program", "--epochs=3", "--batch_size=32"])
    assert flags.changed(values, Config()) == ["epochs"]


def test_serialized_flags_read_back(values, tmp_path):
    values(["program", "--folds=1,3", "--f_max=8000", "--top_db=none", "--deterministic"])
    file = tmp_path / "all.flags"
    file.write_text(values.flags_into_string())
    again = flags.define(absl_flags.FlagValues())
    again(["program", f"--flagfile={file}"])
    assert flags.config_from(again) == flags.config_from(values)


def refused(*arguments, cwd):
    """The line with which a command refuses its flags."""
    done = command("train", *arguments, cwd=cwd)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line


def test_flag_files_that_are_no_text_are_refused_in_a_line_not_read_for_ever(tmp_path):
    (tmp_path / "binary.flags").write_bytes(b"\xff\xfe--epochs=1")
    (tmp_path / "nested.flags").write_text("# on\n--flagfile=/dev/zero\n")
    assert "/dev/zero: not a file" in refused("--flagfile=/dev/zero", cwd=tmp_path)
    assert "/dev/zero: not a file" in refused("--flagfile", "/dev/zero", cwd=tmp_path)
    assert "/dev/zero: not a file" in refused("--flagfile=nested.flags", cwd=tmp_path)
    assert "binary.flags: not text" in refused("--flagfile=binary.flags", cwd=tmp_path)
    assert "absent.flags: can't be read" in refused("--flagfile=absent.flags", cwd=tmp_path)


def test_a_chain_of_3000_flag_files_is_refused_in_a_line(tmp_path):
    for i in range(3000):
        (tmp_path / f"{i}.flags").write_text(f"--flagfile={i + 1}.flags\n")
    (tmp_path / "wide.flags").write_text("--flagfile=wide.flags\n" * 50)
    for name in ("0.flags", "wide.flags"):
        assert "flag files name one another" in refused(f"--flagfile={name}", cwd=tmp_path)


def test_an_error_quotes_a_long_value_without_its_middle(tmp_path):
    (tmp_path / "long.flags").write_text("--noise_snr_db=0," + "\0" * 10_000)
    line = refused("--flagfile=long.flags", cwd=tmp_path)
    assert len(line) < 1100
    assert line.startswith("error: flag --noise_snr_db=0,\\x00")
    assert line.endswith("\\x00: must be numbers with commas between")
    assert " … " in line


def test_flag_files_a_few_deep_are_read(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.flags").write_text(f"--flagfile={i + 1}.flags\n")
    (tmp_path / "5.flags").write_text("--epochs=0\n")
    assert "epochs must be at least 1" in refused("--flagfile=0.flags", cwd=tmp_path)
