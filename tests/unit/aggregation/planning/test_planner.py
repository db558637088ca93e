"""Plans permit nothing that requirements forbid, keep whom they can, and are the best there are."""

import itertools
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from headwater.aggregation import Costs, Group, Job, Supplier, aggregate, plan
from headwater.aggregation.exposure import exposures
from headwater.aggregation.grouping import parted
from headwater.aggregation.planning import arranging
from headwater.aggregation.planning import planner as planning
from headwater.aggregation.planning.expecting import gathering_of
from headwater.aggregation.planning.foresight import foresee
from headwater.aggregation.planning.routes import claim_of, objection, routes
from headwater.checks.protections import seeded_entropy
from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS, Span
from headwater.security.events import kinds
from headwater.security.requirement import VIEWERS, Caps, Release, Requirement
from headwater.security.shared_noise import SharedNoise
from headwater.statistics import Statistic

NOISES = ("discrete_gaussian", "skellam")


def requirement(statistic, sum_, noisy, *mechanisms, epsilon=1.0, delta=1e-6, purposes=("aggregation",)):
    caps = Caps(epsilon, 3 * epsilon, 24 * epsilon)
    sees = {"statistic": statistic, "sum": sum_, "noisy": noisy}
    said = "-".join([*sees.values(), *mechanisms, f"{epsilon:g}"])
    return Requirement(
        said,
        Message(said, said),
        None,
        "people",
        sees,
        delta,
        caps,
        dict.fromkeys(purposes, caps),
        frozenset(mechanisms),
    )


INSURANCE = requirement("region", "region", "region", "clear", "masked", *NOISES)
CLINICAL = requirement("nobody", "tier", "region", "masked", *NOISES, epsilon=0.5, delta=1e-7)
CLINICAL_SHARES = requirement("nobody", "tier", "region", "masked", "skellam", epsilon=0.5, delta=1e-7)
OWN_NOISE = requirement("nobody", "nobody", "region", "clear", "discrete_gaussian", epsilon=0.5, delta=1e-7)
OWN_NOISE_OR_MASKS = replace(OWN_NOISE, mechanisms=OWN_NOISE.mechanisms | {"masked"})
SILENT = requirement("nobody", "nobody", "region", "masked", "skellam", epsilon=0.5, delta=1e-7)
SHUT = requirement("nobody", "nobody", "nobody", "clear", "masked", *NOISES)

requirements = st.builds(
    lambda sees, mechanisms, epsilon: requirement(
        *sorted(sees, key=VIEWERS.index), *sorted(mechanisms), epsilon=epsilon
    ),
    st.tuples(st.sampled_from(VIEWERS), st.sampled_from(VIEWERS), st.sampled_from(["region", "region", "tier"])),
    st.sets(st.sampled_from(["clear", *NOISES])).map(lambda some: some | {"masked"}),
    st.sampled_from([0.5, 2.0]),
)


def suppliers(most, *, cities=("north", "south", None)):
    """Return a strategy of suppliers: up to so many kinds, each of some alike in one city."""
    kind = st.tuples(st.sampled_from(cities), st.integers(1, 4000), requirements, st.integers(1, 4))
    return st.lists(kind, min_size=1, max_size=most).map(
        lambda kinds: [
            Supplier(f"h{place}{turn}", city, records, rule)
            for place, (city, records, rule, count) in enumerate(kinds)
            for turn in range(count)
        ]
    )


JOB = Job("east", "aggregation", 64, Span(-500, 500), 20.0)
COSTS = Costs()


def planned(many, *, job=JOB, costs=COSTS, lost=()):
    return plan(many, {}, costs, job=job, lost=lost)


def permit(many, seen, purpose="aggregation"):
    for one in many:
        for what in seen.get(one.source, ()):
            one.requirement.permit(
                Release(
                    "", one.source, purpose, what.event, tier=what.viewer, shown=what.shown, protection=what.protection
                )
            )


def score(groups, many, *, job=JOB, costs=COSTS):
    """What a plan is judged by: not joined exactly, refused, too much at one node, noise, price."""
    records = {one.source: one.records for one in many}
    seen = foresee([gathering_of(group, records, costs, {}) for group in groups], job=job, costs=costs)
    kept = {name for group in groups for name in group.members} & set(records)
    cities = {one.source for one in many if one.city}
    past = sum(name in cities for group in groups if group.tier == job.region for name in group.members)
    price = costs.price(seen.seconds(job.region), seen.bytes_sent, sights=seen.sights, past=past)
    excess = max(0.0, seen.most_whole / costs.node_bytes - 1)
    exact = {name for group in parted(groups)[0] for name in group.members} & set(records)
    return len(many) - len(exact), len(many) - len(kept), excess, -seen.weight(job), price


def worse(one, other):
    """Whether one score is worse than the other, beyond rounding."""
    for left, right in zip(one, other, strict=True):
        if not math.isclose(left, right, rel_tol=1e-8, abs_tol=1e-9):
            return left > right
    return False


# An oracle that tries everything, with groups, exposures and permissions of its own.


def everything(many, job=JOB):
    claims = {claim for one in many if (claim := claim_of(one.requirement, job.purpose))}
    cells = defaultdict(list)
    for one in many:
        own = claim_of(one.requirement, job.purpose)
        ways = tuple(
            route
            for route in routes(own, claims, travel=["clear", "masked"])
            if (route.tier is None or one.city)
            and not objection(route, one.requirement, one.source, job.purpose, alone=False)
        )
        cells[one.city, ways].append(one)
    assume(math.prod(len(ways) + 1 for _, ways in cells) <= 4000)
    for chosen in itertools.product(*([None, *ways] for _, ways in cells)):
        groups = grouped(zip(cells.items(), chosen, strict=True), job)
        if groups is not None:
            yield groups


def grouped(chosen, job):
    """Groups of an assignment; None if one is too small or shows what is forbidden."""
    members, many = defaultdict(dict), []
    for ((city, _), alike), route in chosen:
        if route is None:
            continue
        many += alike
        strand = f"{route.kind} {route.claim} {route.top.protection}"
        if route.tier:
            members[job.region, strand, route.tier.company][city] = route.tier
        for one in alike:
            members[city if route.tier else job.region, strand, route.source.company][one.source] = route.source
    groups = [
        Group(tier, tuple(sorted(inside.items())), strand)
        for (tier, strand, _), inside in sorted(members.items(), key=lambda item: (item[0][0] == job.region, item[0]))
    ]
    if not groups or any(len(group.members) < PROTECTIONS[group.protection].minimum for group in groups):
        return None
    try:
        permit(many, exposures(groups, l2=job.l2, length=job.length))
    except Refusal:
        return None
    return groups


SUMS = requirement("nobody", "tier", "region", "clear", "masked", *NOISES, epsilon=0.5)
APART = [
    Supplier("h00", "north", 1, requirement("nobody", "nobody", "region", "masked", epsilon=0.5)),
    Supplier("h10", "north", 1, SUMS),
    *(Supplier(f"h2{turn}", "south", 1, SUMS) for turn in range(4)),
]
"""Four of one kind do best in their tier's sum, the fifth alone: what all five can do alike is noisier."""


@settings(deadline=None, derandomize=True, max_examples=80)
@example(APART)
@given(suppliers(3))
def test_no_assignment_of_mechanisms_is_better(many):
    best = [score(groups, many) for groups in everything(many)]
    if not best:
        with pytest.raises(Refusal, match="E-PLAN-NOBODY"):
            planned(many)
        return
    ours = score(planned(many).groups, many)
    assert not any(worse(ours, other) for other in best)


def test_tiers_and_single_sources_add_shares_together():
    """A tier that is trusted with its sum counts as one: three shares stand in the sum, where five would be noise."""
    three = [Supplier(f"h{n}", "north", 100, CLINICAL_SHARES) for n in range(3)]
    others = [Supplier("x", "south", 50, SILENT), Supplier("y", None, 50, SILENT)]
    found = planned([*three, *others])
    assert not found.refused
    assert [(group.tier, group.members) for group in found.groups] == [
        ("north", ("h0", "h1", "h2")), ("east", ("north", "x", "y")),
    ]  # fmt: skip


def test_a_tier_speaks_though_others_of_its_sources_pass_it_by():
    """In one strand, one speaks to its tier and two to the region: the tier's sum is the third under masks."""
    passing = requirement("nobody", "nobody", "region", "masked", "discrete_gaussian", epsilon=0.5, delta=1e-7)
    two = [Supplier(f"x{n}", "north", 50, passing) for n in range(2)]
    found = planned([Supplier("h", "north", 100, OWN_NOISE_OR_MASKS), *two])
    assert {name for group in found.groups if group.tier == "east" for name in group.members} >= {"x0", "x1"}
    for group in found.groups:
        assert len(group.members) >= PROTECTIONS[group.protection].minimum


def test_the_sum_of_a_tier_with_one_source_is_that_sources_own():
    """Its statistic may be seen by its tier, and a sum by the region: alone in its tier it is in no sum."""
    rule = requirement("tier", "region", "region", "clear")
    alone, company = Supplier("h0", "north", 100, rule), Supplier("h1", "north", 100, rule)
    other = Supplier("x", "south", 100, INSURANCE)
    assert set(planned([alone, other]).refused) == {"h0"}
    assert not planned([alone, company, other]).refused


def test_without_its_guards_a_plan_shows_what_may_not_be_seen(monkeypatch):
    rule = requirement("tier", "region", "region", "clear")
    many = [Supplier("h0", "north", 100, rule), Supplier("x", "south", 100, INSURANCE)]
    monkeypatch.setattr(arranging, "objection", lambda *_, **__: None)
    with pytest.raises(Refusal, match="E-REQUIRE-VIEWER"):
        planned(many)
    monkeypatch.setattr(planning, "require_permitted", lambda *_: None)
    with pytest.raises(Refusal, match="E-REQUIRE-VIEWER"):
        permit(many, planned(many).exposures)


def test_a_group_too_small_for_its_tier_is_not_lifted_with_its_exact_sum():
    """Two hospitals of which the region may see noise alone: they join at the region with shares, or not at all."""
    small = [Supplier(f"s{n}", "south", 100, CLINICAL) for n in range(2)]
    large = [Supplier(f"n{n}", "north", 100, CLINICAL) for n in range(4)]
    found = planned([*small, *large])
    assert not found.refused
    for many in found.exposures.values():
        assert "skellam" in kinds(many[-1].event)
    quiet = replace(JOB, l2=None)
    with pytest.raises(Refusal, match="E-PLAN-NOBODY"):
        planned([*small, *large], job=quiet)


def test_noise_of_the_region_stands_once():
    """Shares of three tiers, against noise of each of the nine sources: three times less."""
    many = [Supplier(f"h{n}", f"c{n % 3}", 100, CLINICAL) for n in range(9)]
    ((strand, deviation),) = planned(many).expected.deviations.items()
    own = SharedNoise.sized(0.5, 1e-7, members=3, l2=JOB.l2, length=JOB.length)
    assert strand.startswith("pooled")
    assert deviation == pytest.approx(own.deviation)


def test_what_nobody_needs_to_see_is_not_shown():
    """All may be seen openly; but they are enough to hide in their sum, which costs no noise."""
    found = planned([Supplier(f"h{n}", "north", 100, INSURANCE) for n in range(4)])
    assert {one.shown for many in found.exposures.values() for one in many} == {"sum"}


def test_names_must_be_one_of_a_kind():
    for many in ([Supplier("h", "h", 1, INSURANCE)], [Supplier("h", None, 1, INSURANCE)] * 2):
        with pytest.raises(Refusal, match="E-TREE-NAMES"):
            planned(many)


def test_without_anybody_there_is_no_plan():
    for many in ([], [Supplier("h", "north", 1, SHUT)]):
        with pytest.raises(Refusal, match="E-PLAN-NOBODY"):
            planned(many)


# What holds of every plan.


@settings(deadline=None, derandomize=True, max_examples=60)
@given(suppliers(5), st.data())
def test_whatever_tier_is_lost_nothing_is_shown_that_may_not_be_and_nobody_is_lost_needlessly(many, data):
    try:
        whole = planned(many)
    except Refusal:
        return
    tiers = [tier.name for tier in whole.tree.root.walk() if tier.name != JOB.region]
    if not tiers:
        return
    lost = data.draw(st.sampled_from(tiers))
    try:
        left = planned(many, lost=[lost])
    except Refusal as refusal:
        assert refusal.code == "E-PLAN-NOBODY"  # noqa: PT017
        return
    permit(many, exposures(left.groups, l2=JOB.l2, length=JOB.length))
    assert lost not in {name for group in left.groups for name in (group.tier, *group.members)}
    moved = [Supplier(one.source, one.city if one.city != lost else None, one.records, one.requirement) for one in many]
    assert set(left.refused) == set(planned(moved).refused)
    assert planned(many, lost=[lost, "nowhere"]).groups == left.groups


@settings(deadline=None, derandomize=True, max_examples=60)
@given(suppliers(5), st.randoms(use_true_random=False))
def test_a_plan_shows_what_is_permitted_of_everybody_once_and_does_not_depend_on_order(many, random):
    try:
        found = planned(many)
    except Refusal:
        return
    seen = exposures(found.groups, l2=JOB.l2, length=JOB.length)
    permit(many, seen)
    assert found.exposures == seen
    for group in found.groups:
        assert len(group.members) >= PROTECTIONS[group.protection].minimum
    upwards = {group.tier for group in found.groups} - {JOB.region}
    assert upwards == {name for group in found.groups for name in group.members} - {one.source for one in many}
    spoken = [name for group in found.groups for name in group.members if name in {one.source for one in many}]
    assert sorted(spoken) == sorted(found.reasons)
    assert sorted([*found.refused, *found.reasons]) == sorted(one.source for one in many)
    assert {name for tier in found.tree.root.walk() for name in tier.sources} == set(found.reasons)
    for one in many:
        if one.source in found.epsilon and found.epsilon[one.source] < math.inf:
            assert found.epsilon[one.source] <= one.requirement.purposes["aggregation"].release * (1 + 1e-9)
    random.shuffle(many)
    again = planned(many)
    assert again.groups == found.groups
    assert again.digest == found.digest


@settings(deadline=None, derandomize=True, max_examples=60)
@given(suppliers(5))
def test_whoever_can_join_without_noise_does_so_whoever_else_asks_for_noise(many):
    """A plan of noise and a plan without any have the same sources in their exact sums."""
    exact = joined(many, job=replace(JOB, l2=None))
    found = joined(many)
    assert {source for source, epsilon in found.items() if epsilon == math.inf} == set(exact)


def joined(many, *, job=JOB):
    """What a round costs each source that joins."""
    try:
        return planned(many, job=job).epsilon
    except Refusal:
        return {}


def test_a_strict_source_drags_nobody_into_its_noise():
    """It needs two companions for shares; two who may be seen openly are none, and pay nothing for it."""
    open_ = [Supplier(f"h{n}", "north", 10_000, INSURANCE) for n in range(2)]
    found = planned([*open_, Supplier("strict", "north", 10, CLINICAL_SHARES)])
    assert found.groups == planned(open_).groups
    assert set(found.epsilon.values()) == {math.inf}
    assert "takes more companions" in found.refused["strict"].en
    alone = planned([*open_, Supplier("strict", "north", 10, OWN_NOISE)])
    assert not alone.refused
    assert alone.epsilon["h0"] == alone.epsilon["h1"] == math.inf
    assert 0.4 < alone.epsilon["strict"] <= 0.5


def test_without_being_spared_exact_sources_are_dragged_into_noise(monkeypatch):
    monkeypatch.setattr(arranging.Weighing, "sparing", lambda self: self)
    many = [Supplier(f"h{n}", "north", 10_000, INSURANCE) for n in range(2)]
    assert planned([*many, Supplier("strict", "north", 10, CLINICAL_SHARES)]).epsilon["h0"] < math.inf


def test_the_reason_told_for_noise_is_what_stands_against_every_way_without():
    """Nobody may see a statistic, all may see sums: two are too few for masks, which is all that stands against it."""
    rule = requirement("nobody", "region", "region", "clear", "masked", "discrete_gaussian")
    few = planned([Supplier(f"h{n}", "north", 100, rule) for n in range(2)])
    assert all(why.en.endswith("whatever else it permits takes more companions.") for why in few.reasons.values())
    strict = planned([Supplier("h", "north", 100, OWN_NOISE)])
    assert "a sum with others may not be seen" in strict.reasons["h"].en


def test_noise_that_cannot_be_drawn_is_the_reason_where_it_is():
    many = [Supplier("fine", "north", 9, INSURANCE), Supplier("h", "north", 9, OWN_NOISE)]
    assert "beyond the numbers of the grid" in planned(many, job=replace(JOB, l2=1e13)).refused["h"].en


@settings(deadline=None, derandomize=True, max_examples=60)
@given(suppliers(4), st.data())
def test_a_further_permission_never_costs_who_gives_it(many, data):
    before = joined(many)
    place = data.draw(st.integers(0, len(many) - 1))
    rule = many[place].requirement
    shown = data.draw(st.sampled_from(["statistic", "sum", "noisy"]))
    wider = replace(rule, sees={**rule.sees, shown: "region"}, mechanisms=rule.mechanisms | {"masked"})
    # Everybody who says the same is asked again, for those who are alike are treated alike.
    free = [replace(one, requirement=wider) if one.requirement == rule else one for one in many]
    after = joined(free)
    assert sum(one == math.inf for one in after.values()) >= sum(one == math.inf for one in before.values())
    assert {one.source for one in free if one.requirement is wider and one.source in before} <= set(after)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(suppliers(4), st.sampled_from([0.0, 1e3]))
def test_cheaper_is_never_chosen_over_less_noise(many, dear):
    """Whatever seconds and bytes cost, as many are kept, with as little noise."""
    other = Costs(second=dear, byte=dear, sight=0.0, past=0.0)
    try:
        usual, odd = planned(many), planned(many, costs=other)
    except Refusal:
        return
    assert score(usual.groups, many)[:4] == pytest.approx(score(odd.groups, many)[:4])


# What is foreseen is what happens.


@settings(deadline=None, derandomize=True, max_examples=30)
@given(suppliers(5), st.sampled_from([Span(-500, 500), None]))
def test_bytes_and_noise_are_those_that_a_round_then_has(many, span):
    job = replace(JOB, span=span)
    try:
        found = planned(many, job=job)
    except Refusal:
        return
    rng = np.random.default_rng(1)
    said = {
        source: Statistic("counts", (64,), rng.integers(-500, 500, 64, endpoint=True).view(np.uint64))
        for source in found.reasons
    }
    joined = aggregate(found.groups, said, round_id="r", entropy=seeded_entropy(1), span=span, l2=job.l2)
    assert found.expected.bytes_sent == joined.bytes_sent
    assert found.expected.bytes_told == joined.bytes_told
    assert found.expected.deviations == pytest.approx({strand: part.deviation for strand, part in joined.parts.items()})
