"""Settings: limits, rules between fields, JSON."""

import dataclasses
import json

import pytest

from urbansound.config import AudioConfig, AugmentConfig, Config, DataConfig, DistillConfig, ModelConfig, TrainConfig
from urbansound.errors import InputError


def test_json_round_trip_keeps_every_value():
    config = Config(
        audio=AudioConfig(sample_rate=16000, f_max=7500.0, top_db=80.0),
        data=DataConfig(dataset="folder", data_dir="clips", folds=(1, 2), val_fold=2),
        augment=AugmentConfig(noise_snr_db=(-5.0, 5.0)),
    )
    assert Config.from_dict(json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_setting_names_are_unique_over_all_sections():
    names = [f.name for section in dataclasses.fields(Config) for f in dataclasses.fields(section.type)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AudioConfig(hop_length=0), "hop_length must be at least 1. Received: 0"),
        (lambda: AudioConfig(sample_rate=22050.5), "sample_rate must be int. Received: 22050.5"),
        (lambda: AudioConfig(clip_seconds=float("nan")), "clip_seconds must be a finite number. Received: nan"),
        (lambda: AudioConfig(win_length=2048), "win_length must be at most n_fft"),
        (lambda: AudioConfig(f_max=12000.0), "f_max must be at most half of sample_rate"),
        (lambda: AudioConfig(f_min=9000.0, f_max=8000.0), "f_min must be below f_max"),
        (lambda: AudioConfig(clip_seconds=0.01), "clip_seconds must hold at least one frame"),
        (lambda: AudioConfig(mel_scale="bark"), "mel_scale must be one of htk, slaney. Received: bark"),
        (lambda: DataConfig(test_fold=2, val_fold=2), "nothing may be chosen by the test fold"),
        (lambda: AugmentConfig(noise_snr_db=(10.0, 0.0)), "noise_snr_db must be LOWEST,HIGHEST"),
        (lambda: AugmentConfig(noise_probability=1.5), "noise_probability must be at most 1"),
        (lambda: TrainConfig(learning_rate=0.0), "learning_rate must be above 0"),
        (lambda: Config(data=DataConfig(val_fraction=0.0), train=TrainConfig(keep="best")), "clips to validate on"),
        (
            lambda: Config(data=DataConfig(val_fraction=0.0), train=TrainConfig(early_stopping=3)),
            "clips to validate on",
        ),
        (lambda: Config(augment=AugmentConfig(views=3)), "batch_size must be a multiple of views"),
        (
            lambda: DistillConfig(unlabelled_dir="street").check_used(),
            "--unlabelled_dir says how a model is taught, or what by: pass",
        ),
        (lambda: DistillConfig(label_share=0.5).check_used(), "--label_share says how a model is taught"),
        (
            lambda: Config(augment=AugmentConfig(noise_dir="street")).check_used(),
            "--noise_dir is not used: pass --noise_probability",
        ),
        (
            lambda: Config().with_settings(noise_alone=0.1, class_weights="balanced").check_used(),
            "noise has all alike: with --noise_alone pass --class_weights=none",
        ),
        (lambda: TrainConfig(deterministic=1), "deterministic must be bool"),
        (lambda: ModelConfig(yamnet_classes=("dog_bark",)), "yamnet_classes must be like dog_bark=70"),
        (lambda: ModelConfig(yamnet_classes=("dog_bark=521",)), "indices below 521. Received: dog_bark=521"),
    ],
)
def test_a_bad_setting_says_the_rule_and_what_came(make, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(".", r"\.")) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_run_older_than_a_setting_keeps_what_it_was_trained_with():
    values = json.loads(json.dumps(dataclasses.asdict(Config())))
    assert values["audio"].pop("remove_dc") is True
    assert values["train"].pop("epochs") == TrainConfig().epochs
    assert values.pop("distill")["teacher"] == []
    old = Config.from_dict(values)
    assert Config().differences(old) == ["remove_dc"]
    assert old.audio.remove_dc is False


def test_json_with_a_setting_that_is_unknown_is_refused():
    values = json.loads(json.dumps(dataclasses.asdict(Config())))
    values["audio"]["n_bark"] = 3
    with pytest.raises(InputError, match="AudioConfig has unknown settings: n_bark"):
        Config.from_dict(values)
    with pytest.raises(InputError, match="must hold the sections"):
        Config.from_dict({})


@pytest.mark.parametrize(
    ("padding", "hop_length", "frames"), [("reflect", 512, 173), ("zeros", 500, 177), ("none", 512, 171)]
)
def test_frames_of_a_four_second_clip(padding, hop_length, frames):
    assert AudioConfig(padding=padding, hop_length=hop_length).frames == frames
