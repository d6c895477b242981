"""The format for TF Serving: a SavedModel and the files that start the server."""

from export.formats import Format, Written
from export.serving import deployment, savedmodel

VERSION = "1"  # of the model under its name; TF Serving serves the highest


def _write(job):
    """Write FOLDER/NAME/1 and the server's files; Written."""
    path = job.folder / job.name / VERSION
    savedmodel.write(job.classifier, path)
    answer = savedmodel.load(path)
    return Written(
        path,
        lambda windows: answer("serving_default", {"waveform": windows})["scores"],
        others=(path.parent, *deployment.write(job.folder, job.name)),
    )


SAVED_MODEL = Format("saved_model", unfit=lambda classifier: None, write=_write)
