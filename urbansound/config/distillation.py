"""The settings of distillation: by which trained runs a network is taught, and how."""

import dataclasses

from urbansound.config.setting import Checked, setting
from urbansound.errors import InputError


@dataclasses.dataclass(frozen=True)
class DistillConfig(Checked):
    """Teachers, and what of their knowledge a network is trained for."""

    teacher: tuple[str, ...] = setting(
        (),
        "run directories by whose mean scores, and by whose embeddings, the model is taught; the directory of a "
        "cross-validation stands for its run of the same test fold",
    )
    label_share: float = setting(
        0.3,
        "with --teacher: share of the labels in what is learned; the rest is what the teachers say",
        minimum=0,
        maximum=1,
    )
    embedding_weight: float = setting(
        5.0,
        "with --teacher: weight, in the loss, of the mean squared error by which the model's embedding gives the "
        "teachers' through one linear layer, which is thrown away after training",
        minimum=0,
        maximum=1e6,
    )
    view_epochs: int = setting(
        7,
        "with --teacher: epochs with waveforms of their own. Later epochs repeat these, with other masks; the teachers "
        "hear each waveform once",
        minimum=1,
        maximum=10**6,
    )
    unlabelled_dir: str | None = setting(
        None,
        "with --teacher: a folder of recordings without labels, of which every window is a training clip as well; take "
        "none that test clips were cut from",
    )

    def check_used(self):
        """Raise InputError where a setting changes nothing, since there is no teacher; older runs may have such."""
        if self.teacher:
            return
        for field in dataclasses.fields(self):
            if getattr(self, field.name) != field.default:
                raise InputError(f"--{field.name} says how a model is taught, or what by: pass --teacher=RUN too")
