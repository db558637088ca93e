"""Clear messages are the signed values themselves, in the bits that one vector needs."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.security import CLEAR, Span, play


def opened(names, length=2, span=None):
    return CLEAR.open(names, round_id="r", length=length, entropy=lambda count: b"k" * count, span=span)


def test_message_is_the_vector():
    session = opened(["a"], span=Span(0, 2**40))
    message = session.members["a"].answer(b"\0", lambda: np.array([1, 2**40], dtype=np.uint64))
    assert message[64:] == (1).to_bytes(8, "little") + (2**40).to_bytes(8, "little")


def test_few_bits_for_small_values():
    vectors = {name: np.full(320, place, dtype=np.uint64) for place, name in enumerate("abc")}
    session = opened("abc", 320, Span(0, 3))
    traffic = play(session, {name: lambda v=v: v for name, v in vectors.items()})
    assert set(traffic.sent.values()) == {64 + 320 * 2 // 8}
    np.testing.assert_array_equal(session.server.total, np.full(320, 3))


def test_whoever_is_lost_is_not_in_the_sum_and_late_is_late():
    session = opened("abc")
    ask = session.server.told()
    messages = {name: session.members[name].answer(ask[name], lambda: np.ones(2, dtype=np.uint64)) for name in "abc"}
    for name in "ac":
        session.server.take(name, messages[name])
    assert session.server.total is None
    session.server.close()
    assert session.server.survivors == ("a", "c")
    np.testing.assert_array_equal(session.server.total, [2, 2])
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        session.server.take("b", messages["b"])
    np.testing.assert_array_equal(session.server.total, [2, 2])


def test_nobody_heard_is_no_sum():
    session = opened("ab")
    with pytest.raises(Refusal, match="E-ROUND-ABORT"):
        session.server.close()
    assert session.server.total is None


@pytest.mark.parametrize("words", [b"", b"\1", b"\0\0"])
def test_other_words_are_not_answered(words):
    member = opened("a").members["a"]
    with pytest.raises(Refusal, match="E-ROUND-TOLD"):
        member.answer(words, lambda: np.ones(2, dtype=np.uint64))
    assert member.to_bytes() == b""


def test_an_ended_round_stays_ended():
    session = opened("a")
    message = session.members["a"].answer(b"\0", lambda: np.ones(2, dtype=np.uint64))
    with pytest.raises(Refusal, match="E-ROUND-ABORT"):
        session.server.close()
    session.server.close()
    assert session.server.told() == {}
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        session.server.take("a", message)
    assert session.server.total is None
