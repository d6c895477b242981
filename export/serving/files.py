"""The format for TF Serving: a SavedModel and the files that start the server."""

from export.formats import Format, Written
from export.serving import deployment, savedmodel, serving_api
from urbansound.errors import InputError

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


def _unfit(classifier):
    """Why there is no SavedModel: its warm-up file is written by a package that may be missing."""
    try:
        serving_api.protos()
    except InputError as error:
        return str(error)
    return None


SAVED_MODEL = Format("saved_model", unfit=_unfit, write=_write)
