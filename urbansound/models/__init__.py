"""The architectures by name; each maps log_mel [batch, frames, n_mels] to scores [batch, n_classes]."""

from urbansound.errors import InputError
from urbansound.models import cepstrum, cnn, crnn, resnet, transformer, vggish, yamnet

BUILDERS = {
    "cepstrum": cepstrum.build,
    "cnn": cnn.build,
    "crnn": crnn.build,
    "resnet": resnet.build,
    "resnet50": resnet.build_resnet50,
    "transformer": transformer.build,
    "vggish": vggish.build,
    "yamnet": yamnet.build,
}
FROM_SCRATCH = ("cnn", "crnn", "resnet", "transformer")  # what a cepstrum may stand beside


def build(name, input_shape, n_classes, config):
    """A new model of the architecture `name`.

    Args:
      name: one of BUILDERS.
      input_shape: (frames, n_mels).
      n_classes: number of classes.
      config: a ModelConfig.

    Returns:
      A keras.Model from "log_mel", float32 [batch, frames, n_mels], to "scores", float32
      [batch, n_classes] that sum to 1. Its layer "standardize" awaits the training clips' mean
      and variance of what reaches it: each mel band, or each value of a pretrained embedding; a
      cepstrum's awaits quantiles. With config.cepstrum, what is FROM_SCRATCH is `cepstrum.beside` it.

    Raises:
      InputError: no architecture of that name, or a committee, which is `committee.average` of trained models.
    """
    if name == "committee":
        raise InputError(
            "a committee is made of trained runs, and hears windows of their length: "
            "python -m urbansound.committee --run_dirs=FOLDER,FOLDER"
        )
    if name not in BUILDERS:
        raise InputError(f"model must be one of {', '.join(BUILDERS)}. Received: {name}")
    model = BUILDERS[name](input_shape, n_classes, config)
    return cepstrum.beside(model, config) if config.cepstrum and name in FROM_SCRATCH else model
