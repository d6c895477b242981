"""Compile, callbacks, fit: from a run directory's settings and clips to its trained model."""

import sys

import keras
import numpy as np
import tensorflow as tf

from urbansound import frozen, models, pretrained
from urbansound.callbacks import Journal, Pictures
from urbansound.data.pipeline import (
    embedding_batches,
    evaluation_batches,
    ordered_embeddings,
    steps_per_epoch,
    training_batches,
)
from urbansound.data.prepare import cache_entries
from urbansound.errors import InputError

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
    if not restored and not pretrained.load(model, config.model):
        print(f"{config.model.model}: RANDOM weights, since the settings name no file of published ones")
    learner, feed, ordered = model, training_batches, evaluation_batches
    if frozen.is_frozen(model):
        learner, feed, ordered = frozen.head(model), embedding_batches, ordered_embeddings
        training, validation = (
            (frozen.embeddings(model, entries, config), labels) for entries, labels in (training, validation)
        )
    if not restored:
        before = frozen.body(model) if learner is model else tf.identity
        standardize(model, ordered(*training, len(class_names), config).map(lambda inputs, _: before(inputs)))
    if journal.finished:
        return
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        journal,
        keras.callbacks.TensorBoard(str(run.file("tensorboard")), write_graph=False),
    ]
    validation_batches = None
    if config.data.validates:
        validation_batches = ordered(*validation, len(class_names), config)
        if learner is model:  # embeddings are no pictures
            callbacks.append(Pictures(run.file("tensorboard") / "pictures", validation_batches, class_names))
    learner.fit(
        feed(*training, len(class_names), config, first_epoch=journal.next_epoch),
        validation_data=validation_batches,
        epochs=config.train.epochs,
        initial_epoch=journal.next_epoch,
        steps_per_epoch=steps_per_epoch(len(training[0]), config),
        callbacks=callbacks,
        class_weight=_class_weights(training[1], len(class_names), config.train.class_weights),
        shuffle=False,  # the pipeline does
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if journal.diverged:
        raise InputError(
            f"the loss became NaN or infinite in epoch {journal.next_epoch + 1}; "
            f"try a lower --learning_rate (it was {config.train.learning_rate:g}) in a new --run_dir"
        )


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
    pretrained.load(_build(config, n_classes=2), config.model)


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


def _class_weights(labels, n_classes, kind):
    """{class: weight of its clips} for "balanced", every class in sum as much and clips by 1 on average; else None."""
    if kind == "none":
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
