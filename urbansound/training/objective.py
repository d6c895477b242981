"""What a network is trained for, and by which figure its epochs are compared, for each of `urbansound.targets`."""

import keras

STEPS = 1000  # of scores that average precision is told by


def loss(targets, label_smoothing):
    """The keras.losses.Loss: cross-entropy of a clip's classes, or the mean over classes of each class's own.

    A share `label_smoothing` of each target is spread evenly: over all classes, or over yes and no of each class.
    """
    return getattr(keras.losses, targets.loss)(label_smoothing=label_smoothing)


def metric(targets, n_classes):
    """The keras.metrics.Metric of batches of targets and scores [batch, n_classes], named as history.csv has it."""
    return METRICS[targets.measure](n_classes, targets.measure)


def _accuracy(n_classes, name):
    return keras.metrics.CategoricalAccuracy(name)


@keras.saving.register_keras_serializable(package="urbansound")
class MacroAveragePrecision(keras.metrics.Metric):
    """Mean over classes of average precision, with scores rounded to STEPS; classes without a clip do not count.

    Keras's own AUC(curve="PR") interpolates, and counts a class without a clip as 0.

    Args:
      n_classes: number of classes.
    """

    def __init__(self, n_classes, name="macro_average_precision", **options):
        super().__init__(name=name, **options)
        shape = (n_classes, STEPS + 1)
        self.present = self.add_variable(shape, "zeros", name="present")
        self.absent = self.add_variable(shape, "zeros", name="absent")

    def get_config(self):
        """The arguments that make one like it."""
        return {**super().get_config(), "n_classes": self.present.shape[0]}

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the clips of a batch by class and score; a target of at least a half counts as 1."""
        present = keras.ops.cast(y_true >= 0.5, "float32")
        places = keras.ops.cast(keras.ops.round(keras.ops.clip(y_pred, 0, 1) * STEPS), "int32")
        n_classes, steps = self.present.shape
        places = keras.ops.reshape(places + steps * keras.ops.arange(n_classes), (-1,))
        for counts, counted in ((self.present, present), (self.absent, 1 - present)):
            sums = keras.ops.segment_sum(keras.ops.reshape(counted, (-1,)), places, n_classes * steps)
            counts.assign_add(keras.ops.reshape(sums, (n_classes, steps)))

    def result(self):
        """The mean so far; 0 before any class has a clip."""
        found = keras.ops.flip(keras.ops.cumsum(keras.ops.flip(self.present, 1), 1), 1)  # of at least each score
        wrong = keras.ops.flip(keras.ops.cumsum(keras.ops.flip(self.absent, 1), 1), 1)
        precision = found / keras.ops.maximum(found + wrong, 1)
        clips = keras.ops.sum(self.present, 1)
        of_classes = keras.ops.sum(self.present * precision, 1) / keras.ops.maximum(clips, 1)
        return keras.ops.sum(of_classes) / keras.ops.maximum(keras.ops.sum(keras.ops.cast(clips > 0, "float32")), 1)


METRICS = {"accuracy": _accuracy, "macro_average_precision": MacroAveragePrecision}
