"""TF Serving's own protocol buffers: what its gRPC service and its warm-up file are written in."""

import types

from urbansound.errors import InputError


def protos():
    """The modules predict_pb2, prediction_log_pb2 and prediction_service_pb2_grpc, as attributes.

    Imported on demand, since they load TensorFlow, which takes seconds.

    Raises:
      InputError: tensorflow-serving-api is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc
    except ImportError as error:
        # With its dependencies it would bring a second TensorFlow over tensorflow-cpu.
        raise InputError(
            f"tensorflow-serving-api is needed ({error}): pip install --no-deps tensorflow-serving-api==2.16.1"
        ) from None
    return types.SimpleNamespace(
        predict_pb2=predict_pb2,
        prediction_log_pb2=prediction_log_pb2,
        prediction_service_pb2_grpc=prediction_service_pb2_grpc,
    )


def predict_request(model, signature, name, value):
    """A PredictRequest of one input.

    Args:
      model: the served model's name.
      signature: "serving_default" or "wav_bytes".
      name: of the input.
      value: its array, or list of bytes.
    """
    import tensorflow as tf

    request = protos().predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def array(proto):
    """The array in a TensorProto; strings are bytes."""
    import tensorflow as tf

    return tf.make_ndarray(proto)
