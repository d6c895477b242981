"""Compile, callbacks, fit: from a run directory's settings and clips to its trained model."""

import dataclasses
import sys
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from urbansound import models
from urbansound.data.pipeline import (
    embedding_batches,
    evaluation_batches,
    ordered_embeddings,
    steps_per_epoch,
    training_batches,
)
from urbansound.data.prepare import cache_entries
from urbansound.errors import InputError
from urbansound.models import weights
from urbansound.progress import bar
from urbansound.training import embeddings
from urbansound.training.callbacks import Journal, Pictures

LEAST_SPREAD = 1e-3  # of what is standardised


def train(run):
    """Fit the run's model, from its checkpoint where there is one, to the last epoch.

    Args:
      run: a Run with settings and clips; gets model.keras, history.csv, checkpoints/ and tensorboard/.

    Raises:
      InputError: the loss became NaN or infinite; a clip or a file of pretrained weights is gone.
      KeyboardInterrupt: Ctrl-C; the last whole epoch is kept.
    """
    config, class_names = run.config, run.class_names
    keras.utils.set_random_seed(config.train.seed)
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()
    training, validation = (_split(run, name) for name in ("train", "validation"))
    model = _build(config, len(class_names))
    compile_model(model, config.train, steps_per_epoch(len(training[0]), config))
    journal = Journal(run, config.train, model)
    restored = journal.restore()
    if not restored and not weights.load(model, config.model, class_names):
        print(f"{config.model.model}: RANDOM weights, since the settings name no file of published ones")
    if not restored and models.cepstrum.has_beside(model):
        with journal.before_epochs():
            _learn_beside(model, training, config, len(class_names))
    lesson = _lesson(model, training, validation, config, len(class_names))
    if not restored:
        standardize(model, lesson.heard)
    if journal.finished:
        return
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        journal,
        keras.callbacks.TensorBoard(str(run.file("tensorboard")), write_graph=False),
    ]
    if lesson.validation is not None and not lesson.cached:  # embeddings are no pictures
        callbacks.append(Pictures(run.file("tensorboard") / "pictures", lesson.validation, class_names))
    lesson.fit(
        first_epoch=journal.next_epoch,
        epochs=config.train.epochs,
        validation_data=lesson.validation,
        callbacks=callbacks,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if journal.diverged:
        raise InputError(
            f"the loss became NaN or infinite in epoch {journal.next_epoch + 1}; "
            f"try a lower --learning_rate (it was {config.train.learning_rate:g}) in a new --run_dir"
        )


@dataclasses.dataclass(frozen=True)
class _Lesson:
    """What is fitted, on what.

    learner      the part of a compiled model that learns
    cached       whether it hears embeddings, computed once, instead of log-mels
    batches      a function of the first epoch that gives endless training batches
    steps        batches per epoch
    validation   the validation clips once, in order; None where there are none
    heard        what reaches the layer "standardize" of the training clips, in batches
    weights      of the classes, for `fit`
    """

    learner: keras.Model
    cached: bool
    batches: Callable
    steps: int
    validation: tf.data.Dataset | None
    heard: tf.data.Dataset
    weights: dict | None

    def fit(self, first_epoch=0, **options):
        """Fit the learner; the options are Keras's."""
        self.learner.fit(
            self.batches(first_epoch),
            initial_epoch=first_epoch,
            steps_per_epoch=self.steps,
            class_weight=self.weights,
            shuffle=False,  # the pipeline does
            **options,
        )


def _lesson(model, training, validation, config, n_classes):
    """The _Lesson of a compiled model; training and validation are (cache entries, int labels)."""
    steps, weights = steps_per_epoch(len(training[0]), config), _class_weights(training[1], n_classes, config.train)
    # Noise is new in every epoch, and so is what a body that doesn't learn makes of it.
    cached = embeddings.is_frozen(model) and config.augment.noise_probability == 0
    learner, feed, ordered, before = model, training_batches, evaluation_batches, embeddings.body(model)
    if cached:
        learner, feed, ordered, before = embeddings.head(model), embedding_batches, ordered_embeddings, tf.identity
        training, validation = (
            (embeddings.embeddings(model, entries, config), labels) for entries, labels in (training, validation)
        )
    elif models.cepstrum.has_beside(model):
        learner = models.cepstrum.learner(model)

    def batches(first_epoch):
        return feed(*training, n_classes, config, first_epoch)

    # Ranks are those of what will be heard, noise and all.
    heard = batches(0).take(steps) if model.name == "cepstrum" and not cached else ordered(*training, n_classes, config)
    heard = heard.map(lambda inputs, _: before(inputs))
    validated = ordered(*validation, n_classes, config) if len(validation[1]) else None
    return _Lesson(learner, cached, batches, steps, validated, heard, weights)


def _learn_beside(model, training, config, n_classes):
    """Train the cepstrum that stands beside another network, from its beginning to its end."""
    config = config.with_settings(
        model="cepstrum",
        cepstrum=False,
        epochs=round(models.cepstrum.EPOCHS * config.train.epochs),
        **models.cepstrum.SETTINGS,
    )
    part, epochs = _build(config, n_classes), config.train.epochs
    compile_model(part, config.train, steps_per_epoch(len(training[0]), config))
    lesson = _lesson(part, training, ([], []), config, n_classes)
    standardize(part, lesson.heard)
    with bar("training the cepstrum", unit="epoch") as on_progress:
        progress = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: on_progress(epoch + 1, epochs))
        lesson.fit(epochs=epochs, callbacks=[progress], verbose=0)
    model.get_layer("cepstrum").set_weights(part.get_weights())


def compile_model(model, config, steps):
    """Compile with AdamW, linear warm-up then cosine to zero, and smoothed cross-entropy.

    Args:
      model: a Keras model with softmax scores.
      config: a TrainConfig.
      steps: steps per epoch.
    """
    warmup = round(config.warmup_epochs * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else config.learning_rate,
        max(config.epochs * steps - warmup, 1),
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)
    # Decay of scales and shifts only fights the normalisation around them.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
    model.compile(optimizer, loss, metrics=["accuracy"])
    optimizer.build(model.trainable_variables)


def check_weights(config):
    """Raise InputError, before any work, where the pretrained weights that the settings name can't be had."""
    weights.load(_build(config, n_classes=2), config.model)


def standardize(model, values):
    """Set the mean and variance of a model's layer "standardize", or what a cepstrum has in their place.

    Args:
      model: what `models.build` returns.
      values: what reaches that layer, a float array [clips, ...] or a dataset of batches.
    """
    layer = model.get_layer("standardize")
    if model.name == "cepstrum":
        batches = values if isinstance(values, tf.data.Dataset) else [values]
        models.cepstrum.adapt(layer, np.concatenate([np.asarray(batch) for batch in batches]))
        return
    layer.adapt(values)
    # A value of an embedding that no training clip moves would be divided by zero.
    layer.adapt_variance.assign(keras.ops.maximum(layer.adapt_variance, LEAST_SPREAD**2))
    layer.finalize_state()


def _class_weights(labels, n_classes, config):
    """{class: weight of its clips} for "balanced", every class in sum as much and clips by 1 on average; else None."""
    if config.class_weights == "none":
        return None
    counts = np.bincount(labels, minlength=n_classes)
    return dict(enumerate((len(labels) / (n_classes * counts)).tolist()))


def _build(config, n_classes):
    return models.build(config.model.model, (config.audio.frames, config.audio.n_mels), n_classes, config.model)


def _split(run, name):
    """(cache entries, int labels) of one split of a run."""
    clips = run.clips[run.clips.split == name]
    class_names = run.class_names
    entries = cache_entries(clips.path, run.config)
    return entries, [class_names.index(label) for label in clips.label]
