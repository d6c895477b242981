"""Records of architectures that can't be carried out are refused when they are made."""

import pytest

from urbansound.models.record import INT8, Int8


@pytest.mark.parametrize("ends", [(), ("stem",), (None, None), (None, "stem")])
def test_pieces_end_with_the_scores_once(ends):
    with pytest.raises(ValueError, match="only the last of pieces ends with the scores"):
        Int8(pieces=tuple((end, INT8) for end in ends))


def test_a_precision_is_one_that_the_exporter_knows():
    with pytest.raises(ValueError, match=r"precision must be .* Received: int4"):
        Int8(pieces=(("stem", "int4"), (None, INT8)))
