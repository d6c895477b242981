"""The record that is all the rest of the project knows of an architecture."""

import dataclasses
from collections.abc import Callable

INT8, INT8_WEIGHTS, FLOAT = "int8", "int8 weights", "float"


@dataclasses.dataclass(frozen=True)
class Int8:
    """How a network computes in the file "int8", whose input, output and front-end are float.

    Attributes:
      pieces: where the network is cut, in order: (name of the layer that a piece ends with, precision); the
        last piece ends with the scores, None. INT8: weights and activations are int8. INT8_WEIGHTS:
        weights are int8, activations float. FLOAT: nothing is int8. Operations of two pieces are never
        fused into one.
      why: the reason, in a sentence.
      integer_only: whether the file "int8_spectrogram", where every operation is int8, can be made.

    Raises:
      ValueError: the last piece is not the only one that ends with the scores, or a precision is unknown.
    """

    pieces: tuple[tuple[str | None, str], ...] = ((None, INT8),)
    why: str = "Everything after the front-end is int8."
    integer_only: bool = True

    def __post_init__(self):
        ends = [end for end, _ in self.pieces]
        if ends[-1:] != [None] or None in ends[:-1]:
            raise ValueError(f"only the last of pieces ends with the scores, None. Received: {self.pieces}")
        if unknown := {precision for _, precision in self.pieces} - {INT8, INT8_WEIGHTS, FLOAT}:
            raise ValueError(f"precision must be INT8, INT8_WEIGHTS or FLOAT. Received: {unknown.pop()}")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """How a network is built, gets published weights, is trained and becomes int8.

    Attributes:
      name: what --model calls it.
      summary: what it is, in one line.
      build: function of (input_shape, n_classes, config) that returns a new keras.Model from "log_mel",
        float32 [batch, frames, n_mels], to "scores", float32 [batch, n_classes] that sum to 1 or, where
        config.targets is "multilabel", each from 0 to 1 (`parts.scores` gives either).
        input_shape is (frames, n_mels), config a ModelConfig.
      load_weights: None, or a function of (model, config, class_names) that puts published weights into
        a new model; False where the settings name no file of them. It raises InputError where the file
        is missing or holds something else, and leaves the model as it was then.
      origin: None, or a function of config that says whose published weights the settings put in, and what these were
        trained on; None where they name none.
      embedding: None, or the name of the layer that takes the embedding as input. The layers before it
        are the body, it and the rest are the head. Where no weight of the body is trained, embeddings
        are computed once per clip and cached, and the head is trained on them.
      int8: its Int8.
    """

    name: str
    summary: str
    build: Callable
    load_weights: Callable | None = None
    origin: Callable | None = None
    embedding: str | None = None
    int8: Int8 = Int8()
