"""Tiers that share a task are lost one by one."""

import pytest

from headwater.errors import Message, Refusal
from headwater.steps import open_tier as steps
from headwater.steps.open_tier import Opened, open_tiers
from headwater.steps.tree_tasks import MOST, bundles, lost

SAID = Message("不在", "not there")
PLAN = {"region": "r", "entry": 7, "tiers": [*(f"c{place}" for place in range(2 * MOST)), "r"]}


@pytest.fixture
def broken(monkeypatch):
    """Tiers that cannot be opened."""
    names = set()

    def opened(home, joint, there, tier):
        if tier in names:
            raise Refusal("E-TIER-SILENT", SAID, SAID)
        return Opened("r", tier, {}, (), 0.0)

    monkeypatch.setattr(steps, "_opened", opened)
    return names


@pytest.fixture(autouse=True)
def recalled(monkeypatch):
    """Plans that were recalled, by entry."""
    entries = []

    def ready(home, entry, tiers):
        entries.append(entry)
        return None, {}

    monkeypatch.setattr(steps, "_ready", ready)
    return entries


def opened(tiers):
    return [one.to_dict() for one in open_tiers(None, tiers)]


def test_a_tier_that_cannot_be_opened_is_lost_alone(broken, recalled):
    bundle = max(bundles([PLAN]), key=len)
    assert len(bundle) > 1
    opened(bundle)
    assert recalled == [7], "a plan is recalled once for all its tiers"
    broken.add(bundle[0]["tier"])
    cities = [opened(one) for one in bundles([PLAN])]
    assert lost(PLAN, [cities, [opened([{"entry": 7, "tier": "r"}])]]) == [bundle[0]["tier"]]


def test_a_task_fails_where_no_tier_of_its_could_be_opened(broken):
    bundle = bundles([PLAN])[0]
    broken.update(one["tier"] for one in bundle)
    with pytest.raises(Refusal, match="E-TIER-SILENT"):
        opened(bundle)
    assert opened([]) == []
