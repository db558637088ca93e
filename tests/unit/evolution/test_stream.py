"""A replay sees each month once, in order, and lets sources go and come back."""

from datetime import date

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.evolution import DETECTORS, Policy, month_number, replay

MONTHS = [date(2024 + place // 12, place % 12 + 1, 1) for place in range(24)]


def run(values, *, active, months=MONTHS, policy=None):
    asked = []

    def value(month, members):
        asked.append((month, members))
        return values(MONTHS.index(month))

    ticks = list(replay(months, value, active=active, policy=policy or Policy(), detector=DETECTORS["glr"]))
    return ticks, asked


def steady(place):
    return 0.05 + 0.002 * np.random.default_rng(place).normal()


def test_a_source_that_turns_harmful_is_dropped_and_one_that_recovers_returns():
    def values(place):
        return {"good": steady(place), "turns": steady(place + 100) - 0.2 * (10 <= place < 18)}

    ticks, asked = run(values, active=["good", "turns"])
    assert [tick.month for tick in ticks] == MONTHS
    assert [("turns" in tick.active) for tick in ticks] == [True] * 11 + [False] * 8 + [True] * 5
    assert all("good" in tick.active for tick in ticks)
    assert asked[12][1] == frozenset({"good"})
    changes = [tick.changes["turns"] for tick in ticks if "turns" in tick.changes]
    assert changes[0].size == pytest.approx(-0.2, abs=0.01)
    assert changes[0].onset == month_number(MONTHS[9]) + 0.5


def test_an_outage_changes_nothing():
    ticks, _ = run(lambda place: {"a": None if 8 <= place < 15 else steady(place)}, active=["a"])
    assert all(tick.active == {"a"} for tick in ticks)
    assert not any(tick.changes for tick in ticks)
    assert ticks[9].decisions["a"].action == "keep"


def test_a_source_not_mentioned_keeps_its_place():
    ticks, _ = run(lambda place: {"a": steady(place)} if place % 2 else {}, active=["a"])
    assert all(tick.active == {"a"} for tick in ticks)


def test_newcomers_are_on_trial():
    ticks, _ = run(lambda place: {"a": steady(place), **({"new": 0.1} if place >= 3 else {})}, active=["a"])
    assert [("new" in tick.active) for tick in ticks[:6]] == [False, False, False, False, True, True]


def test_nothing_is_computed_before_it_is_asked_for():
    calls = []
    ticks = replay(
        MONTHS, lambda month, members: calls.append(month) or {}, active=[], policy=Policy(), detector=DETECTORS["glr"]
    )
    next(ticks)
    assert calls == MONTHS[:1]


def test_months_out_of_order_are_refused():
    with pytest.raises(Refusal, match="E-STREAM-TIME"):
        run(lambda place: {"a": 1.0}, active=["a"], months=[MONTHS[1], MONTHS[0]])
