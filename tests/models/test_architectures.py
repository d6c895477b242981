"""Every architecture keeps what `architecture_checks` asks of all."""

import pytest
from architecture_checks import CHECKS, CHECKS_OF_SEVERAL, example

from urbansound import models


@pytest.fixture(scope="module")
def files(tone_folder):
    kinds = [sorted(kind.iterdir()) for kind in sorted(tone_folder.iterdir())]
    return [str(path) for paths in zip(*kinds, strict=True) for path in paths][:9]


@pytest.fixture(scope="module", params=models.names())
def case(request, files, tmp_path_factory):
    return example(request.param, files, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_architecture(check, case):
    check(case)


# One on log-mels and one on embeddings: the others share their last layers.
@pytest.fixture(scope="module", params=["cnn", "vggish"])
def case_of_several(request, files, tmp_path_factory):
    return example(request.param, files, tmp_path_factory.mktemp(request.param), targets="multilabel")


@pytest.mark.parametrize("check", CHECKS_OF_SEVERAL, ids=lambda check: check.__name__)
def test_architecture_of_several_classes(check, case_of_several):
    check(case_of_several)
