"""A replay sees each month once, in order, lets sources go and come back, and takes up where it stands."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.evolution import DETECTORS, Budgets, Cost, Policy, Turn, Watch, month_at, month_number, ticks

YEARS = [date(2024 + place // 12, place % 12 + 1, 1) for place in range(120)]
MONTHS = YEARS[:24]
POLICY = Policy(demote_after=2, promote_after=2)


def run(values, *, standings=None, months=MONTHS, watch=None, past=(), approved=None):
    """Return the ticks, and who rested in which month; ``values`` gives source → value by the month's place."""
    rested = []

    def read(month, resting):
        rested.append(resting)
        return {s: v for s, v in values(YEARS.index(month)).items() if s not in resting}

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


def away(*places, source="a"):
    """Return a watch that was told of outages."""
    months = {YEARS[place] for place in places}
    return Watch(DETECTORS["glr"], POLICY, away=lambda month: frozenset({source}) if month in months else frozenset())


def test_an_outage_that_was_announced_is_an_absence_that_nobody_holds_against_a_source():
    def values(place):
        return {"a": -5.0 if place == 9 else 0.1, "b": 0.1}

    start = dict.fromkeys("ab", "member")
    told, _ = run(values, standings=start, watch=away(9))
    assert "a" not in told[9].values
    assert (told[9].presences["a"], told[9].presences["b"]) == ("outage", "present")
    assert "announced" in told[9].plan.decisions["a"].reason.en
    assert {tick.standings["a"] for tick in told} == {"member"}
    assert not any("a" in tick.changes for tick in told)
    untold, _ = run(values, standings=start)
    assert untold[9].standings["a"] != "member", "without the notice it is a low value"


def test_announced_outages_close_nobody_and_a_notice_that_comes_late_explains_the_silence():
    def silent(place):
        return {"a": None if place >= 60 or place % 3 == 2 else 0.1}

    def presences(watch, past=()):
        seen, _ = run(silent, standings={"a": "member"}, watch=watch, past=past, months=YEARS[len(past) :])
        return [tick.presences.get("a") for tick in seen]

    untold = Watch(DETECTORS["glr"], POLICY)
    assert "closed" in presences(untold)
    assert set(presences(away(*range(60, 90)))[60:90]) == {"outage"}
    before, _ = run(silent, standings={"a": "member"}, watch=untold, months=YEARS[:65])
    assert before[-1].presences == {"a": "outage"}
    assert presences(untold, tuple(before))[0] == "outage"
    assert presences(away(*range(60, 65)), tuple(before))[0] == "present"


def test_a_notice_that_comes_after_a_bad_month_does_not_undo_it():
    def values(place):
        return {"a": -0.2 if place >= 8 else 0.1, "b": 0.1}

    start = dict.fromkeys("ab", "member")
    untold, _ = run(values, standings=start)
    done, _ = run(values, standings=start, months=YEARS[:10])
    late, _ = run(values, standings=done[-1].standings, watch=away(8, 9), months=YEARS[10:24], past=tuple(done))
    assert late[-1].standings["a"] == untold[23].standings["a"] != "member"
    assert [tick.values for tick in late] == [tick.values for tick in untold[10:24]]


@pytest.mark.parametrize("cut", [3, 9, 10, 11])
def test_runs_one_after_another_stand_where_one_does_when_an_outage_was_announced(cut):
    def values(place):
        return {"a": 0.1 - 0.3 * (place > 10), "b": 0.1}

    start = dict.fromkeys("ab", "member")
    whole, _ = run(values, standings=start, watch=away(9, 10))
    first, _ = run(values, standings=start, watch=away(9, 10), months=MONTHS[:cut])
    rest, _ = run(values, standings=first[-1].standings, watch=away(9, 10), months=MONTHS[cut:], past=tuple(first))
    assert first + rest == whole


def test_a_closed_source_that_delivers_again_is_asked_and_heard():
    news = {"a": 0.0}

    watch = Watch(DETECTORS["glr"], POLICY, news=lambda source, _: news[source])
    found = []

    def read(month, resting):
        place = YEARS.index(month)
        answers = news["a"] or (place < 60 and place % 3 < 2)
        return {} if resting else {"a": 0.1 if answers else None}

    for tick in ticks(YEARS, read, watch=watch, standings={"a": "member"}):
        found.append(tick)
        if tick.resting:
            news["a"] = 5.0
    closed = next(place for place, tick in enumerate(found) if tick.resting)
    assert "a" not in found[closed + 1].values
    assert found[closed + 1].resting == frozenset()
    assert found[closed + 2].values == {"a": 0.1}
    assert found[closed + 2].presences == {"a": "present"}


def test_a_person_brings_a_removed_source_back_and_it_is_asked_at_once():
    policy = Policy(demote_after=2, remove_after=3)
    watch = Watch(DETECTORS["glr"], policy)

    def values(place):
        return {"bad": -0.1 if place < 8 else 0.2}

    approved = {MONTHS[3]: {"bad": "removed"}, MONTHS[8]: {"bad": "trial"}}
    seen, rested = run(values, watch=watch, standings={"bad": "member"}, months=MONTHS[:13], approved=approved)
    assert [bool(resting) for resting in rested] == [False] * 4 + [True] * 5 + [False] * 4
    assert [tick.standings["bad"] for tick in seen[7:11]] == ["removed", "trial", "trial", "member"]
    again, asked = run(
        values, watch=watch, standings={"bad": "trial"}, months=MONTHS[9:13], past=tuple(seen[:9]), approved=approved
    )
    assert (again, asked) == (seen[9:], rested[9:])


@pytest.mark.parametrize(
    ("time", "month"), [(0.0, MONTHS[0]), (0.5, MONTHS[1]), (12.0, MONTHS[12]), (10.25, MONTHS[11])]
)
def test_a_time_falls_into_the_month_that_began_by_then(time, month):
    assert month_at(month_number(MONTHS[0]) + time) == month


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

    def turn(source, month):
        asked.append((source, MONTHS.index(month)))
        return Turn(0.0, 3) if MONTHS.index(month) == 19 else None

    def values(place):
        return turning(place) | {"bad": -0.1, "gone": 0.1 if place < 5 else None}

    watch = Watch(DETECTORS["glr"], POLICY, turn=turn)
    start = {"good": "member", "turns": "member", "bad": "demoted", "gone": "member"}
    seen, _ = run(values, watch=watch, standings=start)
    changed = {(source, place) for place, tick in enumerate(seen) for source in tick.changes}
    assert {one for one in asked if one not in changed} == {("turns", 18), ("turns", 19)} - changed
    assert seen[19].plan.decisions["turns"].action == "recall"
    assert seen[19].plan.decisions["turns"].regime == 3
