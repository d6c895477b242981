"""The files that TF Serving is started with, next to the model: templates with its name filled in."""

from pathlib import Path

from urbansound.files import write_text

TEMPLATES = Path(__file__).parent / "templates"


def write(folder, model):
    """Write docker-compose.yml, models.config, monitoring.config and batching.config.

    Args:
      folder: the folder around the model's: `docker compose up` is run there.
      model: the name of the model and of its folder.

    Returns:
      The paths written, in order of their names.
    """
    paths = []
    for template in sorted(TEMPLATES.iterdir()):
        paths.append(Path(folder) / template.name)
        write_text(paths[-1], template.read_text(encoding="utf-8").replace("MODEL_NAME", model))
    return paths
