"""Ask a TF Serving that serves an exported model what is in WAV files: a label, its score and the next two per file.

python -m export.serving.client --url=http://localhost:8501 clip.wav folder …      REST
python -m export.serving.client --url=grpc://localhost:8500 clip.wav folder …      gRPC, needs tensorflow-serving-api
"""

import base64
import http.client
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from absl import flags

from export.serving import serving_api
from urbansound import command
from urbansound.data import audio_files
from urbansound.errors import InputError
from urbansound.report.tables import in_form

URL = flags.DEFINE_string("url", "http://localhost:8501", "the server: http://, https:// (REST) or grpc://, HOST:PORT")
MODEL = flags.DEFINE_string("model", "urbansound", "name that the model is served under")
TOP = flags.DEFINE_integer("top", 3, "labels per file, the best first", lower_bound=1, upper_bound=3)
FORMAT = flags.DEFINE_enum("format", "table", ["table", "csv", "jsonl"], "how the answers are printed")
TIMEOUT_SECONDS = flags.DEFINE_float("timeout_seconds", 60, "for one file's answer", lower_bound=1)

SIGNATURE = INPUT = "wav_bytes"
COLUMNS = (("label", "score"), ("second", "second_score"), ("third", "third_score"))


class BadFileError(Exception):
    """The server refuses this file; its text is the server's, in one line."""


def main(argv):
    """Print a row per file; files that can't be read or are refused go to stderr, and the exit code is then 2."""
    if len(argv) < 2:
        raise InputError("say which files: python -m export.serving.client --url=http://HOST:PORT clip.wav …")
    ask = connect(URL.value, MODEL.value, TIMEOUT_SECONDS.value)
    rows, broken = [], False
    found = audio_files.find(argv[1:])
    if found.summary:
        print(found.summary, file=sys.stderr)
    try:
        for path in found.files:
            try:
                labels, scores = ask(Path(path).read_bytes())
            except (OSError, BadFileError) as error:
                print(f"{audio_files.as_text(path)}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
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
      timeout_seconds: for one answer.

    Returns:
      A function of the bytes of a WAV file; returns (labels, scores), the highest score first. It raises
      BadFileError where the server refuses the file, and InputError where there is no such server or model.

    Raises:
      InputError: another kind of URL; tensorflow-serving-api is not installed (grpc://).
    """
    parts = urllib.parse.urlsplit(url)
    kinds = {"http": _rest, "https": _rest, "grpc": _grpc}
    if parts.scheme not in kinds or not parts.netloc:
        raise InputError(f"--url must be http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT. Received: {url}")
    return kinds[parts.scheme](url, model, timeout_seconds)


def _rest(url, model, timeout_seconds):
    place = f"{url.rstrip('/')}/v1/models/{urllib.parse.quote(model)}:predict"

    def ask(contents):
        instance = {INPUT: {"b64": base64.b64encode(contents).decode()}}
        body = json.dumps({"signature_name": SIGNATURE, "instances": [instance]}).encode()
        request = urllib.request.Request(place, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_seconds) as response:
                (answer,) = json.load(response)["predictions"]
                return answer["top_labels"], answer["top_scores"]
        except urllib.error.HTTPError as error:
            fault = _rest_fault(error)
            if error.code in (http.client.BAD_REQUEST, http.client.REQUEST_ENTITY_TOO_LARGE):
                raise BadFileError(fault) from None
            raise InputError(f"{url}: {fault}") from None
        except (OSError, http.client.HTTPException) as error:
            raise _no_answer(url, getattr(error, "reason", None) or error) from None
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{place}: what answers there is no TF Serving with an exported model") from None

    return ask


def _rest_fault(error):
    text = error.read().decode("utf-8", "replace")
    try:
        return _one_line(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}"


def _grpc(url, model, timeout_seconds):
    protos = serving_api.protos()
    import grpc

    host = urllib.parse.urlsplit(url).netloc
    # TF Serving takes requests of any size.
    channel = grpc.insecure_channel(host, options=[("grpc.max_send_message_length", -1)])
    stub = protos.prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(contents):
        request = serving_api.predict_request(model, SIGNATURE, INPUT, [contents])
        try:
            outputs = stub.Predict(request, timeout=timeout_seconds).outputs
        except grpc.RpcError as error:
            fault = _one_line(error.details())
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                raise BadFileError(fault) from None
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise _no_answer(url, fault) from None
            raise InputError(f"{url}: {fault}") from None
        labels, scores = (serving_api.array(outputs[name])[0] for name in ("top_labels", "top_scores"))
        return [label.decode() for label in labels], scores.tolist()

    return ask


def _no_answer(url, reason):
    return InputError(
        f"{url}: no answer ({_one_line(reason)}); start the server, or give it a longer --timeout_seconds"
    )


def _one_line(text):
    """A server's message without the places in the graph that TensorFlow adds to it."""
    text = re.sub(r"\{\{function_node .*?\}\}|\[\[\{\{node .*", "", str(text), flags=re.DOTALL)
    return " ".join(text.split())


def _row(path, labels, scores):
    row = {"path": path}
    for names, label, score in zip(COLUMNS, labels, scores, strict=False):
        row.update(zip(names, (label, score), strict=True))
    return row


def _show(rows):
    if not rows:
        return
    import pandas as pd

    print(in_form(pd.DataFrame(rows), FORMAT.value), end="")


if __name__ == "__main__":
    command.run(main, takes_paths=True)
