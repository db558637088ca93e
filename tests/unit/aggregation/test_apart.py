"""Sums of groups that overlap are each the plain sum of its members, and end with the first that loses one."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.aggregation import UNDER_MASKS, Group, aggregate
from headwater.aggregation import apart as apart_
from headwater.aggregation.apart import apart
from headwater.checks.protections import seeded_entropy
from headwater.errors import Message, Refusal
from headwater.statistics import Gram, Statistic

GRAM = Gram(3)
GROUPS = tuple(
    Group("east", tuple((name, UNDER_MASKS) for name in names), f"cohort {place:03d} masked")
    for place, names in enumerate(["abc", "def", "ade", "bcf"])
)


@pytest.fixture
def said():
    rng = np.random.default_rng(0)
    return {name: GRAM.sample(rng) for name in "abcdef"}


def test_every_sum_is_the_plain_one_under_keys_of_its_own(said):
    found = apart(GROUPS, said, round_id="r", entropy=seeded_entropy(0))
    for group in GROUPS:
        assert found.parts[group.strand].total == Statistic.total(said[name] for name in group.members)
    assert [{name for name, _ in pact.identities} for pact in found.pacts] == [set(group.members) for group in GROUPS]
    assert len({pact.round_id for pact in found.pacts}) == len(GROUPS)
    each = aggregate(GROUPS[:1], {name: said[name] for name in "abc"}, round_id="r", entropy=seeded_entropy(0))
    assert found.bytes_sent["a"] == 2 * each.bytes_sent["a"]


def test_groups_that_overlap_are_not_folded_into_one_sum(said):
    with pytest.raises(Refusal, match="E-TIER-SOURCES"):
        aggregate(GROUPS, said, round_id="r", entropy=seeded_entropy(0))


def test_after_a_loss_no_more_sums_are_asked_for(said, monkeypatch):
    asked = []

    def losing(groups, answers, **told):
        asked.append(groups[0].strand)
        summed = aggregate(groups, answers, **told)
        gone = {"d": Refusal("E-LOST", Message("断线", "cut off"), Message("等", "wait"))}
        return replace(summed, lost=gone) if "d" in answers else summed

    monkeypatch.setattr(apart_, "aggregate", losing)
    found = apart(GROUPS, said, round_id="r", entropy=seeded_entropy(0))
    assert asked == [GROUPS[0].strand, GROUPS[1].strand]
    assert list(found.lost) == ["d"]
