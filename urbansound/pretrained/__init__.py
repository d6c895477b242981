"""Published weights into new models; what `models` builds knows no file."""

from urbansound.pretrained import yamnet

LOADERS = {"yamnet": yamnet.load}


def load(model, config):
    """Give a new model the published weights that its settings name; others stay as they are.

    Args:
      model: what `models.build` made of `config`.
      config: a ModelConfig.

    Raises:
      InputError: the file is missing or holds something else.
    """
    if config.model in LOADERS:
        LOADERS[config.model](model, config)
