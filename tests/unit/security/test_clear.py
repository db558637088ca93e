"""Clear messages are the little-endian vectors themselves."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.security import CLEAR


def test_message_is_the_vector():
    member = CLEAR.join("a", ["a"], "round", lambda count: b"")
    assert member.public() == b""
    message = member.protect(np.array([1, 2**64 - 1], dtype=np.uint64), {})
    assert message == bytes([1, 0, 0, 0, 0, 0, 0, 0]) + b"\xff" * 8
    np.testing.assert_array_equal(CLEAR.combine({"a": message}, ["a"], round_id="round"), [1, 2**64 - 1])


def test_broken_message_is_refused():
    with pytest.raises(Refusal) as caught:
        CLEAR.combine({"a": b"123"}, ["a"], round_id="round")
    assert caught.value.code == "E-GROUP-LENGTH"
