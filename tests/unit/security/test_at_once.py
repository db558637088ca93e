"""All members of a phase are asked at once: the order of arrival does not show, and nobody is waited for too long."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headwater.adapters.tenseal  # noqa: F401  # registers its protection
from headwater.checks.losing import losing
from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import PROTECTIONS, Span, play
from headwater.security.at_once import AtOnce
from headwater.security.protection import straight

NAMES = ("a", "b", "c", "d", "e", "f", "g")
VECTORS = {name: np.arange(place, place + 40, dtype=np.uint64) for place, name in enumerate(NAMES)}
PATIENT = AtOnce(60.0)
TURNS = iter(range(10**6))


def session(protection="masked", *, round_id="r"):
    return PROTECTIONS[protection].open(
        NAMES, round_id=round_id, length=40, entropy=seeded_entropy(1), span=Span(0, 99)
    )


def values(names=NAMES):
    return {name: (lambda n=name: VECTORS[n]) for name in names}


class InOrder:
    """Carries so that the answers of every phase arrive in an order of one's choice, whichever thread runs first."""

    def __init__(self, order):
        self.order, self.turn, self.done = order, threading.Condition(), set()

    def __call__(self, name, member, told, vector):
        before = {(told[0], other) for other in self.order[: self.order.index(name)]}
        with self.turn:
            assert self.turn.wait_for(lambda: before <= self.done, timeout=60)
            message = straight(name, member, told, vector)
            self.done.add((told[0], name))
            self.turn.notify_all()
        return message


@pytest.mark.parametrize("protection", ["clear", "masked", "ckks"])
@settings(max_examples=4, derandomize=True)
@given(order=st.permutations(NAMES))
def test_whatever_the_order_of_arrival_the_round_is_the_same(protection, order):
    number = next(TURNS)
    rounds = [f"{protection} {number} {side}" for side in "ab"] if protection == "ckks" else ["r", "r"]
    in_turn = play(session(protection, round_id=rounds[0]), values())
    at_once = play(session(protection, round_id=rounds[1]), values(), carry=InOrder(order), asking=PATIENT)
    assert at_once.total.tobytes() == in_turn.total.tobytes()
    assert (at_once.survivors, at_once.told) == (in_turn.survivors, in_turn.told)
    assert at_once.sent == in_turn.sent or protection == "ckks"


@settings(max_examples=10, derandomize=True)
@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4), max_size=4))
def test_losses_are_the_same_as_when_asked_in_turn(lost):
    in_turn, at_once = (play(session(), values(), carry=losing(lost), **way) for way in ({}, {"asking": PATIENT}))
    assert (at_once.total is None) == (in_turn.total is None)
    assert at_once.total is None or at_once.total.tobytes() == in_turn.total.tobytes()
    assert (at_once.survivors, at_once.sent, at_once.told) == (in_turn.survivors, in_turn.sent, in_turn.told)
    assert {name: fault.code for name, fault in at_once.lost.items()} == {
        name: fault.code for name, fault in in_turn.lost.items()
    }


def test_all_are_asked_at_once():
    """Each waits until all have been asked: asked in turn, the first would wait for ever."""
    everybody = threading.Barrier(len(NAMES), timeout=60)

    def together(name, member, told, vector):
        everybody.wait()
        return straight(name, member, told, vector)

    assert play(session(), values(), carry=together, asking=PATIENT).survivors == NAMES


class Slow:
    """Carries, but some members are silent from a phase on until they are released; time is up once all others spoke.

    With it as a clock no test depends on how fast the machine is.
    """

    def __init__(self, silent, phase):
        self.silent, self.phase = silent, phase
        self.released, self.finished = threading.Event(), threading.Event()
        self.asked, self.spoke = [], set()

    def __call__(self, name, member, told, vector):
        late = name in self.silent and told[0] == self.phase
        if name in self.silent:
            self.asked.append((name, told[0]))
        if late:
            self.released.wait(60)
        message = straight(name, member, told, vector)
        self.spoke.add((told[0], name))
        if late:
            self.finished.set()
        return message

    def clock(self):
        others = {(self.phase, name) for name in NAMES if name not in self.silent}
        return 1000.0 if others <= self.spoke else 0.0


@pytest.mark.parametrize(("phase", "in_the_sum"), [(0, False), (2, False), (3, True)])
def test_a_straggler_is_lost_from_then_on_and_what_it_says_later_is_heard_by_nobody(phase, in_the_sum):
    slow, opened = Slow({"c"}, phase), session()
    played = play(opened, values(), carry=slow, asking=AtOnce(30.0, slow.clock))
    before = opened.server.to_bytes()
    slow.released.set()
    assert slow.finished.wait(60)
    assert opened.server.to_bytes() == before
    assert slow.asked == [("c", now) for now in range(phase + 1)]
    assert ("c" in played.survivors) == in_the_sum
    assert {name: fault.code for name, fault in played.lost.items()} == ({} if in_the_sum else {"c": "E-MEMBER-LATE"})
    assert played.total.tobytes() == sum(VECTORS[name] for name in played.survivors).tobytes()


def test_too_many_stragglers_end_the_round_and_reveal_nothing():
    slow = Slow(set("abcd"), 0)
    played = play(session(), values(), carry=slow, asking=AtOnce(30.0, slow.clock))
    slow.released.set()
    assert (played.total, played.survivors) == (None, ())
    assert [played.lost[name].code for name in NAMES] == ["E-MEMBER-LATE"] * 4 + ["E-ROUND-ABORT"] * 3


def test_what_a_member_itself_refuses_or_breaks_passes_through():
    wrong = values() | {"b": lambda: VECTORS["b"] + np.uint64(99)}
    with pytest.raises(Refusal, match="E-FIXED-RANGE"):
        play(session("clear"), wrong, asking=PATIENT)

    def broken(name, member, told, vector):
        if name == "d":
            raise ZeroDivisionError
        return straight(name, member, told, vector)

    with pytest.raises(ZeroDivisionError):
        play(session("clear"), values(), carry=broken, asking=PATIENT)
