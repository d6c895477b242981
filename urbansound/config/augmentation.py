"""The settings of augmentation: what training clips go through."""

import dataclasses

from urbansound.config.setting import Checked, setting
from urbansound.errors import InputError

MAX_DB = 200.0


@dataclasses.dataclass(frozen=True)
class AugmentConfig(Checked):
    """What training clips go through; a probability or width of 0 turns a step off."""

    shift_seconds: float = setting(1.0, "circular time shift by up to this much either way", minimum=0, maximum=3600)
    gain_db: float = setting(6.0, "random gain up to this much either way", minimum=0, maximum=MAX_DB)
    noise_probability: float = setting(0.0, "share of clips that get background noise", minimum=0, maximum=1)
    noise_snr_db: tuple[float, ...] = setting((0.0, 30.0), "lowest and highest signal-to-noise ratio of that noise")
    noise_alone: float = setting(
        0.0,
        "share of clips that background noise takes the place of; it is none of the classes: its target has all of "
        "them alike, or with --targets=multilabel none",
        minimum=0,
        maximum=0.95,
    )
    channel_probability: float = setting(
        0.0,
        "share of clips that a random room and device change: an echo, an uneven frequency response, missing lows and "
        "highs, as of a phone",
        minimum=0,
        maximum=1,
    )
    noise_dir: str | None = setting(None, "recordings to take noise from; none: white, pink and brown noise")
    time_masks: int = setting(2, "SpecAugment: masked stretches of time per clip", minimum=0, maximum=1000)
    time_mask_frames: int = setting(24, "SpecAugment: longest masked stretch", minimum=0, maximum=2**20)
    mel_masks: int = setting(2, "SpecAugment: masked groups of mel bands per clip", minimum=0, maximum=1000)
    mel_mask_bands: int = setting(16, "SpecAugment: widest masked group", minimum=0, maximum=2**20)
    views: int = setting(
        1,
        "copies of each clip in a batch, masked differently: the log-mel is computed once for all of them",
        minimum=1,
        maximum=2**16,
    )
    mixup_alpha: float = setting(
        0.2, "mixup: parameter of the Beta distribution of the mixing share; 0: off", minimum=0, maximum=1000
    )

    @property
    def uses_noise(self):
        """Whether any clip gets background noise."""
        return self.noise_probability > 0 or self.noise_alone > 0

    def _check(self):
        levels = self.noise_snr_db
        if len(levels) != 2 or not -MAX_DB <= levels[0] <= levels[1] <= MAX_DB:
            raise InputError(f"noise_snr_db must be LOWEST,HIGHEST, -{MAX_DB:g} to {MAX_DB:g}. Received: {levels}")
