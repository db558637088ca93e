"""Bytes are foreseen exactly, and nodes are put between many members and their tier where it pays."""

from collections import Counter

import numpy as np
import pytest

import headwater.adapters.tenseal  # noqa: F401  (registers ckks)
from headwater.aggregation import Costs, Job, Link, Mechanism, Supplier, Tree, aggregate, group, plan
from headwater.aggregation.planning.fanning import shares
from headwater.aggregation.planning.traffic import traffic
from headwater.checks.protections import seeded_entropy
from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS, Span, play
from headwater.security.requirement import Caps, Requirement
from headwater.statistics import Statistic

BITS16 = Span(0, 2**16 - 1)
FREE = Costs(second=0, byte=1, node_bytes=1e18)


def requirement(*mechanisms):
    caps = Caps(1, 3, 24)
    sees = {"statistic": "nobody", "sum": "region", "noisy": "region"}
    title = Message("x", "x")
    return Requirement("x", title, None, "people", sees, 1e-6, caps, {"aggregation": caps}, frozenset(mechanisms))


def planned(count, job, *mechanisms, costs=FREE, lost=()):
    rule = requirement(*mechanisms)
    return plan([Supplier(f"h{n:05d}", None, 100, rule) for n in range(count)], {}, costs, job=job, lost=lost)


def levels(found):
    return Counter((group.tier.partition("/")[2].partition(".")[0], len(group.members)) for group in found.groups)


def at_root(found):
    return sum(found.expected.bytes_sent[name] for group in found.groups[-1:] for name in group.members)


@pytest.mark.parametrize("protection", ["clear", "masked", "ckks"])
@pytest.mark.parametrize("members", [3, 9, 65])
@pytest.mark.parametrize("span", [Span(-500, 500), None])
def test_bytes_of_a_round_are_known_before_it(protection, members, span):
    names = [f"h{n}" for n in range(members)]
    session = PROTECTIONS[protection].open(names, round_id="r", length=4100, entropy=seeded_entropy(1), span=span)
    played = play(session, dict.fromkeys(names, lambda: np.full(4100, 3, dtype=np.uint64)))
    foreseen = traffic(protection, members=members, length=4100, span=span)
    assert set(played.told.values()) == {foreseen.told}
    near = 0.02 if protection == "ckks" else 0
    assert list(played.sent.values()) == pytest.approx([foreseen.sent] * members, rel=near, abs=0)


def test_a_protection_of_which_no_bytes_are_told_is_refused():
    with pytest.raises(Refusal, match="E-TRAFFIC-UNKNOWN"):
        traffic("carrier pigeon", members=3, length=10, span=None)


def test_tiers_of_sixteen_take_the_fewest_bytes_for_a_thousand_sources_of_sixteen_bits():
    job = Job("east", "aggregation", 2**20, BITS16)
    found = planned(1024, job, "masked", "clear")
    assert levels(found) == {("1", 16): 64, ("", 64): 1}
    assert {group.protection for group in found.groups if group.tier == "east"} == {"clear"}
    assert sum(found.expected.bytes_sent.values()) / (2 * 1024 * 2**20) == pytest.approx(1.329, abs=5e-4)


@pytest.mark.parametrize(("mechanism", "most"), [("masked", 40e6), ("ckks", 300e6)])
def test_ten_thousand_sources_come_to_the_region_through_a_few_nodes(mechanism, most):
    job = Job("east", "aggregation", 10**6, BITS16, holder="registry")
    found = planned(10_000, job, mechanism, costs=Costs())
    assert at_root(found) <= most
    assert len(found.reasons) == 10_000


def test_nodes_give_the_same_bits_and_the_bytes_that_were_foreseen():
    # Lines so slow that a level of nodes pays even for short vectors.
    job, costs = Job("east", "aggregation", 320, BITS16), Costs(link=Link(1e4, 0.0))
    found = planned(40, job, "masked", costs=costs)
    assert len(found.groups) > 1
    rng = np.random.default_rng(5)
    said = {name: Statistic("counts", (320,), rng.integers(0, 2**16, 320).astype(np.uint64)) for name in found.reasons}
    joined = aggregate(found.groups, said, round_id="r", entropy=seeded_entropy(2), span=BITS16)
    assert joined.total == Statistic.total(said.values())
    assert joined.bytes_sent == found.expected.bytes_sent
    assert joined.bytes_told == found.expected.bytes_told


def test_members_of_a_lost_node_go_to_the_others():
    job, costs = Job("east", "aggregation", 320, BITS16), Costs(link=Link(1e4, 0.0))
    found = planned(40, job, "masked", costs=costs)
    node = found.groups[0].tier
    left = planned(40, job, "masked", costs=costs, lost=[node])
    assert not left.refused
    assert node not in {tier.name for tier in left.tree.root.walk()}
    assert {tier.name for tier in left.tree.root.walk()} < {tier.name for tier in found.tree.root.walk()}


def test_members_are_shared_out_evenly():
    parts = shares(10, 3)
    assert [len(range(10)[part]) for part in parts] == [4, 3, 3]
    assert [place for part in parts for place in range(10)[part]] == list(range(10))


def test_masked_groups_in_one_tree_are_foreseen_by_the_walk_that_aggregates():
    tree = Tree.of({f"h{n}": f"c{n // 3}" for n in range(9)}, root="east")
    mechanisms = dict.fromkeys(tree.sources, Mechanism("masked")) | {f"c{n}": Mechanism("masked") for n in range(3)}
    groups = group(tree, mechanisms)
    said = {name: Statistic("counts", (64,), np.full(64, 7, dtype=np.uint64)) for name in tree.sources}
    joined = aggregate(groups, said, round_id="r", entropy=seeded_entropy(3), span=BITS16)
    lower = traffic("masked", members=3, length=64, span=BITS16)
    upper = traffic("masked", members=3, length=64, span=Span(0, 3 * (2**16 - 1)))
    assert {joined.bytes_sent[name] for name in tree.sources} == {lower.sent}
    assert {joined.bytes_sent[f"c{n}"] for n in range(3)} == {upper.sent}
