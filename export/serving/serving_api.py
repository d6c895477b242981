"""TF Serving's own protocol buffers: what its gRPC service and its warm-up file are written in."""

import types

import numpy as np

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


def row(proto, kind):
    """The one row of a server's TensorProto [1, values], as a list.

    Args:
      proto: the TensorProto.
      kind: float for float32 values, str for strings, which come as bytes.

    Raises:
      ValueError: values of another kind, another shape, or fewer values than the shape says.
    """
    import tensorflow as tf

    kinds = {float: (tf.float32, proto.float_val), str: (tf.string, proto.string_val)}
    dtype, values = kinds[kind]
    shape = [dim.size for dim in proto.tensor_shape.dim]
    # Not by make_ndarray: it fills up to the shape what is missing, whatever memory that takes.
    if kind is float and proto.tensor_content:
        values = np.frombuffer(proto.tensor_content, "<f4").tolist()
    if proto.dtype != dtype.as_datatype_enum or shape != [1, len(values)]:
        raise ValueError(f"{proto.dtype} {shape}")
    return list(values)
