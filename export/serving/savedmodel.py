"""A TensorFlow SavedModel of a classifier, as TF Serving loads it: stock TensorFlow operations only.

    serving_default   waveform float32 [batch, samples >= 1] at the model's rate
                      -> label string [batch], labels string [batch, classes], scores float32 [batch, classes];
                      label is the class of the highest score or, where a clip may be of several, what `predict` says
    wav_bytes         wav_bytes string [batch], the bytes of whole WAV files of any rate
                      -> the same, and top_labels string [batch, k], top_scores float32 [batch, k], the highest
                      first; k is 3, or the number of classes where there are fewer

`labels` names the columns of `scores`; it comes with every row because REST's row format wants as many
of each output as of each input. Bad input is an InvalidArgumentError for that request.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from export.serving import warmup
from urbansound.audio.resample import resample_in_graph
from urbansound.audio.wav import decode_wav
from urbansound.errors import InputError
from urbansound.files import new_folder
from urbansound.inference.description import Description
from urbansound.targets import MULTILABEL, NONE, SEPARATOR, THRESHOLD

TOP = 3
TOLERANCE = 1e-4  # of scores: float32 sums in another order


def write(classifier, folder):
    """Write the SavedModel and check what was written: it loads by itself and scores as the classifier does.

    Args:
      classifier: a Classifier.
      folder: NAME/1, where NAME is what requests call the model and 1 its version; must not exist.

    Raises:
      InputError: `folder` exists, or tensorflow-serving-api is not installed.
    """
    folder = Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: exists already; remove it or write to another folder")
    with new_folder(folder) as part:  # whose name is no number: TF Serving passes it over
        _save(classifier, part)
        warmup.write(part, folder.parent.name, classifier.audio)
        _verify(classifier, part)


def load(folder):
    """The SavedModel in `folder` as run(signature, inputs): arrays by name in and out, strings as bytes."""
    loaded = tf.saved_model.load(str(folder))

    def run(signature, inputs):
        outputs = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def _save(classifier, folder):
    module = tf.Module()
    module.weights = [variable.value for variable in classifier.model.variables]
    texts = Description.of(classifier).files()
    files = [folder / name for name in texts]  # the assets keep these names
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    module.assets = [tf.saved_model.Asset(str(file)) for file in files]
    tf.saved_model.save(module, str(folder), signatures=_signatures(classifier))
    for file in files:
        file.unlink()


def _signatures(classifier):
    """The two functions by name, traced for any batch and length."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "waveform")], autograph=False)
    def serving_default(waveform):
        held = tf.debugging.assert_positive(tf.shape(waveform), "waveform must hold at least one sample")
        with tf.control_dependencies([held]):  # or the fault told would be any that it leads to
            waveform = tf.identity(waveform)
        return _named(classifier, classifier.score(waveform))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "wav_bytes")], autograph=False)
    def wav_bytes(wav_bytes):
        def score(contents):
            waveform = resample_in_graph(*decode_wav(contents), classifier.audio.sample_rate)
            return classifier.score(waveform[tf.newaxis])[0]

        row = tf.TensorSpec([len(classifier.class_names)], tf.float32)
        outputs = _named(classifier, tf.map_fn(score, wav_bytes, fn_output_signature=row))
        top_scores, places = tf.math.top_k(outputs["scores"], min(TOP, len(classifier.class_names)))
        return {**outputs, "top_scores": top_scores, "top_labels": tf.gather(list(classifier.class_names), places)}

    return {"serving_default": serving_default, "wav_bytes": wav_bytes}


def _named(classifier, scores):
    """The outputs that both signatures have, of scores [batch, classes]."""
    names = tf.constant(classifier.class_names)
    return {
        "label": _several(classifier, scores) if classifier.targets is MULTILABEL else _highest(names, scores),
        "labels": tf.tile(names[tf.newaxis], [tf.shape(scores)[0], 1]),
        "scores": scores,
    }


def _highest(names, scores):
    return tf.gather(names, tf.argmax(scores, axis=1))


def _several(classifier, scores):
    """The names of the classes whose scores are at least their thresholds, joined as labels are; NONE for none."""
    if classifier.thresholds is None:
        least = [THRESHOLD] * len(classifier.class_names)
    else:
        least = list(classifier.thresholds["classes"].values())
    named = tf.constant([f"{name}{SEPARATOR}" for name in classifier.class_names])
    joined = tf.strings.reduce_join(tf.where(scores >= tf.constant(least, tf.float32), named, ""), axis=1)
    joined = tf.strings.regex_replace(joined, f"{SEPARATOR}$", "")
    return tf.where(joined == "", NONE, joined)


def _verify(classifier, folder):
    """Stop (RuntimeError) unless the files answer as the classifier does."""
    run, generator = load(folder), np.random.default_rng(0)
    for samples in (1, classifier.audio.clip_samples, 5 * classifier.audio.clip_samples // 2):
        integers = generator.integers(-9000, 9000, samples).astype(np.int16)
        waveform = np.float32(integers / 32768)[np.newaxis]
        expected = classifier.score(waveform).numpy()
        wav = warmup.wav_file(integers, classifier.audio.sample_rate)
        answers = {
            "serving_default": run("serving_default", {"waveform": waveform}),
            "wav_bytes": run("wav_bytes", {"wav_bytes": [wav]}),
        }
        for signature, answer in answers.items():
            difference = np.abs(answer["scores"] - expected).max()
            if not difference <= TOLERANCE:
                raise RuntimeError(f"{signature}: scores of {samples} samples are off by {difference:g}")
            if tuple(name.decode() for name in answer["labels"][0]) != classifier.class_names:
                raise RuntimeError(f"{signature}: wrong labels {answer['labels'][0]}")
