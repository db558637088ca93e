"""Hysteresis: one bad month changes nothing, two in a row do, absences neither."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.evolution import Change, Policy

POLICY = Policy(drop_below=-0.01, add_above=0.01, drop_after=2, add_after=3)
FALL = Change(time=10, onset=9.5, size=-0.5, confidence=0.999)


@pytest.mark.parametrize(
    ("history", "active", "action"),
    [
        ([0.2], True, "keep"),
        ([-0.2], True, "keep"),
        ([0.2, -0.2, -0.1], True, "drop"),
        ([-0.2, 0.0, -0.1], True, "keep"),
        ([-0.2, None, -0.1], True, "drop"),
        ([-0.2, -0.1, None], True, "keep"),
        ([-0.005, -0.005], True, "keep"),
        ([None, None], True, "keep"),
        ([], True, "keep"),
        ([0.2, 0.2], False, "wait"),
        ([0.2, 0.2, 0.2], False, "add"),
        ([0.2, 0.0, 0.2], False, "wait"),
        ([0.2, 0.2, None, 0.2], False, "add"),
        ([0.2, 0.2, 0.2, None], False, "wait"),
        ([0.005] * 5, False, "wait"),
        ([], False, "wait"),
    ],
)
def test_decisions(history, active, action):
    assert POLICY.decide(history, active=active).action == action


def test_a_proven_fall_into_harm_drops_at_once():
    assert POLICY.decide([0.5, -0.2], active=True, change=FALL).action == "drop"
    assert POLICY.decide([0.5, 0.2], active=True, change=FALL).action == "keep"
    rise = Change(time=10, onset=9.5, size=0.5, confidence=0.999)
    assert POLICY.decide([0.5, -0.2], active=True, change=rise).action == "keep"


def test_reasons_are_told_in_both_languages():
    absent = POLICY.decide([None], active=True).reason
    assert "缺席" in absent.zh
    assert "absence is not a low value" in absent.en
    assert "0.5" in POLICY.decide([0.5, -0.2], active=True, change=FALL).reason.en
    assert "2 periods" in POLICY.decide([-0.2, -0.3], active=True).reason.en


values = st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=12)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(values, st.booleans(), st.integers(0, 3))
def test_absences_never_decide(history, active, absences):
    before = POLICY.decide(history, active=active).action
    after = POLICY.decide([*history, *[None] * absences], active=active).action
    assert after == before if absences == 0 else after == ("keep" if active else "wait")
    without = [value for value in history if value is not None]
    if history and history[-1] is not None:
        assert POLICY.decide(without, active=active).action == before


@settings(deadline=None, derandomize=True, max_examples=100)
@given(values)
def test_a_source_just_dropped_is_not_added_by_the_same_history(history):
    if POLICY.decide(history, active=True).action == "drop":
        assert POLICY.decide(history, active=False).action == "wait"


@pytest.mark.parametrize("settings_", [{"drop_below": 0.1, "add_above": 0.0}, {"drop_after": 0}, {"add_after": 0}])
def test_impossible_policies_are_errors(settings_):
    with pytest.raises(ValueError, match="drop_below must not exceed"):
        Policy(**settings_)
