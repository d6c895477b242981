"""Ask a TF Serving that serves an exported model what is in WAV files: a label, its score and the next two per file.

python -m export.serving.client --url=http://localhost:8501 clip.wav folder …      REST
python -m export.serving.client --url=grpc://localhost:8500 clip.wav folder …      gRPC, needs tensorflow-serving-api
"""

import base64
import http.client
import json
import math
import re
import sys
import urllib.error
import urllib.parse
from pathlib import Path

from absl import flags

from export.serving import serving_api
from urbansound import command
from urbansound.data import audio_files
from urbansound.data.download import web
from urbansound.errors import InputError
from urbansound.report.tables import in_form
from urbansound.text import one_line, shown

URL = flags.DEFINE_string("url", "http://localhost:8501", "the server: http://, https:// (REST) or grpc://, HOST:PORT")
MODEL = flags.DEFINE_string("model", "urbansound", "name that the model is served under")
TOP = flags.DEFINE_integer("top", 3, "labels per file, the best first", lower_bound=1, upper_bound=3)
FORMAT = flags.DEFINE_enum("format", "table", ["table", "csv", "jsonl"], "how the answers are printed")
TIMEOUT_SECONDS = flags.DEFINE_float("timeout_seconds", 60, "for one file's answer", lower_bound=1)

SIGNATURE = INPUT = "wav_bytes"
COLUMNS = (("best", "score"), ("second", "second_score"), ("third", "third_score"))
ROUNDING = 1e-3  # of scores above 1: a mean of float32, or of a quantised model's
LONGEST_SECONDS = 86_400
ANSWER_BYTES = 4 << 20  # at most; ten thousand classes take a tenth


class BadFileError(Exception):
    """The server refuses this file, or has no scores of it; its text is one line."""


def main(argv):
    """Print a row per file; files that can't be read or are refused go to stderr, and the exit code is then 2."""
    if len(argv) < 2:
        raise InputError("say which files: python -m export.serving.client --url=http://HOST:PORT clip.wav …")
    ask = connect(URL.value, MODEL.value, TIMEOUT_SECONDS.value)
    rows, broken = [], False
    found = audio_files.find(argv[1:])
    if found.summary:
        print(shown(found.summary), file=sys.stderr)
    try:
        for path in found.files:
            try:
                labels, scores = ask(Path(path).read_bytes())
            except (OSError, BadFileError) as error:
                print(shown(f"{path}: {getattr(error, 'strerror', None) or error}"), file=sys.stderr)
                broken = True
            else:
                rows.append(_row(audio_files.as_text(path), labels[: TOP.value], scores))
    finally:  # what is known is not lost when the server goes away
        _show(rows)
    return 2 if broken else 0


def connect(url, model, timeout_seconds):
    """What asks the server at `url` about one file.

    Args:
      url: http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT; a path before /v1 may follow http.
      model: name that the model is served under.
      timeout_seconds: for one answer, from the request to its last byte.

    Returns:
      A function of the bytes of a WAV file; returns (labels, scores): as many str and float as the model has classes,
      but at most three, the highest score first. It raises BadFileError where the server refuses the file or its
      scores are not finite, and InputError where there is no such server or model, where the answer is not one of
      an exported model or longer than ANSWER_BYTES, and where it is a redirect: none is followed.

    Raises:
      InputError: another kind of URL; a timeout beyond LONGEST_SECONDS; tensorflow-serving-api is not installed (grpc://).
    """
    kinds = {"http": _rest, "https": _rest, "grpc": _grpc}
    try:
        parts = urllib.parse.urlsplit(url)
        known = parts.scheme in kinds and parts.netloc and parts.port != 0  # .port raises for what is no port
    except ValueError:
        known = False
    if not known:
        raise InputError(f"--url must be http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT. Received: {url}")
    if not 0 < timeout_seconds <= LONGEST_SECONDS:  # false for NaN
        raise InputError(f"timeout_seconds must be at most {LONGEST_SECONDS}. Received: {timeout_seconds:g}")
    return kinds[parts.scheme](url, model, timeout_seconds)


def _rest(url, model, timeout_seconds):
    place = f"{url.rstrip('/')}/v1/models/{urllib.parse.quote(model)}:predict"

    def exchange(contents):
        """(status, reason, body) of the answer, its body at most one byte longer than ANSWER_BYTES."""
        instance = {INPUT: {"b64": base64.b64encode(contents).decode()}}
        body = json.dumps({"signature_name": SIGNATURE, "instances": [instance]}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            response = web.request(place, timeout_seconds, redirects=False, headers=headers, body=body)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return response.status, response.reason, response.read(ANSWER_BYTES + 1)

    def ask(contents):
        try:
            status, reason, body = web.within(timeout_seconds, lambda: exchange(contents))
        except (OSError, http.client.HTTPException) as error:
            raise _no_answer(url, getattr(error, "reason", None) or error) from None
        if status != http.client.OK:
            fault = _rest_fault(status, reason, body)
            if status in (http.client.BAD_REQUEST, http.client.REQUEST_ENTITY_TOO_LARGE):
                raise BadFileError(fault)
            raise InputError(f"{url}: {fault}")
        try:
            (answer,) = json.loads(body if len(body) <= ANSWER_BYTES else "")["predictions"]
            return _checked(answer["top_labels"], answer["top_scores"], len(answer["scores"]))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _stranger(place) from None

    return ask


def _rest_fault(status, reason, body):
    try:
        return _said(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"HTTP {status} {_said(reason)}"


def _grpc(url, model, timeout_seconds):
    protos = serving_api.protos()
    import grpc

    host = urllib.parse.urlsplit(url).netloc
    # TF Serving takes requests of any size.
    limits = {"grpc.max_send_message_length": -1, "grpc.max_receive_message_length": ANSWER_BYTES}
    channel = grpc.insecure_channel(host, options=list(limits.items()))
    stub = protos.prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(contents):
        request = serving_api.predict_request(model, SIGNATURE, INPUT, [contents])
        try:
            outputs = stub.Predict(request, timeout=timeout_seconds).outputs
        except grpc.RpcError as error:
            fault = _said(error.details())
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                raise BadFileError(fault) from None
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise _no_answer(url, fault) from None
            raise InputError(f"{url}: {fault}") from None
        try:
            labels = [label.decode() for label in serving_api.row(outputs["top_labels"], str)]
            scores = serving_api.row(outputs["top_scores"], float)
            return _checked(labels, scores, len(serving_api.row(outputs["scores"], float)))
        except ValueError:
            raise _stranger(url) from None

    return ask


def _checked(labels, scores, classes):
    """(labels, scores) as they are.

    Raises:
      ValueError: they are not what an exported model of that many classes answers.
      BadFileError: scores that are not finite.
    """
    for values, kinds in ((labels, (str,)), (scores, (float, int))):
        if type(values) is not list or any(type(value) not in kinds for value in values):
            raise ValueError(values)
        if not 0 < len(values) == min(len(COLUMNS), classes):
            raise ValueError(values)
    if any(type(score) is float and not math.isfinite(score) for score in scores):
        raise BadFileError("the model's scores are no finite numbers; are the samples?")
    if sorted(scores, reverse=True) != scores or scores[0] > 1 + ROUNDING or scores[-1] < 0:
        raise ValueError(scores)
    return labels, scores


def _stranger(place):
    return InputError(f"{place}: what answers there is no TF Serving with an exported model")


def _no_answer(url, reason):
    return InputError(f"{url}: no answer ({_said(reason)}); start the server, or give it a longer --timeout_seconds")


def _said(text):
    """A server's message in one line, without the places in the graph that TensorFlow adds to it."""
    text = str(text)[:10_000]
    return one_line(re.sub(r"\{\{function_node .*?\}\}|\[\[\{\{node .*", "", text, flags=re.DOTALL))


def _row(path, labels, scores):
    row = {"path": path}
    for names, label, score in zip(COLUMNS, labels, scores, strict=False):
        row.update(zip(names, (label, score), strict=True))
    return row


def _show(rows):
    if not rows:
        return
    import pandas as pd

    print(in_form(pd.DataFrame(rows), FORMAT.value, sys.stdout.isatty()), end="")


if __name__ == "__main__":
    command.run(main, takes_paths=True)
