"""The TFLite formats of an export, each a file with its metadata."""

import functools

from export.formats import Format, Written
from export.provenance import licence
from export.tflite import convert, frontend_files, metadata
from urbansound.files import replacing
from urbansound.inference import litert

FRONT_END = "frontend"  # the folder that comes with int8_spectrogram
REFERENCE_CLIPS = 3


def _write(job, format):
    """Write one of `convert.FORMATS`; Written."""
    classifier, path = job.classifier, job.folder / f"{job.name}_{format}.tflite"
    content = metadata.with_metadata(
        convert.convert(classifier, format, job.calibration),
        classifier,
        name=f"{job.name}_{format}",
        version="1",
        author="trained with urbansound",
        licence=licence(job.data_sets),
        description=f"Scores of {len(classifier.class_names)} sounds in {classifier.audio.clip_seconds:g} s of audio.",
    )
    with replacing(path) as part:
        part.write_bytes(content)
    others = ()
    if format == convert.INTEGER_ONLY:
        frontend_files.write(job.folder / FRONT_END, classifier, content, job.calibration[:REFERENCE_CLIPS])
        others = (job.folder / FRONT_END,)
    return Written(path, litert.score_windows(content, classifier.audio), others)


FLOAT32, FLOAT16, INT8, INT8_SPECTROGRAM = (
    Format(name, functools.partial(convert.unfit, format=name), functools.partial(_write, format=name))
    for name in convert.FORMATS
)
