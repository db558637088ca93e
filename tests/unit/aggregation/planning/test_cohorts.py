"""Plans of cohorts hide every source among five or more that hide themselves, and mix no circles."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.aggregation.planning.test_planner import (
    CLINICAL,
    COSTS,
    INSURANCE,
    JOB,
    OWN_NOISE,
    SHUT,
    permit,
    requirement,
)

from headwater.aggregation import Supplier
from headwater.aggregation.planning import cohorts
from headwater.aggregation.planning.cohorts import in_cohorts, partitions
from headwater.aggregation.planning.reasoning import strand_named
from headwater.errors import Refusal
from headwater.federation.division import FLOOR, LIMIT, crossed, division, leverage, named_cohorts
from headwater.steps.revealed import hidden_cohorts

SHY = requirement("nobody", "region", "region", "masked")
TIER = requirement("tier", "region", "region", "masked", "clear")
PERMITTING = (INSURANCE, SHY, TIER)


def suppliers(*counts):
    """Return so many sources of every requirement."""
    return [
        Supplier(f"h{kind}{place:02d}", ("north", "south")[place % 2], 100 + place, rule)
        for kind, (rule, count) in enumerate(counts)
        for place in range(count)
    ]


def planned(many, **told):
    return in_cohorts(many, {}, COSTS, job=JOB, **told)


def exposed(cohorts_):
    """Return the largest leverage of a source in sums of these cohorts."""
    names = sorted({name for cohort in cohorts_ for name in cohort})
    masks = np.array([[name in cohort for name in names] for cohort in cohorts_])
    return float(leverage(masks).max()) if names else 0.0


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([*PERMITTING, CLINICAL, SHUT]), st.integers(1, 25)), min_size=1, max_size=4))
def test_everybody_hides_or_is_left_out_and_told_why(counts):
    many, sizes = suppliers(*counts), Counter()
    for rule, count in counts:
        sizes[rule.sees["statistic"]] += count * (rule in PERMITTING)
    if max(sizes.values()) < 2 * FLOOR:
        with pytest.raises(Refusal, match="E-COHORT-FEW"):
            planned(many)
        return
    found = planned(many)
    names = {one.source for one in many}
    assert set(found.reasons) == set(found.exposures) == names - set(found.refused)
    assert all(len(group.members) >= FLOOR for group in found.groups)
    rules = {one.source: one.requirement for one in many}
    for hidden in hidden_cohorts(found.groups, rules):
        assert exposed(hidden) <= LIMIT + 1e-9
    permit(many, found.exposures)
    assert {one.shown for seen in found.exposures.values() for one in seen} == {"sum"}
    assert planned(list(reversed(many))).digest == found.digest


def test_sources_alike_are_asked_for_the_sums_that_a_valuation_asks_for_and_those_across():
    many = suppliers((SHY, 20))
    found, names = planned(many), [one.source for one in many]
    assert [group.members for group in found.groups] == list(named_cohorts(names, crossed(names)))
    assert partitions(found.groups)[:2] == tuple(len(one) for one in division(names))


def test_partitions_hold_everybody_whatever_the_circles():
    found = planned(suppliers((SHY, 11), (INSURANCE, 23), (TIER, 10)))
    start = 0
    for count in partitions(found.groups):
        inside = [name for group in found.groups[start : start + count] for name in group.members]
        assert sorted(inside) == sorted(found.exposures)
        start += count
    assert start > 0


def test_without_circles_a_shy_source_hides_among_those_that_are_known(monkeypatch):
    many = suppliers((SHY, 10), (INSURANCE, 10))
    rules = {one.source: one.requirement for one in many}
    assert exposed(hidden_cohorts(planned(many).groups, rules)[0]) <= LIMIT
    real = cohorts._circles

    def mixed(ordered, job):
        circles, refused = real(ordered, job)
        return [tuple(sorted(name for circle in circles for name in circle))], refused

    monkeypatch.setattr(cohorts, "_circles", mixed)
    assert exposed(hidden_cohorts(planned(many).groups, rules)[0]) > LIMIT


def test_who_demands_noise_is_left_out_in_the_words_of_its_requirement():
    found = planned(suppliers((SHY, 12), (CLINICAL, 3), (OWN_NOISE, 1)))
    assert "a sum with others may not be seen by the region" in found.refused["h100"].en
    assert "may not be seen by the region" in found.refused["h200"].en
    assert found.refused["h100"].zh.endswith("。")


def test_a_circle_of_nine_is_left_out_and_two_circles_of_nine_are_refused():
    found = planned(suppliers((SHY, 10), (INSURANCE, 9)))
    assert "Only 9 of the 10" in found.refused["h100"].en
    with pytest.raises(Refusal, match="E-COHORT-FEW") as refusal:
        planned(suppliers((SHY, 9), (INSURANCE, 9), (CLINICAL, 1)))
    assert "18 sources: Only 9 of the 10" in refusal.value.reason.en
    assert "18 个来源" in refusal.value.reason.zh


def test_records_count_once_and_cities_hear_nothing():
    many = suppliers((SHY, 30))
    found = planned(many, lost=["north"])
    assert found.expected.weight == sum(one.records for one in many)
    assert {group.tier for group in found.groups} == {JOB.region}
    assert [tier.name for tier in found.tree.root.walk()] == ["south", JOB.region]
    assert all(len(set(seen)) == len(seen) == 1 for seen in found.exposures.values())
    assert {strand_named(strand).en.split()[0] for strand in found.expected.deviations} == {"cohort"}


def test_a_plan_says_who_is_in_which_cohort():
    found = planned(suppliers((SHY, 10)))
    told = found.to_dict()["groups"]
    assert [set(one["mechanisms"]) for one in told] == [set(group.members) for group in found.groups]
    assert len({one["strand"] for one in told}) == len(told)
    less = planned(suppliers((replace(SHY, delta=1e-7), 10)))
    assert less.digest != found.digest, "other requirements are another plan"


def test_without_both_guards_the_region_sees_sums_that_it_may_not(monkeypatch):
    many = suppliers((SHY, 10), (replace(CLINICAL, sees={**CLINICAL.sees, "sum": "tier"}), 1))
    assert set(planned(many).refused) == {"h100"}
    monkeypatch.setattr(cohorts, "objection", lambda *given, **told: None)
    with pytest.raises(Refusal, match="E-REQUIRE-VIEWER"):
        planned(many)
    monkeypatch.setattr(cohorts, "require_permitted", lambda *given: None)
    found = planned(many)
    with pytest.raises(Refusal, match="E-REQUIRE-VIEWER"):
        permit(many, found.exposures)
