"""What teachers say of the views of training clips, which a network is taught by."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from urbansound import targets as kinds
from urbansound.data.views import clips_per_batch, steps_per_epoch, views


@dataclasses.dataclass(frozen=True)
class Course:
    """The views that teachers hear: those of the first `view_epochs` epochs.

    Attributes:
      entries: cache files of the training clips, those without labels last.
      targets: float32 [clips, classes + 1]; the last value is 1 where a clip has a label. Without one, all are 0.
      config: the Config of the stage that is taught.
    """

    entries: list[str]
    targets: np.ndarray
    config: object

    @classmethod
    def of(cls, training, unlabelled, config):
        """The Course of labelled clips, (cache files, targets float32 [clips, classes]), and cache files of others."""
        entries, targets = training
        labelled = np.pad(np.asarray(targets, np.float32), [(0, 0), (0, 1)], constant_values=1)
        return cls([*entries, *unlabelled], np.pad(labelled, [(0, len(unlabelled)), (0, 0)]), config)

    @property
    def view_epochs(self):
        """Epochs with waveforms of their own."""
        return min(self.config.distill.view_epochs, self.config.train.epochs)

    @property
    def views_per_epoch(self):
        """Views in each of the epochs."""
        clips = len(self.entries)
        return steps_per_epoch(clips, self.config) * clips_per_batch(clips, self.config)

    def views(self, first_epoch=0):
        """What `data.views.views` gives of the clips, endless."""
        classes = self.targets.shape[1] - 1
        nothing = np.full(classes + 1, kinds.of(self.config.model.targets).nothing(classes), np.float32)
        nothing[-1] = 1
        return views(self.entries, self.targets, nothing, self.config, first_epoch, self.view_epochs)


@dataclasses.dataclass(frozen=True)
class Lessons:
    """A Course with what was said of its views.

    Attributes:
      course: a Course.
      scores: float16 [views, classes], the mean over the teachers.
      embeddings: float16 [views, values] of all teachers, from -1 to 1.
    """

    course: Course
    scores: np.ndarray
    embeddings: np.ndarray

    def of(self, numbers, targets):
        """What is learned of views.

        Args:
          numbers: int64 [batch] of the views.
          targets: float32 [batch, classes + 1] as `Course.views` gives them.

        Returns:
          (targets float32 [batch, classes], embeddings float32 [batch, values]). Of what is labelled, the share
          label_share is the label's, the rest is the teachers'.
        """
        said, embeddings = (tf.cast(tf.gather(values, numbers), tf.float32) for values in self._tensors)
        share = self.course.config.distill.label_share
        return share * targets[:, :-1] + (1 - share * targets[:, -1:]) * said, embeddings

    @functools.cached_property
    def _tensors(self):
        """Scores and embeddings outside any graph, which would hold a copy of them as its constants."""
        with tf.init_scope():
            return tf.constant(self.scores), tf.constant(self.embeddings)
