"""What every protection requires of its group."""

import numpy as np
import pytest

import headwater.security
from headwater.errors import Refusal
from headwater.security import PROTECTIONS
from headwater.security.protection import require_group, require_messages, require_range


def test_registered_names_are_their_own():
    assert {name: PROTECTIONS[name].name for name in PROTECTIONS} == {"clear": "clear", "masked": "masked"}
    assert sorted(headwater.security.__all__, key=str.lower) == sorted(set(headwater.security.__all__), key=str.lower)


def test_group_is_sorted():
    assert require_group("b", ["c", "b", "a"], 3) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("group", "code"),
    [(["a", "b"], "E-GROUP-SMALL"), (["a", "b", "b"], "E-GROUP-MEMBER"), (["b", "c", "d"], "E-GROUP-MEMBER")],
)
def test_bad_groups_are_refused(group, code):
    with pytest.raises(Refusal) as caught:
        require_group("a", group, 3)
    assert caught.value.code == code


@pytest.mark.parametrize("members", [1, 2, 3, 1000])
def test_range_holds_for_the_whole_group(members):
    bound = (2**63 - 1) // members
    for value in (bound, -bound):
        require_range(np.array([value], dtype=np.int64).view(np.uint64), members)
        assert -(2**63) <= members * value < 2**63
    with pytest.raises(Refusal, match="E-FIXED-RANGE"):
        require_range(np.array([-bound - 1], dtype=np.int64).view(np.uint64), members)


def test_empty_vectors_are_in_range():
    require_range(np.zeros(0, dtype=np.uint64), 3)


def test_missing_and_foreign_are_named():
    with pytest.raises(Refusal, match=r"Missing \['b'\], foreign \['c'\]") as caught:
        require_messages({"a": b"", "c": b""}, ["a", "b"])
    assert caught.value.code == "E-GROUP-INCOMPLETE"
