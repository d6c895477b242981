"""From a run directory's settings and clips to its trained model."""

import sys

import keras
import tensorflow as tf

from urbansound import models
from urbansound.data.prepare import clips_of
from urbansound.data.splits import TRAIN, VALIDATION
from urbansound.errors import InputError
from urbansound.models import ensemble, parts
from urbansound.training import distillation, objective, stages
from urbansound.training.callbacks import Checkpoints, Pictures


def train(run):
    """Train the run's model, stage after stage, from its checkpoint where there is one; not one that is trained.

    Args:
      run: a Run with settings and clips; gets model.keras, history.csv, checkpoints/ and tensorboard/.

    Raises:
      InputError: the loss became NaN or infinite; a clip or a file of published weights is gone; a checkpoint is
        damaged; another process is at work on the run.
      KeyboardInterrupt: Ctrl-C; the last whole epoch is kept.
    """
    with run.locked():
        if not run.file("model.keras").exists():  # which is written last
            _train(run)


def _train(run):
    config = run.config
    keras.utils.set_random_seed(config.train.seed)
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()
    model, networks = build(config, len(run.class_names))
    checkpoints = Checkpoints(run, config.train, model, [record.name for record, _ in networks])
    if checkpoints.is_new:
        for name in models.load_weights(networks, config.model, run.class_names):
            print(f"{name}: RANDOM weights, since the settings name no file of published ones")
    training, validation = (clips_of(run, split)[1:] for split in (TRAIN, VALIDATION))
    for place in range(checkpoints.place, len(networks)):
        _train_stage(run, checkpoints, networks[: place + 1], model, training, validation)


def build(config, n_classes):
    """A new (model, networks) for a Config, see `models.build`."""
    return models.build((config.audio.frames, config.audio.n_mels), n_classes, config.model)


def check_weights(config):
    """Raise InputError, before any work, where published weights can't be had or a network can't be taught."""
    _, networks = build(config, n_classes=2)
    models.load_weights(networks, config.model)
    for _, network in networks if config.distill.teacher else ():
        parts.embedding(network)


def _train_stage(run, checkpoints, networks, model, training, validation):
    """Train the last of a model's first networks, from the checkpoint where that is of this stage."""
    record, network = networks[-1]
    config = stages.settings(record, network, run.config)
    lessons = distillation.of_run(run, training, config)
    learned, whole, read_out = network, model, None
    if lessons is not None:
        read_out = distillation.read_out(lessons, config.train.seed)
        learned = keras.Model(network.input, [network.output, read_out(parts.embedding(network))])
        whole = keras.Model(model.input, [model.output, *learned(model.input)])
    optimizer = adamw(config.train, stages.steps_of(training, config, lessons), learned.trainable_variables)
    whole.compile(optimizer)  # so that a checkpoint holds the optimizer's state
    checkpoints.enter(record.name, whole)
    if not checkpoints.finished:
        mean = ensemble.average([trained for _, trained in networks])
        stage = stages.stage(record, network, mean, training, validation, config, lessons, read_out)
        if checkpoints.next_epoch == 0:
            stage.adapt()
        _fit(run, checkpoints, stage, optimizer)
    checkpoints.leave()


def _fit(run, checkpoints, stage, optimizer):
    loss = objective.loss(run.targets, run.config.train.label_smoothing)
    stage.learner.compile(optimizer, loss, metrics=[objective.metric(run.targets, len(run.class_names))])
    _build_metrics(stage.learner, len(run.class_names))
    folder = run.file("tensorboard") / checkpoints.stage
    tensorboard = keras.callbacks.TensorBoard(str(folder), write_graph=False)
    callbacks = [keras.callbacks.TerminateOnNaN(), checkpoints, tensorboard]
    if stage.validates_log_mels and stage.validation is not None:
        callbacks.append(Pictures(folder / "pictures", stage.validation, run.class_names, run.targets))
    stage.learner.fit(
        stage.batches(checkpoints.next_epoch),
        initial_epoch=checkpoints.next_epoch,
        epochs=run.config.train.epochs,
        steps_per_epoch=stage.steps,
        validation_data=stage.validation,
        class_weight=stage.class_weights,
        shuffle=False,  # the pipeline does
        callbacks=callbacks,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if checkpoints.diverged:
        raise InputError(
            f"the loss became NaN or infinite in epoch {checkpoints.next_epoch + 1}; "
            f"try a lower --learning_rate (it was {run.config.train.learning_rate:g}) in a new --run_dir"
        )


def _build_metrics(model, n_classes):
    """Make the variables of a compiled model's metrics: if the first step makes them, TensorFlow traces it twice."""
    targets = tf.zeros([1, n_classes])
    model.compute_metrics(None, targets, targets, None)
    model.reset_metrics()


def adamw(config, steps, variables):
    """The keras.optimizers.AdamW of a training, built: linear warm-up, then cosine to zero.

    Args:
      config: a TrainConfig.
      steps: steps per epoch.
      variables: what is trained.
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
    optimizer.build(variables)
    return optimizer
