"""The settings by subject, a frozen dataclass each.

A setting is written here once; its command-line flag (`flags.py`), its JSON and its documentation derive from that.
"""

import dataclasses

from urbansound.config.setting import Checked, setting
from urbansound.errors import InputError

AUDIOSET_CLASSES = 521  # that YAMNet scores
MAX_N_FFT = 2**16
MAX_CLIP_SAMPLES, MAX_LOG_MEL = 2**27, 2**26  # values of one window's waveform and log-mel: 512 and 256 MiB


@dataclasses.dataclass(frozen=True)
class AudioConfig(Checked):
    """From a waveform to its log-mel; samples unless a unit stands in the name."""

    sample_rate: int = setting(
        22050, "samples per second that every clip is resampled to", minimum=1000, maximum=768_000
    )
    clip_seconds: float = setting(4.0, "length of the window that the model takes", above=0, maximum=3600)
    remove_dc: bool = setting(
        True, "take the mean of its samples off each window, so that a recorder's offset plays no part", absent=False
    )
    n_fft: int = setting(1024, "length of the Fourier transform", minimum=16, maximum=MAX_N_FFT)
    win_length: int = setting(1024, "length of the Hann window, at most n_fft", minimum=2)
    hop_length: int = setting(512, "samples between two frames", minimum=1, maximum=2**20)
    n_mels: int = setting(128, "number of mel bands", minimum=1, maximum=4096)
    f_min: float = setting(0.0, "lowest frequency of the mel bands in Hz", minimum=0)
    f_max: float | None = setting(None, "highest frequency of the mel bands in Hz; none: half the rate", above=0)
    mel_scale: str = setting("htk", "formula of the mel scale", choices=("htk", "slaney"))
    mel_triangles: str = setting(
        "hz",
        "scale on which the sides of a band's triangle are straight: hz as torchaudio and librosa have it, "
        "mel as TensorFlow, YAMNet and VGGish",
        choices=("hz", "mel"),
    )
    mel_norm: str = setting("none", "slaney: each band has unit area", choices=("none", "slaney"))
    power: float = setting(2.0, "exponent of the magnitude spectrum: 1 magnitude, 2 power", above=0, maximum=10)
    padding: str = setting(
        "reflect",
        "how frames are centred on their time: clip mirrored at both ends, or zeros; "
        "none: the first frame starts at the first sample",
        choices=("reflect", "zeros", "none"),
    )
    mean_level: float | None = setting(
        None,
        "mean that each clip's mel energies are scaled to, so that loudness plays no part; none: off",
        above=0,
    )
    log: str = setting(
        "db", "compression of mel energies: decibel, natural logarithm or none", choices=("db", "ln", "none")
    )
    log_floor: float = setting(1e-10, "db: smaller energies are raised to it; ln: added to every energy", above=0)
    top_db: float | None = setting(
        None, "db: what lies further below the clip's loudest point is raised to that; none: off", above=0
    )

    @property
    def clip_samples(self):
        """Samples in the window that the model takes."""
        return round(self.clip_seconds * self.sample_rate)

    @property
    def frames(self):
        """Log-mel frames of one window."""
        if self.padding == "none":
            return 1 + (self.clip_samples - self.win_length) // self.hop_length
        return 1 + self.clip_samples // self.hop_length

    @property
    def f_max_hz(self):
        """Highest frequency of the mel bands in Hz."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    def _check(self):
        if self.win_length > self.n_fft:
            raise InputError(
                f"win_length must be at most n_fft. Received: win_length={self.win_length}, n_fft={self.n_fft}"
            )
        if self.f_max_hz > self.sample_rate / 2:
            raise InputError(
                "f_max must be at most half of sample_rate. "
                f"Received: f_max={self.f_max}, sample_rate={self.sample_rate}"
            )
        if self.f_min >= self.f_max_hz:
            raise InputError(f"f_min must be below f_max. Received: f_min={self.f_min}, f_max={self.f_max_hz}")
        if self.clip_samples < self.n_fft:
            raise InputError(
                f"clip_seconds must hold at least one frame of {self.n_fft} samples. "
                f"Received: clip_seconds={self.clip_seconds}"
            )
        if self.clip_samples > MAX_CLIP_SAMPLES or self.frames * self.n_mels > MAX_LOG_MEL:
            raise InputError(
                f"clip_seconds must give at most {MAX_CLIP_SAMPLES} samples and {MAX_LOG_MEL} values of log-mel. "
                f"Received: clip_seconds={self.clip_seconds}, hop_length={self.hop_length}, n_mels={self.n_mels}"
            )


@dataclasses.dataclass(frozen=True)
class DataConfig(Checked):
    """Which clips, how they are split, and how they become waveforms of one length."""

    dataset: str = setting(
        "synthetic",
        "synthetic makes its own clips; folder: a folder of clips per class; "
        "csv: a table of path, label (or labels, see targets)[, fold, recording]",
    )
    data_dir: str | None = setting(None, "where the data set lies; for csv, what its paths are relative to")
    csv: str | None = setting(None, "the table, with --dataset=csv")
    folds: tuple[int, ...] = setting((), "use only these folds, e.g. 1,2,3; empty: all")
    split: str = setting(
        "folds",
        "folds: by --test_fold, recordings kept apart; random: a tenth of each class's clips is tested on, the first "
        "by --test_fold=1, slices of one recording on both sides: it flatters, and serves to show by how much",
        choices=("folds", "random"),
    )
    test_fold: int = setting(1, "fold that is tested on, once, after training", minimum=1)
    val_fold: int | None = setting(
        None,
        "fold that is validated on every epoch; none: recordings of the training folds, see val_fraction",
        minimum=1,
    )
    val_fraction: float = setting(
        0.15,
        "share of each class's training clips, whole recordings of them, that validates when there is no val_fold; "
        "0: train on all of them and validate on none",
        minimum=0,
        maximum=0.5,
    )
    short_clips: str = setting(
        "repeat", "clips shorter than clip_seconds: repeated, or padded with zeros", choices=("repeat", "zeros")
    )
    bad_clips: str = setting(
        "fail",
        "clips that are missing or can't be decoded: stop before training, or skip and list them",
        choices=("fail", "skip"),
    )
    cache_dir: str = setting("cache", "folder of decoded waveforms, shared by all runs; safe to delete")

    def _check(self):
        if self.val_fold == self.test_fold:
            raise InputError(
                "val_fold must differ from test_fold: nothing may be chosen by the test fold. "
                f"Received: {self.val_fold}"
            )

        if self.split == "random" and self.validates:
            raise InputError("--split=random validates on nothing: pass --val_fold=none --val_fraction=0")

    @property
    def validates(self):
        """Whether any clips are kept from training to validate on."""
        return self.val_fold is not None or self.val_fraction > 0


@dataclasses.dataclass(frozen=True)
class ModelConfig(Checked):
    """Which architecture, and its size."""

    model: str = setting(
        "cnn",
        "architecture, by its name in urbansound.models",
    )
    targets: str = setting(
        "single",
        "single: each clip is of one class. multilabel: of any number of classes, and each has a score by itself; a "
        "table's column labels names them with ; between, other data sets give each clip one",
        choices=("single", "multilabel"),
    )
    width: float = setting(
        1.0, "not for yamnet and resnet50: multiplier of the number of channels", above=0, maximum=64
    )
    cepstrum: bool = setting(
        False,
        "make an ensemble of two members: the scores are the mean of a cepstrum's, which is trained first, "
        "and of the model's",
    )
    dropout: float = setting(0.3, "share of embedding values dropped in training", minimum=0, maximum=0.95)
    trainable_blocks: int = setting(
        0,
        "vggish, yamnet: blocks of the pretrained model that learn with its head, counted from the last; "
        "0: none, so that embeddings are computed once per clip and cached, and mixup is the only augmentation; "
        "with noise they are computed anew in each epoch, with the waveform's augmentation",
        minimum=0,
    )
    resnet_weights: str | None = setting(
        "imagenet",
        "resnet50: imagenet, downloaded by Keras; a file of keras.applications.ResNet50 without its top, "
        "such as resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5; none: random weights",
    )
    yamnet_weights: str | None = setting(
        "weights/yamnet.h5", "yamnet: the published yamnet.h5 or yamnet.tflite; none: random weights"
    )
    yamnet_classes: tuple[str, ...] = setting(
        (),
        "yamnet: which of AudioSet's 521 classes a class of the data is, e.g. dog_bark=70,siren=390 (indices of "
        "yamnet_class_map.csv): for those, YAMNet's own scores are added to the learned ones; other names are ignored",
    )
    vggish_checkpoint: str | None = setting(
        None, "vggish: the published vggish_model.ckpt, at width 1; none: random weights, which a line says"
    )
    vggish_pca: str | None = setting(
        None, "vggish: the published vggish_pca_params.npz, to whiten and clip embeddings; none: left as they are"
    )

    @property
    def architectures(self):
        """Names of the architectures whose scores are averaged, in the order of training; one for a plain model."""
        return ("cepstrum", self.model) if self.cepstrum else (self.model,)

    def _check(self):
        if self.cepstrum and self.model == "cepstrum":
            raise InputError("--cepstrum averages another model with a cepstrum: pass --nocepstrum or another --model")
        if self.vggish_pca is not None and self.vggish_checkpoint is None:
            raise InputError("--vggish_pca belongs to published embeddings: pass --vggish_checkpoint=FILE too")
        for entry in self.yamnet_classes:
            name, _, index = entry.rpartition("=")
            if not (name and index.isdecimal() and int(index) < AUDIOSET_CLASSES):
                raise InputError(
                    f"yamnet_classes must be like dog_bark=70, indices below {AUDIOSET_CLASSES}. Received: {entry}"
                )


@dataclasses.dataclass(frozen=True)
class TrainConfig(Checked):
    """How the model is fitted."""

    epochs: int = setting(60, "passes over the training clips", minimum=1, maximum=10**6)
    batch_size: int = setting(32, "clips per step", minimum=1, maximum=2**16)
    learning_rate: float = setting(2e-3, "peak of the schedule: linear warm-up, then cosine to zero", above=0)
    warmup_epochs: float = setting(2.0, "length of the warm-up", minimum=0, maximum=10**6)
    weight_decay: float = setting(1e-3, "decoupled weight decay (AdamW)", minimum=0)
    class_weights: str = setting(
        "none",
        "none: each clip counts alike; balanced: each class does, however many clips it has",
        choices=("none", "balanced"),
    )
    label_smoothing: float = setting(0.1, "share of each target spread over all classes", minimum=0, maximum=0.9)
    keep: str = setting(
        "last",
        "which epoch becomes the model: the last one, whose learning rate is zero, or the one of the lowest "
        "validation loss",
        choices=("last", "best"),
    )
    early_stopping: int = setting(
        0, "stop after this many epochs without a better validation loss; 0: never", minimum=0
    )
    threshold_precision: float = setting(
        0.9,
        "share of right answers that each class's threshold in thresholds.json is chosen for, on validation clips",
        above=0,
        maximum=1,
    )
    seed: int = setting(1, "seed of weights, order, augmentation and splits", minimum=0)
    deterministic: bool = setting(False, "bit-exact repetition, somewhat slower")
