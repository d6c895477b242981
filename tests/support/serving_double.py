"""TF Serving's two front doors over a real SavedModel, for tests: REST as its page documents it, gRPC by its protos.

Source: https://www.tensorflow.org/tfx/serving/api_rest; tensorflow_serving/apis/prediction_service.proto.
"""

import base64
import contextlib
import http.server
import json
import re
import threading
from concurrent import futures

import grpc
import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from urbansound.config import AudioConfig
from urbansound.inference.classifier import Classifier

AUDIO = AudioConfig(sample_rate=8000, clip_seconds=0.5, n_fft=256, win_length=256, hop_length=128, n_mels=16)
NOT_FOUND = "Servable not found for request: Latest({})"


class Served:
    """A SavedModel opened as TF Serving opens it, through the session loader."""

    def __init__(self, folder, name):
        self.name = name
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self.session, ["serve"], str(folder))
        self.signatures = loaded.signature_def

    def predict(self, signature, inputs):
        """Outputs by name of arrays by name."""
        definition = self.signatures[signature]
        assert set(inputs) == set(definition.inputs)
        fetches = {name: tensor.name for name, tensor in definition.outputs.items()}
        return self.session.run(fetches, {definition.inputs[name].name: value for name, value in inputs.items()})


def server_text(error):
    """The message as the C++ server has it, without the heading that Python's session puts above it."""
    return error.message.removeprefix("Graph execution error:").lstrip()


@contextlib.contextmanager
def rest(served):
    """Serve by HTTP; yield (url, log), where log gets each request's body."""
    log = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != f"/v1/models/{served.name}":
                return self.answer(404, {"error": NOT_FOUND.format(self.path.split("/")[-1])})
            status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            return self.answer(200, {"model_version_status": [status]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            log.append(body)
            model = re.fullmatch(r"/v1/models/([^/]+)(?:/versions/1)?:predict", self.path)[1]
            if model != served.name:
                return self.answer(404, {"error": NOT_FOUND.format(model)})
            try:
                return self.answer(200, rest_predict(served, body))
            except tf.errors.InvalidArgumentError as error:
                return self.answer(400, {"error": server_text(error)})

        def answer(self, status, value):
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://localhost:{server.server_port}", log
        server.shutdown()
        thread.join()


def rest_predict(served, body):
    """The JSON answer to the JSON request of the Predict API, in row or column format."""
    assert set(body) <= {"signature_name", "instances", "inputs"}
    signature = body.get("signature_name", "serving_default")
    definition = served.signatures[signature]
    if "instances" in body:
        rows = body["instances"]
        if all(isinstance(row, dict) and set(row) != {"b64"} for row in rows):
            columns = {name: [row[name] for row in rows] for name in rows[0]}
        else:  # the one input's values themselves
            (name,) = definition.inputs
            columns = {name: rows}
    else:
        columns = body["inputs"]
    arrays = {name: tensor(values, definition.inputs[name]) for name, values in columns.items()}
    outputs = {name: plain(value.tolist()) for name, value in served.predict(signature, arrays).items()}
    if "inputs" in body:
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    assert {len(value) for value in outputs.values()} == {len(rows)}, "row format: equal first dimensions"
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    return {"predictions": [{name: value[i] for name, value in outputs.items()} for i in range(len(rows))]}


def tensor(values, info):
    """JSON values as an array of the input's type."""
    if info.dtype == tf.string.as_datatype_enum:
        return np.array(
            [base64.b64decode(value["b64"]) if isinstance(value, dict) else value for value in values], object
        )
    return np.array(values, tf.as_dtype(info.dtype).as_numpy_dtype)


def plain(value):
    """Lists of numbers and text; bytes would fail in JSON, as they do in TF Serving."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict alone."""

    def __init__(self, served):
        self.served = served

    def Predict(self, request, context):  # noqa: N802 (the service's name)
        if request.model_spec.name != self.served.name:
            context.abort(grpc.StatusCode.NOT_FOUND, NOT_FOUND.format(request.model_spec.name))
        signature = request.model_spec.signature_name or "serving_default"
        try:
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            outputs = self.served.predict(signature, inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, server_text(error))
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


@contextlib.contextmanager
def grpc_service(service):
    """Serve a PredictionServiceServicer by gRPC; yield the url."""
    unbounded = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(2), options=unbounded)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"grpc://localhost:{port}"
    server.stop(None).wait()


def tiny_classifier(class_names=("a", "b", "c")):
    """A Classifier that is quick: a linear model over the mean log-mel of half seconds at 8 kHz."""
    keras.utils.set_random_seed(1)
    log_mel = keras.Input((AUDIO.frames, AUDIO.n_mels))
    pooled = keras.layers.GlobalAveragePooling1D()(log_mel / 50)
    model = keras.Model(log_mel, keras.layers.Dense(len(class_names), activation="softmax")(pooled))
    return Classifier(model, AUDIO, hop=2000, short_clips="repeat", class_names=class_names, architectures=("cnn",))
