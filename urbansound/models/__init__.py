"""The architectures by name, and models of one or several of them.

To add one: a file with its record, ARCHITECTURE, and its name in MODULES. From another package: an entry
point of the group GROUP that names the record (BUILD_NOTES.md, "How to add").
"""

from urbansound.errors import InputError
from urbansound.registry import Registry

MODULES = ("cepstrum", "cnn", "crnn", "resnet", "resnet50", "transformer", "vggish", "yamnet")
GROUP = "urbansound.architectures"
_REGISTRY = Registry("model", GROUP, {name: f"urbansound.models.{name}:ARCHITECTURE" for name in MODULES})
names, architecture = _REGISTRY.names, _REGISTRY.get


def build(input_shape, n_classes, config):
    """A new model of the architectures that a ModelConfig names.

    Args:
      input_shape: (frames, n_mels).
      n_classes: number of classes.
      config: a ModelConfig.

    Returns:
      (model, networks): a keras.Model as `Architecture.build` describes it; and [(Architecture,
      keras.Model)] of the networks whose scores it averages, in the order of training. A model of one
      architecture is its own only network.

    Raises:
      InputError: no architecture of that name; an ensemble of trained runs, which can't be built anew.
    """
    from urbansound.models import ensemble

    if config.model == ensemble.NAME:
        raise InputError(
            "an ensemble is made of trained runs and takes windows of their length: "
            "python -m urbansound.committee --run_dirs=FOLDER,FOLDER"
        )
    records = [architecture(name) for name in config.architectures]
    networks = [(record, record.build(input_shape, n_classes, config)) for record in records]
    return ensemble.average([network for _, network in networks]), networks


def load_weights(networks, config, class_names=()):
    """Put published weights into the networks that `build` returned.

    Returns:
      Names of the architectures that have published weights and that the settings name no file of.

    Raises:
      InputError: a file is missing or holds something else.
    """
    return [
        record.name
        for record, network in networks
        if record.load_weights is not None and not record.load_weights(network, config, class_names)
    ]


def origins(architectures, config):
    """Whose published weights the settings put into architectures, and what these were, in words; sorted.

    Args:
      architectures: their names.
      config: a ModelConfig.
    """
    found = {record.origin(config) for record in map(architecture, architectures) if record.origin}
    return sorted(filter(None, found))
