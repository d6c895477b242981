"""Every architecture keeps what `architecture_checks` asks of all."""

import pytest
from architecture_checks import CHECKS, example

from urbansound import models


@pytest.fixture(scope="module", params=models.names())
def case(request, tone_folder, tmp_path_factory):
    kinds = [sorted(kind.iterdir()) for kind in sorted(tone_folder.iterdir())]
    files = [str(path) for paths in zip(*kinds, strict=True) for path in paths]
    return example(request.param, files[:9], tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_architecture(check, case):
    check(case)
