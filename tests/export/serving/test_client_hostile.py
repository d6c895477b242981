"""Servers that stall, lie and redirect, against the client: one line or a refused file, whatever they send."""

import json
import sys
import time
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from export.serving import client
from hostile_server import answering
from running import command
from serving_double import grpc_service
from urbansound.errors import InputError

GOOD = {"top_labels": ["a", "b", "c"], "top_scores": [0.5, 0.3, 0.2], "scores": [0.5, 0.3, 0.2]}
STRANGER = "no TF Serving with an exported model"


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


def rest_answer(body, head=b"HTTP/1.1 200 OK\r\n"):
    return head + b"Content-Length: %d\r\n\r\n" % len(body), body


def predictions(**changes):
    return json.dumps({"predictions": [{**GOOD, **changes}]}).encode()


def ask_rest(*pieces, pause=0, seconds=5):
    with answering(*pieces, pause=pause) as (url, _):
        return client.connect(url, "urbansound", seconds)(b"RIFF")


class AnyAnswer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, outputs):
        self.outputs = outputs

    def Predict(self, request, context):  # noqa: N802 (the service's name)
        response = predict_pb2.PredictResponse()
        for name, proto in self.outputs.items():
            response.outputs[name].CopyFrom(proto)
        return response


def ask_grpc(outputs):
    with grpc_service(AnyAnswer(outputs)) as url:
        return client.connect(url, "urbansound", 5)(b"RIFF")


def protos(**changes):
    values = {
        "top_labels": [[b"a", b"b", b"c"]],
        **{name: np.float32([GOOD[name]]) for name in ("top_scores", "scores")},
    }
    made = {name: tf.make_tensor_proto(value) for name, value in values.items()} | changes
    return {name: proto for name, proto in made.items() if proto is not None}


def floats(*values):
    return tf.make_tensor_proto(np.float32([values]))


def huge():
    """A value, and a shape of 40 GB."""
    proto = floats(0.5)
    proto.tensor_shape.dim[1].size = 10**10
    return proto


def test_what_is_right_is_accepted():
    assert ask_rest(*rest_answer(predictions())) == (["a", "b", "c"], [0.5, 0.3, 0.2])
    two = {"top_labels": ["a", "b"], "top_scores": [1, 0], "scores": [1, 0]}
    assert ask_rest(*rest_answer(predictions(**two))) == (["a", "b"], [1, 0])
    labels, scores = ask_grpc(protos())
    assert labels == ["a", "b", "c"]
    np.testing.assert_allclose(scores, [0.5, 0.3, 0.2])


def test_a_redirect_is_not_followed():
    with answering(*rest_answer(predictions())) as (other, asked):
        head = b"HTTP/1.1 307 Go\r\nLocation: %s/v1\r\nContent-Length: 0\r\n\r\n" % other.encode()
        with pytest.raises(InputError, match="HTTP 307 with a redirect to http://"):
            ask_rest(head)
    assert asked == []


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\n", *[b"X"] * 1000],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b" "] * 1000],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000,
        [b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n", *[b" "] * 1000],
    ],
)
def test_the_timeout_is_for_the_whole_answer(pieces):
    start = time.monotonic()
    with pytest.raises(InputError, match=r"no answer .*longer --timeout_seconds"):
        ask_rest(*pieces, pause=0.1, seconds=0.5)
    assert time.monotonic() - start < 10  # each byte comes in time; all of them would take 100 s


def test_a_body_without_end_is_read_to_a_limit():
    endless = [b" " * (1 << 20)] * 100
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=STRANGER):
            ask_rest(b"HTTP/1.1 200 OK\r\n\r\n", predictions(), *endless)
        with pytest.raises(InputError, match="HTTP 500 No"):
            ask_rest(b"HTTP/1.1 500 No\r\n\r\n", *endless)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 << 20  # of 100 MB that are sent
    big = tf.make_tensor_proto([[b"x" * client.ANSWER_BYTES]])
    with pytest.raises(InputError, match="message larger than max"):
        ask_grpc(protos(top_labels=big))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"predictions"', b"\xff\xfe", b"[" * 100_000, b'{"predictions": []}',
        b'{"predictions": 1}', b'{"predictions": [1]}', b'{"predictions": [{}]}',
        b'{"predictions": [' + b"9" * 5000 + b"]}",
        predictions(top_labels="abc"), predictions(top_labels=[1, 2, 3]), predictions(top_labels=["a"]),
        predictions(top_labels=[], top_scores=[], scores=[]), predictions(top_labels={"a": 1, "b": 1, "c": 1}),
        predictions(top_scores=[0.5]), predictions(top_scores=[0.5, 0.3]), predictions(top_scores="111"),
        predictions(top_scores=[True, False, False]), predictions(top_scores=[0.5, None, 0.2]),
        predictions(top_scores=[[0.5], [0.3], [0.2]]), predictions(top_scores=["0.5", "0.3", "0.2"]),
        predictions(top_scores=[7, 0.3, 0.2]), predictions(top_scores=[10**400, 1, 0]),
        predictions(top_scores=[0.5, 0.3, -0.2]), predictions(top_scores=[0.2, 0.3, 0.5]),
        predictions(scores=[0.5, 0.5]), predictions(scores=3), predictions(scores=None),
        predictions(top_labels=["a", "b"], top_scores=[0.5, 0.3]),
    ],
)  # fmt: skip
def test_a_rest_answer_of_another_form_is_one_line(body):
    with pytest.raises(InputError, match=STRANGER):
        ask_rest(*rest_answer(body))


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        protos(top_labels=None),
        protos(scores=None),
        protos(top_scores=tf.make_tensor_proto([[1, 0, 0]])),
        protos(top_scores=tf.make_tensor_proto(np.float32([0.5, 0.3, 0.2]))),
        protos(top_scores=tf.make_tensor_proto(np.float32(0.5))),
        protos(top_scores=floats(0.5, 0.3)),
        protos(top_scores=floats(7, 0.3, 0.2)),
        protos(top_scores=huge()),
        protos(scores=huge()),
        protos(top_labels=tf.make_tensor_proto([[b"\xff", b"b", b"c"]])),
        protos(top_labels=tf.make_tensor_proto([b"a", b"b", b"c"])),
        protos(top_labels=floats(1, 2, 3)),
        protos(scores=floats(0.5, 0.5)),
    ],
)
def test_a_grpc_answer_of_another_form_is_one_line(outputs):
    with pytest.raises(InputError, match=STRANGER):
        ask_grpc(outputs)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_are_the_file_s_fault(score):
    with pytest.raises(client.BadFileError, match="no finite numbers"):
        ask_rest(*rest_answer(predictions(top_scores=[score, 0.3, 0.2])))
    with pytest.raises(client.BadFileError, match="no finite numbers"):
        ask_grpc(protos(top_scores=floats(score, 0.3, 0.2)))


@pytest.mark.parametrize("url", ["http://[::1", "grpc://[", "http://h:99999", "http://h:port", "grpc://h:x"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InputError, match="--url must be"):
        client.connect(url, "urbansound", 1)


def test_control_characters_of_a_server_do_not_reach_the_terminal(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "export.serving.client")  # runpy warns of what is imported already
    (tmp_path / "a\x1b[2J.wav").write_bytes(b"RIFF")
    evil = "\x1b]0;owned\x07\u202e"
    answers = {
        "label": (b"HTTP/1.1 200 OK\r\n", predictions(top_labels=[evil, "b", "c"])),
        "refusal": (b"HTTP/1.1 400 No\r\n", json.dumps({"error": evil * 1000}).encode()),
        "reason": (b"HTTP/1.1 500 " + evil.encode() + b"\r\n", b""),
        "error": (b"HTTP/1.1 404 No\r\n", json.dumps({"error": evil}).encode()),
        "no answer": (b"\x1b[31m nonsense\r\n", b""),
    }
    for head, body in answers.values():
        with answering(*rest_answer(body, head)) as (url, _):
            done = command("export.serving.client", f"--url={url}", tmp_path)
        text = (done.stdout + done.stderr).replace("\n", "")
        assert "x1b" in text
        assert text.isprintable()
        assert len(text) < 2000


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0, 1e9])
def test_a_timeout_that_no_clock_can_wait_for_is_refused(seconds):
    with pytest.raises(InputError, match="timeout_seconds must be at most 86400"):
        client.connect("http://localhost:1", "urbansound", seconds)
