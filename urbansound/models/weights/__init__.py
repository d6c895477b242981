"""Published weights into new models; what `models` builds knows no file."""

from urbansound.models.weights import resnet, vggish, yamnet

LOADERS = {"resnet50": resnet.load, "vggish": vggish.load, "yamnet": yamnet.load}


def load(model, config, class_names=()):
    """Give a new model the published weights that its settings name; others stay as they are.

    Args:
      model: what `models.build` made of `config`.
      config: a ModelConfig.
      class_names: what the model's scores stand for.

    Returns:
      False where its architecture has published weights and the settings name no file of them; else True.

    Raises:
      InputError: the file is missing or holds something else.
    """
    return config.model not in LOADERS or LOADERS[config.model](model, config, class_names)
