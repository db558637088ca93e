"""Standings change by values that leave a band and stay out of it, by proven changes and by presence; never by absence.

Everything is a pure function of the evidence, so what is asserted of one decision is what a dry run would have shown.
"""

import random
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.evolution import COUNTED, Budgets, Change, Cost, Evidence, Plan, Policy, Standing, Turn
from headwater.evolution.budgets import LABOURED
from headwater.evolution.standing import ACTIONS, Action

POLICY = Policy(harm=-0.01, use=0.01, demote_after=2, promote_after=3, remove_after=4)
FALL = Change(time=10, onset=9.5, size=-0.5, confidence=0.999)
RISE = Change(time=10, onset=9.5, size=0.5, confidence=0.999)
STANDINGS = get_args(Standing)
FREE = Budgets()


@pytest.mark.parametrize(
    ("values", "standing", "action", "after"),
    [
        ([0.2], "member", "keep", "member"),
        ([-0.2], "member", "probation", "probation"),
        ([-0.005], "member", "keep", "member"),
        ([0.2, -0.2, -0.1], "probation", "demote", "demoted"),
        ([-0.2, -0.1], "member", "demote", "demoted"),
        ([-0.2, 0.0, -0.1], "probation", "keep", "probation"),
        ([-0.2, None, -0.1], "probation", "demote", "demoted"),
        ([-0.2, -0.1, None], "probation", "keep", "probation"),
        ([-0.2, 0.2, 0.2], "probation", "keep", "probation"),
        ([-0.2, 0.2, 0.2, 0.2], "probation", "promote", "member"),
        ([0.2, 0.2], "trial", "keep", "trial"),
        ([0.2, 0.2, None, 0.2], "trial", "promote", "member"),
        ([0.2, 0.0, 0.2], "trial", "keep", "trial"),
        ([-0.2, -0.2], "trial", "demote", "demoted"),
        ([0.2, 0.2, 0.2, None], "trial", "keep", "trial"),
        ([0.005] * 5, "trial", "keep", "trial"),
        ([-0.1, 0.2], "demoted", "trial", "trial"),
        ([-0.1] * 3, "demoted", "keep", "demoted"),
        ([-0.1] * 4, "demoted", "remove", "removed"),
        ([0.5] * 9, "removed", "keep", "removed"),
        *(([], standing, "keep", standing) for standing in STANDINGS),
        *(([None, None], standing, "keep", standing) for standing in STANDINGS),
    ],
)
def test_decisions(values, standing, action, after):
    made = POLICY.decide(Evidence(values), standing)
    assert (made.action, made.standing) == (action, after)
    assert made.counted == (after in ("member", "probation"))


@pytest.mark.parametrize("standing", ["member", "probation"])
def test_a_proven_fall_into_harm_demotes_at_once(standing):
    assert POLICY.decide(Evidence([0.5, -0.2], FALL), standing).action == "demote"
    assert POLICY.decide(Evidence([0.5, -0.2], RISE), standing).action in ("keep", "probation")


@pytest.mark.parametrize("values", [[0.5, 0.2], [0.5, -0.2], [0.5, 0.005]])
@pytest.mark.parametrize("standing", STANDINGS)
def test_another_variance_alone_decides_nothing(values, standing):
    for change in (FALL, RISE):
        wider = Evidence(values, replace(change, kind="variance"))
        assert POLICY.decide(wider, standing) == POLICY.decide(Evidence(values), standing)


def test_a_change_that_leaves_it_useful_refreshes_and_one_back_to_an_old_regime_recalls():
    made = POLICY.decide(Evidence([0.5, 0.2], FALL, turn=Turn(8.0)), "member")
    assert (made.action, made.standing, made.since) == ("refresh", "member", 8.0)
    made = POLICY.decide(Evidence([0.5, 0.2], FALL, turn=Turn(8.0, 3)), "probation")
    assert (made.action, made.standing, made.regime) == ("recall", "probation", 3)
    made = POLICY.decide(Evidence([-0.5, 0.2], RISE, turn=Turn(8.0, 3)), "demoted")
    assert (made.action, made.standing, made.regime) == ("recall", "member", 3)
    assert POLICY.decide(Evidence([-0.5, -0.2], RISE, turn=Turn(8.0, 3)), "demoted").action == "keep"


@pytest.mark.parametrize("change", [FALL, RISE])
def test_a_value_that_moved_while_it_says_the_same_takes_nothing_of_it_out(change):
    """Such are the values of those who stay when another leaves or turns to noise."""
    for standing in ("member", "probation"):
        made = POLICY.decide(Evidence([0.5, 0.2], change), standing)
        assert (made.action, made.since) == ("keep", None)


@pytest.mark.parametrize("standing", ["trial", "demoted"])
def test_a_proven_rise_promotes_at_once_and_what_it_said_before_it_turned_does_not_count(standing):
    made = POLICY.decide(Evidence([-0.5, 0.2], RISE), standing)
    assert (made.action, made.standing, made.since) == ("promote", "member", None)
    made = POLICY.decide(Evidence([-0.5, 0.2], RISE, turn=Turn(8.0)), standing)
    assert (made.action, made.standing, made.since) == ("promote", "member", 8.0)


def test_who_leaves_is_doubted_and_nobody_who_leaves_is_promoted():
    leaving = Evidence([0.2, None], presence="leaving")
    made = POLICY.decide(leaving, "member")
    assert (made.action, made.standing, made.asked) == ("probation", "probation", True)
    assert POLICY.decide(leaving, "probation").action == "keep"
    good = [0.2] * 5
    assert POLICY.decide(Evidence(good, presence="leaving"), "probation").action == "keep"
    assert POLICY.decide(Evidence(good, presence="leaving"), "trial").action == "keep"
    assert POLICY.decide(Evidence(good), "probation").action == "promote"


def test_a_closed_source_is_not_asked_and_what_it_said_stays_if_it_was_not_harmful():
    good, bad = (Evidence([worth, None, None], presence="closed") for worth in (0.2, -0.2))
    stays = POLICY.decide(good, "member")
    assert (stays.action, stays.standing, stays.asked, stays.counted) == ("keep", "member", False, True)
    assert "stays in the model" in stays.reason.en
    for evidence, standing in ((bad, "probation"), (good, "trial"), (good, "demoted")):
        goes = POLICY.decide(evidence, standing)
        assert (goes.action, goes.standing, goes.asked, goes.unapproved) == ("remove", "removed", False, standing)
    strict = replace(POLICY, closed_stays=False)
    assert strict.decide(good, "member").action == "remove"


@pytest.mark.parametrize("standing", ["trial", "member", "probation", "demoted"])
@pytest.mark.parametrize("worth", [0.2, -0.2])
def test_a_closed_source_that_delivers_again_is_asked_and_nothing_else_is_decided(standing, worth):
    made = POLICY.decide(Evidence([worth, None, None], presence="closed", news=1.0), standing)
    assert (made.action, made.standing, made.asked, made.unapproved) == ("keep", standing, True, None)
    removed = POLICY.decide(Evidence([worth, None], presence="closed", news=1.0), "removed")
    assert (removed.standing, removed.asked) == ("removed", False)


def test_times_are_told_as_whoever_decides_calls_them():
    monthly = replace(POLICY, tell=lambda time: f"month {time + 0.5:.0f}")
    for values, change, standing in (
        ([0.5, -0.2], FALL, "member"),
        ([0.5, 0.2], FALL, "member"),
        ([-0.5, 0.2], RISE, "trial"),
    ):
        reason = monthly.decide(Evidence(values, change, turn=Turn(9.5)), standing).reason
        assert all("month 10" in text and "9.5" not in text for text in (reason.zh, reason.en))


def test_removing_for_good_waits_for_a_person_and_by_default_does_not_happen():
    made = POLICY.decide(Evidence([-0.1] * 4), "demoted")
    assert (made.standing, made.unapproved, made.asked) == ("removed", "demoted", True)
    plan = POLICY.plan({"a": Evidence([-0.1] * 4)}, {"a": "demoted"}, budgets=FREE)
    assert plan.standings == {"a": "demoted"}
    careless = replace(POLICY, approve=frozenset())
    assert careless.plan({"a": Evidence([-0.1] * 4)}, {"a": "demoted"}, budgets=FREE).standings == {"a": "removed"}


def test_a_person_may_be_asked_about_whatever_is_said():
    made = replace(POLICY, approve=frozenset({"promote"})).decide(Evidence([0.2] * 3), "trial")
    assert (made.action, made.unapproved) == ("promote", "trial")


def test_what_is_due_waits_for_labour_and_happens_when_there_is_some():
    evidence = {name: Evidence([worth] * 3, cost=Cost(labour=1.0)) for name, worth in (("a", 0.2), ("b", 0.4))}
    plan = POLICY.plan(evidence, {}, budgets=Budgets(labour=1.5))
    assert {name: made.action for name, made in plan.decisions.items()} == {"a": "wait", "b": "promote"}
    assert plan.standings == {"a": "trial", "b": "member"}
    assert "into the model" in plan.decisions["a"].reason.en
    again = POLICY.plan(evidence, plan.standings, budgets=Budgets(labour=1.5))
    assert again.standings == {"a": "member", "b": "member"}


def test_protection_never_waits():
    evidence = {"a": Evidence([-0.2, -0.2], cost=Cost(labour=9.0))}
    plan = POLICY.plan(evidence, {"a": "probation"}, budgets=Budgets(0, 0, 0))
    assert plan.standings == {"a": "demoted"}
    assert plan.spent == Cost()


def test_members_are_asked_first_and_among_equals_who_was_silent_longest():
    cost = Cost(epsilon=0.1, bytes=100)
    evidence = {
        "trial": Evidence([0.0], cost=cost),
        "heard": Evidence([0.2, 0.2], cost=cost),
        "silent": Evidence([0.2, None], cost=cost),
        "free": Evidence([None]),
    }
    standings: dict[str, Standing] = {"heard": "member", "silent": "member"}
    plan = POLICY.plan(evidence, standings, budgets=Budgets(bytes=100))
    assert {name for name, made in plan.decisions.items() if made.asked} == {"silent", "free"}
    assert "budget is spent" in plan.decisions["heard"].reason.en
    assert plan.standings["heard"] == "member"
    plan = POLICY.plan(evidence, standings, budgets=Budgets(epsilon=0.2))
    assert {name for name, made in plan.decisions.items() if made.asked} == {"silent", "heard", "free"}


values = st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=12)
costs = st.builds(Cost, st.floats(0, 2), st.integers(0, 500), st.floats(0, 2))
changes = st.one_of(st.none(), st.builds(Change, st.just(9.0), st.just(8.5), st.floats(-1, 1), st.floats(0, 1)))
presences = st.sampled_from(["present", "outage", "leaving", "closed"])
turns = st.one_of(st.none(), st.builds(Turn, st.just(8.0), st.one_of(st.none(), st.integers(0, 5))))
evidences = st.builds(Evidence, values, changes, presences, turns, costs)
standings_ = st.sampled_from(STANDINGS)
situations = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(evidences, standings_), max_size=8)
budgets_ = st.builds(Budgets, st.floats(0, 4), st.integers(0, 1500), st.floats(0, 4))
thorough = settings(deadline=None, derandomize=True, max_examples=150)


def parted(situation):
    return {name: one for name, (one, _) in situation.items()}, {name: one for name, (_, one) in situation.items()}


@thorough
@given(values, st.lists(st.floats(POLICY.harm, POLICY.use), min_size=1, max_size=20), standings_)
def test_noise_within_the_band_changes_nothing(past, noise, standing):
    for seen in range(1, len(noise) + 1):
        assert POLICY.decide(Evidence([*past, *noise[:seen]]), standing).standing == standing


@thorough
@given(st.lists(st.floats(-1, 1), min_size=20, max_size=60), standings_)
def test_a_source_goes_to_and_fro_only_as_often_as_its_values_stay_out_of_the_band(stream, standing):
    flips, counted = 0, standing in COUNTED
    for seen in range(1, len(stream) + 1):
        standing = POLICY.decide(Evidence(stream[:seen]), standing).standing
        flips += (standing in COUNTED) != counted
        counted = standing in COUNTED
    assert flips <= 1 + len(stream) // min(POLICY.demote_after, POLICY.promote_after)
    excursions = runs(stream, lambda v: v < POLICY.harm, 2) + runs(stream, lambda v: v > POLICY.use, 3)
    assert flips <= excursions


def runs(stream, test, length):
    """Count the runs of at least ``length`` values that pass the test."""
    found, current = 0, 0
    for value in stream:
        current = current + 1 if test(value) else 0
        found += current == length
    return found


@thorough
@given(values, st.integers(1, 5), st.sampled_from(["present", "outage"]), standings_)
def test_absence_decides_nothing_and_leaves_no_trace(past, absences, presence, standing):
    silent = Evidence([*past, *[None] * absences], presence=presence)
    made = POLICY.decide(silent, standing)
    assert (made.action, made.standing) == ("keep", standing)
    heard = [value for value in past if value is not None]
    for value in (-0.5, 0.0, 0.5):
        with_gaps, without = (POLICY.decide(Evidence([*one, value]), standing) for one in (silent.values, heard))
        assert with_gaps == without


@thorough
@given(situations, budgets_)
def test_budgets_are_never_exceeded(situation, budgets):
    evidence, standings = parted(situation)
    plan = POLICY.plan(evidence, standings, budgets=budgets)
    asked = [evidence[name].cost for name, made in plan.decisions.items() if made.asked]
    acted = [evidence[name].cost for name, made in plan.decisions.items() if made.action in LABOURED]
    slack = 1 + 1e-12
    assert sum(cost.epsilon for cost in asked) <= budgets.epsilon * slack
    assert sum(cost.bytes for cost in asked) <= budgets.bytes * slack
    assert sum(cost.labour for cost in acted) <= budgets.labour * slack
    assert budgets.allows(plan.spent)
    assert plan.spent.labour == pytest.approx(sum(cost.labour for cost in acted))
    assert plan.spent.bytes == sum(cost.bytes for cost in asked)


@thorough
@given(situations, budgets_, st.randoms(use_true_random=False))
def test_decisions_are_the_same_again_and_in_any_order(situation, budgets, chance):
    evidence, standings = parted(situation)
    names = list(evidence)
    chance.shuffle(names)
    shuffled = {name: evidence[name] for name in names}
    one, other = (POLICY.plan(each, standings, budgets=budgets) for each in (evidence, shuffled))
    assert one == other
    assert list(one.decisions) == list(other.decisions) == sorted(names)


@thorough
@given(situations)
def test_without_limits_a_plan_is_every_source_decided_by_itself(situation):
    evidence, standings = parted(situation)
    plan = POLICY.plan(evidence, standings, budgets=FREE)
    assert plan.decisions == {name: POLICY.decide(evidence[name], standings[name]) for name in evidence}


@thorough
@given(evidences, standings_)
def test_every_decision_has_a_reason_in_both_languages_and_one_default(evidence, standing):
    made = POLICY.decide(evidence, standing)
    assert made.reason.zh.endswith("。")
    assert made.reason.en.endswith(".")
    assert made.action in ACTIONS
    assert (made.unapproved is None) == (made.action not in POLICY.approve)
    assert made.unapproved in (None, standing)
    assert (made.since is not None) == (made.action == "refresh") or made.action == "promote"
    assert (made.regime is not None) == (made.action == "recall")


class ReadsAbsenceAsWorthless(Policy):
    def decide(self, evidence, standing):
        return super().decide(replace(evidence, values=[value or -1.0 for value in evidence.values]), standing)


class HasNoBand(Policy):
    def decide(self, evidence, standing):
        return Policy(demote_after=1, promote_after=1).decide(evidence, standing)


class NeverSaysNo(Budgets):
    def allows(self, spent, more):
        return True


class TakesThemAsTheyCome(Policy):
    def plan(self, evidence, standings, *, budgets):
        found, spent = {}, Cost()
        for name, one in evidence.items():
            made = self.decide(one, standings.get(name, "trial"))
            asked = made.asked and budgets.allows(spent + one.cost)
            spent += one.cost if asked else Cost()
            found[name] = replace(made, asked=asked)
        return Plan(found, spent)


def test_a_policy_that_reads_absence_is_caught(monkeypatch):
    monkeypatch.setitem(globals(), "POLICY", twin(ReadsAbsenceAsWorthless))
    with pytest.raises(AssertionError):
        body(test_absence_decides_nothing_and_leaves_no_trace)([0.2], 2, "present", "member")


def test_a_policy_without_a_band_is_caught(monkeypatch):
    monkeypatch.setitem(globals(), "POLICY", twin(HasNoBand))
    with pytest.raises(AssertionError):
        body(test_noise_within_the_band_changes_nothing)([0.2], [-0.005, 0.005], "member")


def test_a_policy_that_depends_on_the_order_is_caught(monkeypatch):
    monkeypatch.setitem(globals(), "POLICY", twin(TakesThemAsTheyCome))
    situation = {name: (Evidence([0.2], cost=Cost(bytes=100)), "member") for name in "abcdef"}
    with pytest.raises(AssertionError):
        body(test_decisions_are_the_same_again_and_in_any_order)(situation, Budgets(bytes=150), random.Random(0))


def test_budgets_that_allow_everything_are_caught():
    evidence = {"a": Evidence([0.2], cost=Cost(bytes=100))}
    spent = POLICY.plan(evidence, {}, budgets=NeverSaysNo(bytes=50)).spent
    assert not Budgets(bytes=50).allows(spent)


def body(property_):
    """Return a property without the search for what breaks it."""
    return property_.hypothesis.inner_test


def twin(kind):
    return kind(harm=-0.01, use=0.01, demote_after=2, promote_after=3, remove_after=4)


def test_every_action_can_be_read():
    assert set(ACTIONS) == set(get_args(Action))


@pytest.mark.parametrize(
    "wrong",
    [{"harm": 0.1, "use": 0.0}, {"demote_after": 0}, {"promote_after": 0}, {"remove_after": 1}, {"harm": float("nan")}],
)
def test_impossible_policies_are_errors(wrong):
    with pytest.raises(ValueError, match="must"):
        Policy(**wrong)


@pytest.mark.parametrize("kind", [Cost, Budgets])
def test_nothing_costs_less_than_nothing(kind):
    with pytest.raises(ValueError, match="at least 0"):
        kind(epsilon=-0.1)
