"""Requests that TF Serving sends itself when it loads the model, so that no person waits for the first answer."""

import io
import wave

import numpy as np
import tensorflow as tf

from export.serving.serving_api import predict_request, protos

PLACE = "assets.extra/tf_serving_warmup_requests"  # where TF Serving looks
RECORDING_RATE = 44_100  # Hz; not the model's, so that the resampler is warm too


def write(folder, model, audio):
    """Write the warm-up file of a SavedModel: one silent window for each signature, and a WAV to resample.

    Args:
      folder: the SavedModel's.
      model: the name it will be served under.
      audio: AudioConfig; clip_seconds is the window.

    Raises:
      InputError: tensorflow-serving-api is not installed.
    """
    inputs = [("serving_default", "waveform", np.zeros([1, audio.clip_samples], np.float32))]
    for rate in (audio.sample_rate, RECORDING_RATE):
        silence = np.zeros(round(audio.clip_seconds * rate), np.int16)
        inputs.append(("wav_bytes", "wav_bytes", [wav_file(silence, rate)]))
    path = folder / PLACE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, name, value in inputs:
            log = protos().prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(predict_request(model, signature, name, value))
            writer.write(log.SerializeToString())


def wav_file(samples, rate):
    """The bytes of a WAV file, 16-bit mono.

    Args:
      samples: int16 [samples].
      rate: Hz.
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
