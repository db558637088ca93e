"""A replay sees each month once, in order, lets sources go and come back, and takes up where it stands."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.evolution import DETECTORS, Budgets, Cost, Policy, Watch, month_number, ticks

MONTHS = [date(2024 + place // 12, place % 12 + 1, 1) for place in range(24)]
POLICY = Policy(demote_after=2, promote_after=2)


def run(values, *, standings=None, months=MONTHS, watch=None, past=(), approved=None):
    """Return the ticks, and who rested in which month; ``values`` gives source → value by the month's place."""
    rested = []

    def read(month, resting):
        rested.append(resting)
        return {s: v for s, v in values(MONTHS.index(month)).items() if s not in resting}

    watch = watch or Watch(DETECTORS["glr"], POLICY)
    found = ticks(months, read, watch=watch, standings=standings or {}, past=past, approved=approved or {})
    return list(found), rested


def steady(place):
    return 0.05 + 0.002 * np.random.default_rng(place).normal()


def turning(place):
    return {"good": steady(place), "turns": steady(place + 100) - 0.2 * (10 <= place < 18)}


def test_a_source_that_turns_harmful_leaves_and_one_that_recovers_returns():
    seen, _ = run(turning, standings={"good": "member", "turns": "member"})
    assert [tick.month for tick in seen] == MONTHS
    assert [tick.standings["turns"] for tick in seen[9:13]] == ["member", "probation", "demoted", "demoted"]
    assert [("turns" in tick.active) for tick in seen] == [True] * 11 + [False] * 8 + [True] * 5
    assert all("good" in tick.active for tick in seen)
    changes = [tick.changes["turns"] for tick in seen if "turns" in tick.changes]
    assert changes
    assert month_number(MONTHS[9]) <= changes[0].onset <= month_number(MONTHS[11])


def test_a_new_source_is_on_trial_and_asked():
    seen, rested = run(lambda place: {"new": 0.3} if place >= 5 else {"old": 0.1}, months=MONTHS[:9])
    assert "new" not in seen[4].standings
    assert [tick.standings.get("new") for tick in seen[5:7]] == ["trial", "member"]
    assert not any(rested)


def test_who_was_not_asked_has_not_failed_to_answer():
    # Bytes for one of two: they take turns, and neither is ever called absent.
    watch = Watch(DETECTORS["glr"], POLICY, Budgets(bytes=1.0), lambda _: Cost(bytes=1.0))
    seen, rested = run(lambda _: {"a": 0.1, "b": 0.1}, watch=watch, standings={"a": "member", "b": "member"})
    assert [len(resting) for resting in rested] == [0] + [1] * 23
    assert {frozenset({"a"}), frozenset({"b"})} == set(rested[1:])
    for tick, resting in zip(seen, rested, strict=True):
        assert set(tick.values) == set(tick.presences) == {"a", "b"} - resting
        assert set(tick.presences.values()) == {"present"}
        for source in resting:
            assert "Not asked" in tick.plan.decisions[source].reason.en
    assert all(tick.plan.spent.bytes <= 1.0 for tick in seen)


def test_who_was_asked_and_is_silent_is_absent_and_keeps_its_standing():
    seen, _ = run(lambda place: {"a": None if 9 <= place < 19 else 0.1}, standings={"a": "member"})
    assert {tick.standings["a"] for tick in seen} == {"member"}
    for tick in seen[9:19]:
        assert tick.values == {"a": None}
        assert tick.changes == {}
    assert "Absent" in seen[10].plan.decisions["a"].reason.en
    assert "closed" not in {tick.presences["a"] for tick in seen}
    assert seen[19].presences["a"] == "present"


def test_what_has_most_news_is_asked_first():
    news = {"a": 1.0, "b": 5.0, "c": 3.0}
    watch = Watch(DETECTORS["glr"], POLICY, Budgets(bytes=2.0), lambda _: Cost(bytes=1.0), lambda s, _: news[s])
    seen, _ = run(lambda _: dict.fromkeys("abc", 0.1), watch=watch, standings=dict.fromkeys("abc", "member"))
    assert all(tick.resting == {"a"} for tick in seen)


def test_a_person_may_approve_what_is_proposed_and_nothing_happens_otherwise():
    policy = Policy(demote_after=2, remove_after=3)
    watch = Watch(DETECTORS["glr"], policy)
    seen, _ = run(lambda _: {"bad": -0.1}, watch=watch, standings={"bad": "member"}, months=MONTHS[:8])
    assert [tick.standings["bad"] for tick in seen] == ["probation"] + ["demoted"] * 7
    assert seen[3].plan.decisions["bad"].standing == "removed"
    approved = {MONTHS[3]: {"bad": "removed"}}
    seen, rested = run(
        lambda _: {"bad": -0.1}, watch=watch, standings={"bad": "member"}, months=MONTHS[:8], approved=approved
    )
    assert [tick.standings["bad"] for tick in seen[2:5]] == ["demoted", "removed", "removed"]
    assert rested[5:] == [frozenset({"bad"})] * 3


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**16),
    cuts=st.sets(st.integers(1, 23), max_size=5),
    budget=st.sampled_from([1.0, 2.0, float("inf")]),
)
def test_runs_one_after_another_stand_where_one_run_does(seed, cuts, budget):
    """In any pieces, under any budget, with gaps and changes: every tick is the same."""
    rng = np.random.default_rng(seed)
    level = {s: rng.normal(0, 0.1, 2) for s in "abc"}
    turn = {s: rng.integers(0, 24) for s in "abc"}
    noise, absent = rng.normal(0, 0.03, (24, 3)), rng.random((24, 3)) < 0.25

    def values(place):
        return {
            s: None if absent[place, k] else float(level[s][int(place >= turn[s])] + noise[place, k])
            for k, s in enumerate("abc")
        }

    watch = Watch(DETECTORS["glr"], POLICY, Budgets(bytes=budget, labour=1.0), lambda _: Cost(bytes=1.0, labour=1.0))
    start = dict.fromkeys("abc", "member")
    whole, _ = run(values, watch=watch, standings=start)
    found = []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 24], strict=True):
        standings = found[-1].standings if found else start
        found += run(values, watch=watch, standings=standings, months=MONTHS[first:last], past=tuple(found))[0]
    assert found == whole


def test_nothing_is_asked_before_it_is_wanted():
    asked = []
    found = ticks(MONTHS, lambda month, _: asked.append(month) or {}, watch=Watch(DETECTORS["glr"]), standings={})
    next(found)
    assert asked == MONTHS[:1]


def test_months_out_of_order_are_refused():
    with pytest.raises(Refusal) as error:
        run(lambda _: {"a": 0.1}, months=[MONTHS[3], MONTHS[2]])
    assert error.value.code == "E-STREAM-TIME"


def test_regimes_are_asked_of_those_alone_of_whom_they_may_decide():
    asked = []

    def returned(source, month):
        asked.append((source, MONTHS.index(month)))
        return 3 if MONTHS.index(month) == 19 else None

    def values(place):
        return turning(place) | {"bad": -0.1, "gone": 0.1 if place < 5 else None}

    watch = Watch(DETECTORS["glr"], POLICY, returned=returned)
    start = {"good": "member", "turns": "member", "bad": "demoted", "gone": "member"}
    seen, _ = run(values, watch=watch, standings=start)
    changed = {(source, place) for place, tick in enumerate(seen) for source in tick.changes}
    assert {one for one in asked if one not in changed} == {("turns", 18), ("turns", 19)} - changed
    assert seen[19].plan.decisions["turns"].action == "recall"
    assert seen[19].plan.decisions["turns"].regime == 3
