"""What every protection requires of its group."""

import pytest

import headwater.security
from headwater.errors import Refusal
from headwater.security import PROTECTIONS
from headwater.security.protection import require_group


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
