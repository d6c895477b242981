"""What TF Serving is started with: read as TF Serving reads it."""

import subprocess

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from export.serving import deployment, savedmodel
from serving_double import Served, rest, tiny_classifier

FIELD = descriptor_pb2.FieldDescriptorProto
# Of protos that tensorflow-serving-api does not bring: tensorflow_serving/config/monitoring_config.proto,
# tensorflow_serving/servables/tensorflow/session_bundle_config.proto.
MESSAGES = {
    "PrometheusConfig": {"enable": FIELD.TYPE_BOOL, "path": FIELD.TYPE_STRING},
    "MonitoringConfig": {"prometheus_config": ".published.PrometheusConfig"},
    "BatchingParameters": dict.fromkeys(
        ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"),
        ".google.protobuf.Int64Value",
    ),
}


@pytest.fixture
def written(tmp_path):
    paths = deployment.write(tmp_path, "hearing")
    return {path.name: path.read_text() for path in paths}


@pytest.fixture(scope="module")
def message():
    file = descriptor_pb2.FileDescriptorProto(name="published.proto", package="published", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, fields in MESSAGES.items():
        kind = file.message_type.add(name=name)
        for number, (field, of) in enumerate(fields.items(), start=1):
            if isinstance(of, str):
                kind.field.add(name=field, number=number, label=1, type=FIELD.TYPE_MESSAGE, type_name=of)
            else:
                kind.field.add(name=field, number=number, label=1, type=of)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"published.{name}"))()


def test_models_config_names_the_folder_that_compose_mounts(written):
    config = text_format.Parse(written["models.config"], model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("hearing", "/models/hearing", "tensorflow")
    assert "- ./hearing:/models/hearing:ro\n" in written["docker-compose.yml"]


def test_metrics_are_on_and_batching_has_published_fields(written, message):
    monitoring = text_format.Parse(written["monitoring.config"], message("MonitoringConfig"))
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path in written["docker-compose.yml"]
    assert text_format.Parse(written["batching.config"], message("BatchingParameters")).max_batch_size.value == 32


def test_no_placeholder_is_left_and_each_file_is_mounted(written):
    assert set(written) == {"docker-compose.yml", "models.config", "monitoring.config", "batching.config"}
    assert not [name for name, text in written.items() if "MODEL_NAME" in text]
    for name in set(written) - {"docker-compose.yml"}:
        assert f"- ./{name}:/config/{name}:ro\n" in written["docker-compose.yml"]


def test_the_health_check_is_true_of_a_server_with_this_model_alone(tmp_path, written):
    savedmodel.write(tiny_classifier(), tmp_path / "hearing" / "1")
    (command,) = [line.strip(" -") for line in written["docker-compose.yml"].splitlines() if "/dev/tcp" in line]

    def healthy(url, command):
        command = command.replace("localhost/8501", url.removeprefix("http://").replace(":", "/"))
        return subprocess.run(["bash", "-c", command], check=False, timeout=20, capture_output=True).returncode == 0

    with rest(Served(tmp_path / "hearing" / "1", "hearing")) as (url, _):
        assert healthy(url, command)
        assert not healthy(url, command.replace("models/hearing", "models/other"))
    assert not healthy(url, command)
