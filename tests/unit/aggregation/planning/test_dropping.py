"""A plan with fewer sources, of which part was played: nobody is moved, nobody new is seen, and it can be played."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.aggregation.planning.test_planner import (
    CLINICAL_SHARES,
    INSURANCE,
    JOB,
    Supplier,
    permit,
    planned,
    suppliers,
)

from headwater.aggregation import Job, aggregate
from headwater.aggregation.grouping import parted
from headwater.aggregation.planning.dropping import ALONE, fewer
from headwater.checks.protections import seeded_entropy
from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS
from headwater.statistics import Statistic

WHY = Message("断线", "cut off")


def ways(plan):
    """Return for each source the edges that its message takes, up to the region."""
    above = {(group.strand, name): group for group in plan.groups for name in group.members}
    found = {}
    for source in plan.exposures:
        (strand,) = {strand for strand, name in above if name == source}
        name, way = source, []
        while (strand, name) in above:
            group = above[strand, name]
            way.append((group.tier, dict(group.mechanisms)[name]))
            name = group.tier
        found[source] = way
    return found


def noisy_sources(plan):
    return sorted({name for group in parted(plan.groups)[1] for name in group.members} & set(plan.exposures))


def without(plan, names):
    return fewer(plan, dict.fromkeys(names, WHY))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(suppliers(5), st.data())
def test_nobody_is_moved_and_nothing_is_shown_that_may_not_be(many, data):
    try:
        whole = planned(many)
    except Refusal:
        return
    noisy = noisy_sources(whole)
    if not noisy:
        return
    gone = data.draw(st.sets(st.sampled_from(noisy), min_size=1))
    left = without(whole, gone)
    if left is None:
        assert set(noisy) == set(whole.exposures)
        return
    permit(many, left.exposures)
    assert not gone & set(left.exposures)
    assert ways(left).items() <= ways(whole).items()
    assert parted(left.groups)[0] == parted(whole.groups)[0]
    assert all(len(group.members) >= PROTECTIONS[group.protection].minimum for group in left.groups)
    assert sorted([*left.refused, *left.reasons]) == sorted(one.source for one in many)
    assert {name for tier in left.tree.root.walk() for name in tier.sources} == set(left.reasons)
    first = data.draw(st.sampled_from(sorted(gone)))
    then = without(without(whole, [first]) or whole, gone)
    assert then is None or then.groups == left.groups


@settings(deadline=None, derandomize=True, max_examples=20)
@given(suppliers(5), st.data())
def test_what_is_left_can_be_played_and_has_the_noise_that_is_expected(many, data):
    try:
        whole = planned(many)
    except Refusal:
        return
    left = without(whole, data.draw(st.sets(st.sampled_from(sorted(whole.exposures)), min_size=1)))
    if left is None:
        return
    rng = np.random.default_rng(1)
    said = {
        source: Statistic("counts", (64,), rng.integers(-500, 500, 64, endpoint=True).view(np.uint64))
        for source in left.reasons
    }
    joined = aggregate(left.groups, said, round_id="r", entropy=seeded_entropy(1), span=JOB.span, l2=JOB.l2)
    assert left.expected.bytes_sent == joined.bytes_sent
    assert left.expected.deviations == pytest.approx({strand: part.deviation for strand, part in joined.parts.items()})


def test_who_shared_noise_with_too_few_that_are_left_is_left_out_with_them():
    many = [Supplier(f"h{place}", "north", 100, CLINICAL_SHARES) for place in range(3)]
    many += [Supplier(f"i{place}", "south", 100, INSURANCE) for place in range(3)]
    whole = planned(many, job=Job("east", "aggregation", 64, JOB.span, JOB.l2))
    assert set(noisy_sources(whole)) >= {"h0", "h1", "h2"}
    left = without(whole, ["h1"])
    assert left is not None
    assert left.refused["h1"] == WHY
    assert left.refused["h0"] == left.refused["h2"] == ALONE
    assert set(left.exposures) == {"i0", "i1", "i2"} - set(left.refused)
    assert without(whole, list(whole.exposures)) is None
