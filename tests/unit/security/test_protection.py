"""What every protection requires of its group, and how a round in one process loses members."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headwater.security
from headwater.checks.losing import losing
from headwater.checks.protections import seeded_entropy
from headwater.errors import Refusal
from headwater.security import CLEAR, MASKED, PROTECTIONS, Span, play
from headwater.security.masking.graph import thresholds
from headwater.security.protection import require_group, straight

NAMES = ("a", "b", "c", "d", "e", "f", "g")
VECTORS = {name: np.arange(place, place + 40, dtype=np.uint64) for place, name in enumerate(NAMES)}


def session(protection=MASKED):
    return protection.open(NAMES, round_id="r", length=40, entropy=seeded_entropy(1), span=Span(0, 99))


def values(names=NAMES):
    return {name: (lambda n=name: VECTORS[n]) for name in names}


def plain(names):
    return sum((VECTORS[name] for name in names), np.zeros(40, dtype=np.uint64))


def test_registered_names_are_their_own():
    assert {"clear", "masked"} <= set(PROTECTIONS)
    assert all(PROTECTIONS[name].name == name for name in PROTECTIONS)
    assert sorted(headwater.security.__all__, key=str.lower) == sorted(set(headwater.security.__all__), key=str.lower)


def test_group_is_sorted():
    assert require_group(["c", "b", "a"], 3) == ("a", "b", "c")


@pytest.mark.parametrize(("group", "code"), [(["a", "b"], "E-GROUP-SMALL"), (["a", "b", "b"], "E-GROUP-MEMBER")])
def test_bad_groups_are_refused(group, code):
    with pytest.raises(Refusal) as caught:
        require_group(group, 3)
    assert caught.value.code == code


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4), max_size=4))
def test_a_round_gives_the_sum_of_the_survivors_or_none(lost):
    opened = session()
    played = play(opened, values(), carry=losing(lost))
    survivors = tuple(name for name in NAMES if lost.get(name, 5) > 2)
    if len(NAMES) - len(lost) < thresholds(len(NAMES)).quorum:
        assert (played.total, opened.server.total, played.survivors) == (None, None, ())
        assert {name: error.code for name, error in played.lost.items()} == {
            name: "E-MEMBER-LOST" if name in lost and lost[name] <= _last(lost) else "E-ROUND-ABORT" for name in NAMES
        }
        return
    assert played.survivors == survivors
    assert np.array_equal(played.total, plain(survivors))
    assert set(played.lost) == set(NAMES) - set(survivors)


def _last(lost):
    """Return the phase in which too few are left."""
    quorum = thresholds(len(NAMES)).quorum
    return next(now for now in range(5) if sum(lost.get(name, 5) > now for name in NAMES) < quorum)


def test_what_was_said_before_a_loss_is_counted():
    played = play(session(), values(), carry=losing({"a": 0, "b": 2}))
    assert played.sent["a"] == 0
    assert 0 < played.sent["b"] < played.sent["c"]
    assert 0 < played.told["a"] < played.told["b"] < played.told["c"]


def test_a_member_without_a_vector_is_lost_from_the_beginning():
    played = play(session(), values(NAMES[1:]))
    assert played.lost["a"].code == "E-MEMBER-SILENT"
    assert played.told["a"] == 0
    assert np.array_equal(played.total, plain(NAMES[1:]))


def test_a_member_whose_answer_is_refused_is_lost_and_named():
    def twisted(name, member, told, vector):
        message = straight(name, member, told, vector)
        return message[:-1] + bytes([message[-1] ^ 1]) if name == "c" and told[0] == 2 else message

    played = play(session(), values(), carry=twisted)
    assert {name: error.code for name, error in played.lost.items()} == {"c": "E-ROUND-SIGNATURE"}
    assert np.array_equal(played.total, plain([name for name in NAMES if name != "c"]))


def test_what_a_member_itself_refuses_passes_through():
    with pytest.raises(Refusal, match="E-FIXED-RANGE"):
        play(session(CLEAR), values() | {"b": lambda: VECTORS["b"] + np.uint64(99)})


def test_what_is_kept_of_a_loss_holds_no_vectors():
    opened = session()
    played = play(opened, values(), carry=losing({"a": 3}))
    ended = play(session(), values(), carry=losing(dict.fromkeys("abcd", 1)))
    assert not [one for one in (*played.lost.values(), *ended.lost.values()) if one.__traceback__]
    gone = weakref.ref(opened.server)
    del opened
    gc.collect()
    assert gone() is None
