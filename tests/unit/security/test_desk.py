"""The desk takes what was signed for now, once; and what it proves, anybody can check."""

import pytest

from headwater.errors import Refusal
from headwater.security import Identity, Pact
from headwater.security.desk import Desk, Equivocation, Evidence, Occasion, sealed, trace_of
from headwater.security.refusals import odd

A, B = Identity(b"a" * 32), Identity(b"b" * 32)
PACT = Pact.of("masked", {"a": A.public, "b": B.public}, round_id="r", length=1)
NOW = [Occasion(PACT, 0), Occasion(PACT, 1, b"lists")]


def anything(body):
    return None


def test_new_again_and_late():
    desk = Desk()
    first = sealed(NOW[0], "a", A, b"x")
    assert desk.take(NOW[:1], "a", first, anything) == b"x"
    assert desk.take(NOW[:1], "a", first, anything) is None
    assert desk.take(NOW, "a", first, anything) is None
    with pytest.raises(Refusal, match="E-ROUND-LATE"):
        desk.take(NOW, "b", sealed(NOW[0], "b", B, b"x"), anything)


@pytest.mark.parametrize(
    "message",
    [
        sealed(NOW[0], "b", B, b"x"),
        sealed(NOW[0], "a", B, b"x"),
        sealed(NOW[0], "b", A, b"x"),
        sealed(Occasion(PACT, 1), "a", A, b"x"),
        sealed(Occasion(PACT, 1, b"other lists"), "a", A, b"x"),
        sealed(Occasion(PACT, 2, b"lists"), "a", A, b"x"),
        sealed(Occasion(Pact.of("masked", PACT.keys, round_id="s", length=1), 1, b"lists"), "a", A, b"x"),
        sealed(NOW[1], "a", A, b"x") + b"y",
        b"",
    ],
)
def test_whatever_was_not_signed_for_now_is_refused(message):
    desk = Desk()
    with pytest.raises(Refusal, match="E-ROUND-SIGNATURE"):
        desk.take(NOW, "a", message, anything)
    assert desk.seen == {}


def test_a_refused_body_leaves_no_trace():
    def refuse(body):
        raise odd("a")

    desk = Desk()
    with pytest.raises(Refusal, match="E-GROUP-LENGTH"):
        desk.take(NOW[:1], "a", sealed(NOW[0], "a", A, b"x"), refuse)
    assert desk.seen == {}


def test_two_stories_are_proof_even_a_phase_later():
    desk = Desk()
    desk.take(NOW[:1], "a", sealed(NOW[0], "a", A, b"x"), anything)
    for occasions in (NOW[:1], NOW):
        with pytest.raises(Equivocation, match="E-ROUND-TWICE") as caught:
            desk.take(occasions, "a", sealed(NOW[0], "a", A, b"y"), anything)
        evidence = caught.value.evidence
        assert evidence.sender == "a"
        assert evidence.holds()
    forged = Evidence("a", NOW[0], evidence.first, trace_of(sealed(NOW[0], "a", B, b"y")))
    assert not forged.holds()
    assert not Evidence("a", NOW[0], evidence.first, evidence.first).holds()


def test_traces_are_kept():
    desk = Desk()
    message = sealed(NOW[0], "a", A, b"x")
    desk.take(NOW[:1], "a", message, anything)
    again = Desk.from_bytes(desk.to_bytes())
    assert again.seen == desk.seen
    assert again.take(NOW[:1], "a", message, anything) is None
