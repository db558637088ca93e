# ruff: noqa: F811 -- fixtures of another file are named as arguments
"""Joint runs on whose way somebody is lost: nobody is asked or debited twice, and what is told is what was."""

from dataclasses import replace

import pytest
from tests.unit.steps.test_joint import (  # noqa: F401
    CHOSEN,
    NOISY,
    OPEN,
    SUMS,
    asked,
    choose,
    debits,
    entries,
    forgotten,
    home,
    occasion,
    require,
    rule,
)

from headwater.adapters import postgres, revealed
from headwater.errors import Message, Refusal
from headwater.security.requirement import Caps, Requirement
from headwater.steps import join as steps_of_join
from headwater.steps import joint as steps
from headwater.steps.aggregate import aggregate
from headwater.steps.joint import recall


def masks(name: str, sees: dict[str, str], sources: frozenset[str], *extra: str) -> Requirement:
    return replace(rule(name, sees, sources), mechanisms=frozenset({"masked", "skellam", *extra}))


def told(home, before: int) -> list[set[str]]:
    """Return who spoke in each sum since."""
    return [set(body["sources"]) for kind, body in entries(home)[before:] if kind == "release"]


def test_who_was_heard_is_not_asked_again_when_one_is_silent_in_the_round_with_noise(home, require, forgotten):
    # H02, H03 and H07 share noise; H07 cannot answer, and two are too few. They could join the others without noise,
    # but those have been heard.
    choose(home, (*CHOSEN, "H07"), minute=41)
    require(
        masks("heard", OPEN, frozenset(CHOSEN) - {"H02", "H03"}, "clear", "discrete_gaussian"),
        masks("shy twice", NOISY, frozenset({"H02", "H03", "H07"})),
    )
    before = len(entries(home))
    report = aggregate(home, run=occasion("twice"))
    choose(home, CHOSEN, minute=42)
    assert told(home, before) == [set(CHOSEN[2:])]
    assert [one.sources for one in report.rounds] == [len(CHOSEN) - 2]
    assert set(report.sources) == set(CHOSEN[2:])
    assert set(report.refused) == {"H02", "H03", "H07"}
    assert "too few" in report.refused["H02"].en
    assert not debits(home, "heard")
    assert not debits(home, "shy twice")
    assert recall(home, report.joint.entry) == report.joint


@pytest.mark.parametrize("sees", [SUMS, NOISY], ids=["while sums are exact", "with noise"])
def test_a_silent_source_costs_nobody_anything(home, require, forgotten, sees):
    choose(home, (*CHOSEN, "H07"), minute=43)
    # One release uses up the month: whoever is debited twice is refused.
    caps, shy = Caps(0.5, 0.6, 4), frozenset(CHOSEN[3:]) | ({"H07"} if sees is NOISY else set())
    name = f"once {sees['sum']}"
    require(
        rule("sums", SUMS, frozenset({"H02", "H03", "H04", "H07", "H05", "H06"}) - shy),
        replace(rule(name, NOISY, shy), caps=caps, purposes={"aggregation": caps}),
    )
    report = aggregate(home, run=occasion(name))
    choose(home, CHOSEN, minute=44)
    spent = [entry.source_id for entry in debits(home, name)]
    assert len(spent) == len(set(spent))
    assert set(report.sources) == set(CHOSEN)
    assert set(spent) == set(report.epsilon) == shy - {"H07"}


def test_a_sum_that_was_never_made_is_not_kept_as_revealed(home, require, forgotten):
    choose(home, (*CHOSEN, "H07"), minute=45)
    require(rule("never", SUMS))
    report = aggregate(home, run=occasion("never"))
    choose(home, CHOSEN, minute=46)
    again = aggregate(home, run=occasion("never again"))
    assert report.sources == again.sources == CHOSEN


def test_the_report_tells_what_the_ledger_was_debited(home, require):
    require(rule("booked", NOISY))
    report = aggregate(home, run=occasion("booked"))
    found = {entry.source_id: entry for entry in debits(home, "booked")}
    books = steps.books_of(home)
    assert report.epsilon == pytest.approx(books.costs(report.joint.plan.exposures))
    assert set(found) == set(report.epsilon)


def test_what_noise_would_drown_is_neither_asked_nor_paid_for(home, require, forgotten, asked, monkeypatch):
    monkeypatch.setattr("headwater.steps.join._LEAST", 1.0)
    require(rule("drowned", NOISY))
    report = aggregate(home, run=occasion("drowned"))
    assert set(asked) <= {"target"}
    assert not debits(home, "drowned")
    assert report.sources == ()
    assert all("would count" in report.refused[source].en for source in CHOSEN)
    assert report.scores["ours"] == report.scores["target_only"]


def test_whoever_is_lost_within_a_round_is_in_the_log_and_not_in_the_model(home, require, forgotten, monkeypatch):
    real = steps_of_join.climb

    def losing(groups, answers, **told):
        summed = real(groups, answers, **told)
        return replace(summed, lost={"H02": Refusal("E-LOST", Message("断线", "cut off"), Message("等", "wait"))})

    monkeypatch.setattr(steps_of_join, "climb", losing)
    require(rule("lost", SUMS))
    report = aggregate(home, run=occasion("lost"))
    assert set(report.sources) == set(CHOSEN) - {"H02"}
    assert report.refused["H02"].en == "cut off"
    assert entries(home, "keys")[-1][1]["lost"] == ["H02"]
    with postgres.connect(home) as connection:
        kept = {frozenset(cohort) for cohort in revealed.locked(connection)}
    assert {len(one & {"H02"}) for one in kept} == {0, 1}, "what was planned and what there was"


def test_a_hospital_that_was_silent_and_stays_chosen_is_left_out_and_told_why(home, require, forgotten):
    choose(home, (*CHOSEN, "H07"), minute=47)
    require(rule("stays", SUMS))
    first = aggregate(home, run=occasion("stays"))
    again = steps.plan_join(home, run=occasion("stays on"), task="stay_cost", model="stay_cost_ridge")
    choose(home, CHOSEN, minute=48)
    assert first.sources == again.sources == CHOSEN
    assert "did not answer" not in again.refused["H07"].en
    assert "their difference would be its own" in again.refused["H07"].en
    assert recall(home, again.entry) == again
    assert entries(home, "plan")[-1][1]["absent"]["H07"]["zh"] == again.refused["H07"].zh


@pytest.mark.parametrize("more", [(), ("H07",)], ids=["one is gone", "another came instead"])
def test_where_no_planned_source_is_the_difference_the_run_is_refused(home, require, forgotten, more):
    # H06 and H07 are of one city of four, whose masked sum is seen.
    require(rule(f"gone {more}", SUMS))
    aggregate(home, run=occasion(f"gone {more}"))
    choose(home, (*(source for source in CHOSEN if source != "H06"), *more), minute=49 + len(more))
    before = len(entries(home, "plan"))
    with pytest.raises(Refusal, match="E-COHORT-REVEALED"):
        steps.plan_join(home, run=occasion("another"), task="stay_cost", model="stay_cost_ridge")
    choose(home, CHOSEN, minute=51 + len(more))
    assert len(entries(home, "plan")) == before


def test_whom_a_round_lost_is_not_asked_in_the_sum_that_was_planned(home, require, forgotten, monkeypatch):
    real = steps_of_join.climb

    def losing(groups, answers, **told):
        summed = real(groups, answers, **told)
        return replace(summed, lost={"H02": Refusal("E-LOST", Message("断线", "cut off"), Message("等", "wait"))})

    require(rule("lost once", SUMS))
    with monkeypatch.context() as patch:
        patch.setattr(steps_of_join, "climb", losing)
        aggregate(home, run=occasion("lost once"))
    again = aggregate(home, run=occasion("lost no more"))
    assert again.sources == CHOSEN[1:], "the sum of all was agreed on, and never made: it would tell H02"
    assert "H02" in again.refused


def test_a_debit_that_is_refused_leaves_no_sum_behind(home, require, forgotten, monkeypatch):
    def refused(self, seen):
        raise Refusal("E-LEDGER-RUN", Message("超支", "overspent"), Message("等", "wait"))

    require(rule("refused", SUMS))
    planned = steps.plan_join(home, run=occasion("refused"), task="stay_cost", model="stay_cost_ridge")
    monkeypatch.setattr(steps.Books, "reserve", refused)
    with pytest.raises(Refusal, match="E-LEDGER-RUN"):
        steps_of_join.join(home, run=occasion("refused"), entry=planned.entry)
    with postgres.connect(home) as connection:
        assert revealed.all_of(connection) == []
