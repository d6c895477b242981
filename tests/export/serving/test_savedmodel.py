"""The SavedModel: loads without us, answers as the classifier does, and survives bad input."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from export.serving import savedmodel, warmup
from serving_double import AUDIO, Served, tiny_classifier
from urbansound.audio.decode import decode_bytes
from urbansound.errors import InputError

# What any TensorFlow user runs: no code of this project, and no tensorflow-io to register ops.
STRANGER = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("urbansound", "export", "tensorflow_io"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

folder, given, answers = sys.argv[1:]
given = np.load(given)
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
    graph = loaded.graph_def
    nodes = [node for part in (graph, *graph.library.function) for node in getattr(part, "node", None) or part.node_def]
    results = {}
    for key, value in given.items():
        signature = loaded.signature_def[key.split("/")[0]]
        (info,) = signature.inputs.values()
        value = [value.tobytes()] if value.dtype == np.uint8 else value
        scores = session.run(signature.outputs["scores"].name, {info.name: value})
        results[key] = scores.tolist()
used = sorted({node.op for node in nodes})
assert not {"urbansound", "export", "tensorflow_io"} & set(sys.modules)
facts = {"scores": results, "ops": used, "unknown": [op for op in used if op_def_registry.get(op) is None]}
open(answers, "w").write(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def classifier():
    return tiny_classifier()


@pytest.fixture(scope="module")
def folder(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "urbansound" / "1"
    savedmodel.write(classifier, path)
    return path


@pytest.fixture(scope="module")
def run(folder):
    return Served(folder, "urbansound").predict


def noise(seconds, rate=AUDIO.sample_rate):
    """int16 [samples]."""
    generator = np.random.default_rng(round(seconds * 1000))
    return (3000 * generator.normal(0, 1, round(seconds * rate))).clip(-32768, 32767).astype(np.int16)


def test_a_stranger_s_process_gets_the_classifier_s_scores_from_stock_ops(classifier, folder, tmp_path):
    given, expected = {}, {}
    for seconds in (0.05, 4, 60):
        samples = noise(seconds)
        waveform = np.float32(samples / 32768)[np.newaxis]
        scores = classifier.score(waveform).numpy()
        wav = np.frombuffer(warmup.wav_file(samples, AUDIO.sample_rate), np.uint8)
        for key, value in ((f"serving_default/{seconds}", waveform), (f"wav_bytes/{seconds}", wav)):
            given[key], expected[key] = value, scores
    np.savez(tmp_path / "given.npz", **given)
    arguments = [sys.executable, "-c", STRANGER, folder, tmp_path / "given.npz", tmp_path / "answers.json"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "answers.json").read_text())
    for key, scores in answers["scores"].items():
        # float32 sums in another order; the promise of the export.
        np.testing.assert_allclose(scores, expected[key], atol=1e-4, err_msg=key)
    assert answers["unknown"] == []
    assert not [op for op in answers["ops"] if "PyFunc" in op]
    assert {"RFFT", "MatMul"} <= set(answers["ops"])  # the functions' nodes were looked at too


def test_signatures_are_the_two_that_are_promised_with_names_types_and_shapes(folder):
    signatures = Served(folder, "urbansound").signatures

    def described(infos):
        return {
            name: (tf.as_dtype(info.dtype).name, [dimension.size for dimension in info.tensor_shape.dim])
            for name, info in infos.items()
        }

    assert set(signatures) == {"serving_default", "wav_bytes", "__saved_model_init_op"}
    both = {"label": ("string", [-1]), "labels": ("string", [-1, 3]), "scores": ("float32", [-1, 3])}
    top = {"top_labels": ("string", [-1, 3]), "top_scores": ("float32", [-1, 3])}
    assert described(signatures["serving_default"].inputs) == {"waveform": ("float32", [-1, -1])}
    assert described(signatures["serving_default"].outputs) == both
    assert described(signatures["wav_bytes"].inputs) == {"wav_bytes": ("string", [-1])}
    assert described(signatures["wav_bytes"].outputs) == {**both, **top}


def test_labels_are_named_in_the_order_of_the_scores(run):
    waveforms = np.random.default_rng(0).normal(0, 0.2, (4, 700)).astype(np.float32) ** [[1], [3], [9], [21]]
    answer = run("serving_default", {"waveform": waveforms})
    assert answer["labels"].tolist() == [[b"a", b"b", b"c"]] * 4
    for row in range(4):
        assert answer["label"][row] == answer["labels"][row][answer["scores"][row].argmax()]


def test_wav_files_of_any_length_and_rate_share_a_batch(classifier, run):
    files = [warmup.wav_file(noise(s, rate), rate) for s, rate in ((0.3, 8000), (1.7, 44_100), (0.9, 16_000))]
    together = run("wav_bytes", {"wav_bytes": files})
    for row, file in enumerate(files):
        alone = run("wav_bytes", {"wav_bytes": [file]})
        np.testing.assert_allclose(together["scores"][row], alone["scores"][0], atol=1e-6)
        # soxr rolls off elsewhere below half the rate, so the highest mel bands differ a little.
        expected = classifier.score(decode_bytes(file, AUDIO.sample_rate)[np.newaxis])[0]
        np.testing.assert_allclose(together["scores"][row], expected, atol=5e-3)
        order = np.argsort(-together["scores"][row])
        assert together["top_labels"][row].tolist() == together["labels"][row][order].tolist()
        np.testing.assert_array_equal(together["top_scores"][row], together["scores"][row][order])
        assert together["label"][row] == together["top_labels"][row][0]


@pytest.mark.parametrize("bad", [b"", b"RIFF", b"no sound at all" * 9, warmup.wav_file(noise(0.3), 8000)[:40]], ids=len)
def test_a_bad_file_is_an_error_and_the_next_request_is_answered(run, bad):
    good = warmup.wav_file(noise(0.3), 8000)
    for batch in ([bad], [good, bad]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            run("wav_bytes", {"wav_bytes": batch})
    assert run("wav_bytes", {"wav_bytes": [good]})["scores"].shape == (1, 3)


@pytest.mark.parametrize(
    ("waveform", "fault"),
    [
        (np.zeros((1, 0)), "at least one sample"),
        (np.zeros((0, 9)), "at least one sample"),
        (np.full((2, 9), np.nan), "waveform : Tensor had NaN"),
    ],
)
def test_a_waveform_that_is_none_is_an_error(run, waveform, fault):
    with pytest.raises(tf.errors.InvalidArgumentError, match=fault):
        run("serving_default", {"waveform": waveform})


def test_no_files_have_an_empty_answer(run):
    assert run("wav_bytes", {"wav_bytes": np.zeros(0, object)})["scores"].shape == (0, 3)


def test_warm_up_records_are_prediction_logs_that_run(folder, run):
    asked = []
    for record in tf.compat.v1.io.tf_record_iterator(str(folder / "assets.extra" / "tf_serving_warmup_requests")):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "urbansound"
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        assert run(request.model_spec.signature_name, inputs)["scores"].shape == (1, 3)
        asked.append(request.model_spec.signature_name)
    assert asked == ["serving_default", "wav_bytes", "wav_bytes"]


def test_the_folder_holds_what_tf_serving_looks_for_and_nothing_else(folder):
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        *("saved_model.pb", "fingerprint.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"),
        *("assets/labels.txt", "assets/urbansound.json", "assets.extra/tf_serving_warmup_requests"),
    }
    assert (folder / "assets" / "labels.txt").read_text() == "a\nb\nc\n"


def test_of_two_classes_the_top_is_two(tmp_path):
    savedmodel.write(tiny_classifier(("no", "yés")), tmp_path / "m" / "1")
    run = savedmodel.load(tmp_path / "m" / "1")
    answer = run("wav_bytes", {"wav_bytes": [warmup.wav_file(noise(0.1), 8000)]})
    assert sorted(label.decode() for label in answer["top_labels"][0]) == ["no", "yés"]


def test_what_is_there_is_not_overwritten(classifier, folder):
    with pytest.raises(InputError, match="exists already"):
        savedmodel.write(classifier, folder)


def test_without_tensorflow_serving_api_a_line_says_how_to_get_it_and_nothing_stays(classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(InputError, match="pip install --no-deps tensorflow-serving-api"):
        savedmodel.write(classifier, tmp_path / "m" / "1")
    assert list((tmp_path / "m").iterdir()) == []


def test_files_that_score_otherwise_than_the_classifier_are_not_kept(classifier, tmp_path, monkeypatch):
    other = tiny_classifier()
    other.model.set_weights([2 * weights for weights in classifier.model.get_weights()])
    save = savedmodel._save
    monkeypatch.setattr(savedmodel, "_save", lambda _, folder: save(other, folder))
    with pytest.raises(RuntimeError, match="are off by"):
        savedmodel.write(classifier, tmp_path / "m" / "1")
    assert list((tmp_path / "m").iterdir()) == []
