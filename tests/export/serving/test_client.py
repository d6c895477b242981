"""The client against TF Serving's REST format and official protos, over a real SavedModel."""

import base64
import json
import os
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from export.serving import client, savedmodel, warmup
from running import ROOT
from serving_double import PredictionService, Served, grpc_service, rest, tiny_classifier
from urbansound.errors import InputError

BAD = b"no sound"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "urbansound" / "1"
    savedmodel.write(tiny_classifier(), folder)
    return Served(folder, "urbansound")


@pytest.fixture(scope="module")
def servers(served):
    """Urls by kind, and the bodies of REST requests."""
    with rest(served) as (url, log), grpc_service(PredictionService(served)) as grpc_url:
        yield {"rest": url, "grpc": grpc_url, "log": log}


@pytest.fixture(scope="module")
def clip():
    samples = np.random.default_rng(0).normal(0, 3000, 9000).astype(np.int16)
    return warmup.wav_file(samples, 16_000)


@pytest.fixture(scope="module")
def clips(clip, tmp_path_factory):
    """A folder with good.wav and bad.wav."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "good.wav").write_bytes(clip)
    (folder / "bad.wav").write_bytes(BAD)
    return folder


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "export.serving.client", *map(str, arguments)],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def post(url, body):
    """The JSON answer to a POST."""
    with urllib.request.urlopen(f"{url}/v1/models/urbansound:predict", json.dumps(body).encode()) as response:
        return json.load(response)


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_both_ways_give_the_model_s_answer(served, servers, clip, kind):
    expected = served.predict("wav_bytes", {"wav_bytes": [clip]})
    labels, scores = client.connect(servers[kind], "urbansound", 30)(clip)
    assert labels == [label.decode() for label in expected["top_labels"][0]]
    np.testing.assert_allclose(scores, expected["top_scores"][0], rtol=1e-6)  # as decimals and back


def test_the_rest_request_is_the_published_row_format(servers, clip):
    client.connect(servers["rest"] + "/", "urbansound", 30)(clip)
    coded = base64.b64encode(clip).decode()
    assert servers["log"][-1] == {"signature_name": "wav_bytes", "instances": [{"wav_bytes": {"b64": coded}}]}


def test_rest_answers_in_rows_and_columns(served, servers, clip):
    coded = {"b64": base64.b64encode(clip).decode()}
    named = post(servers["rest"], {"signature_name": "wav_bytes", "instances": [{"wav_bytes": coded}] * 2})
    assert post(servers["rest"], {"signature_name": "wav_bytes", "instances": [coded] * 2}) == named
    assert set(named["predictions"][1]) == {"label", "labels", "scores", "top_labels", "top_scores"}
    waveform = np.linspace(-0.5, 0.5, 700, dtype=np.float32)
    rows = post(servers["rest"], {"instances": [waveform.tolist()] * 2})["predictions"]
    columns = post(
        servers["rest"], {"inputs": [waveform.tolist()] * 2} | {"inputs": {"waveform": [waveform.tolist()] * 2}}
    )
    assert columns["outputs"]["scores"] == [row["scores"] for row in rows]
    expected = served.predict("serving_default", {"waveform": [waveform]})
    np.testing.assert_allclose(rows[1]["scores"], expected["scores"][0], atol=1e-6)
    assert (rows[1]["label"], rows[1]["labels"]) == (expected["label"][0].decode(), ["a", "b", "c"])


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_bad_file_is_refused_in_one_line_and_the_next_is_answered(servers, clip, kind):
    ask = client.connect(servers[kind], "urbansound", 30)
    with pytest.raises(client.BadFileError) as refused:
        ask(BAD)
    text = str(refused.value)
    assert text
    assert "\n" not in text
    assert "{{" not in text
    assert len(ask(clip)[0]) == 3


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_an_unknown_model_is_no_fault_of_the_file(servers, clip, kind):
    with pytest.raises(InputError, match=r"Servable not found for request: Latest\(other\)"):
        client.connect(servers[kind], "other", 30)(clip)


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_server_that_is_silent_is_given_up(clip, kind):
    with socket.create_server(("localhost", 0)) as listening:
        url = f"{kind}://localhost:{listening.getsockname()[1]}"
        with pytest.raises(InputError, match="no answer"):
            client.connect(url, "urbansound", 0.3)(clip)


@pytest.mark.parametrize("url", ["localhost:8501", "ftp://localhost", "http://", ""])
def test_another_kind_of_url_is_refused(url):
    with pytest.raises(InputError, match="--url must be"):
        client.connect(url, "urbansound", 1)


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_the_command_goes_on_after_a_bad_file_and_exits_with_2(servers, clips, kind):
    done = run(f"--url={servers[kind]}", "good.wav", "bad.wav", "good.wav", cwd=clips)
    assert done.returncode == 2
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["path", "best", "score", "second", "second_score", "third", "third_score"]
    assert len(rows) == 2
    faults = [line for line in done.stderr.splitlines() if ".wav: " in line]
    assert [line.split(":")[0] for line in faults] == ["bad.wav"]


def test_a_path_that_does_not_exist_is_said_before_anything_is_asked(servers, clips):
    done = run(f"--url={servers['rest']}", "good.wav", "none.wav", cwd=clips)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: none.wav: no such file or folder\n"


def test_the_client_chooses_files_as_training_does_and_counts_the_rest(servers, clip, tmp_path):
    (tmp_path / "clips" / "day").mkdir(parents=True)
    (tmp_path / "clips" / "day" / "a.WAV").write_bytes(clip)
    with open(os.fsencode(tmp_path) + b"/clips/\xe9.wav", "wb") as file:
        file.write(clip)
    for name in ("._a.wav", "notes.txt", "voice.m4a"):
        (tmp_path / "clips" / name).touch()
    (tmp_path / "clips" / "day" / "loop").symlink_to("..")
    done = run(f"--url={servers['rest']}", "--format=csv", "clips", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row.split(",")[0] for row in done.stdout.splitlines()[1:]] == ["clips/day/a.WAV", r"clips/\xe9.wav"]
    counts = "1 .m4a (libsndfile reads none), 1 .txt, 1 hidden, 1 links to folders searched already"
    assert done.stderr == f"passed over: {counts}\n"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_the_command_s_other_forms(servers, clips, form):
    done = run(f"--url={servers['rest']}", "--top=1", f"--format={form}", "good.wav", cwd=clips)
    assert (done.returncode, done.stderr) == (0, "")
    if form == "csv":
        assert done.stdout.splitlines()[0] == "path,best,score"
    else:
        assert list(json.loads(done.stdout)) == ["path", "best", "score"]


def test_no_server_is_one_line_at_once(clips):
    with socket.create_server(("localhost", 0)) as listening:
        port = listening.getsockname()[1]
    done = run(f"--url=http://localhost:{port}", "good.wav", "good.wav", cwd=clips)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: http://localhost:{port}: no answer (")
    assert done.stderr.count("\n") == 1


def test_rest_needs_no_tensorflow(servers, clips):
    code = (
        "import sys; from export.serving import client; "
        f"client.connect('{servers['rest']}', 'urbansound', 30)(open('good.wav', 'rb').read()); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=clips, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0


def test_rows_read_as_predict_s():
    from urbansound.inference.files import PLACES

    names = tuple(name for name, _ in client.COLUMNS)
    assert names == PLACES


def test_the_request_is_the_official_proto(clip):
    from export.serving.serving_api import predict_request

    request = predict_pb2.PredictRequest.FromString(
        predict_request("urbansound", "wav_bytes", "wav_bytes", [clip]).SerializeToString()
    )
    assert (request.model_spec.name, request.model_spec.signature_name) == ("urbansound", "wav_bytes")
    assert tf.make_ndarray(request.inputs["wav_bytes"]).tolist() == [clip]
