"""A plan: who joins whom by which mechanism, why, and what it will take.

Deterministic: the same suppliers, links and costs give the same plan, in whatever order they are told.
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from headwater.aggregation.exposure import Exposure, exposures
from headwater.aggregation.grouping import Group
from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.arranging import Arrangement, Cell, Weighing, arrange
from headwater.aggregation.planning.costs import Costs, Link
from headwater.aggregation.planning.expecting import Toll, epsilon_of, expect
from headwater.aggregation.planning.fanning import fanned
from headwater.aggregation.planning.foresight import Job, drawn
from headwater.aggregation.planning.reasoning import NO_COMPANY, NO_ROOM, against, because, climb, counted, sentence
from headwater.aggregation.planning.routes import Claim, Route, claim_of, objection, routes
from headwater.aggregation.topology import Tier, Tree
from headwater.errors import Message, Refusal
from headwater.security.events import to_json
from headwater.security.requirement import Release, Requirement
from headwater.types import SourceId

__all__ = ["Plan", "Supplier", "plan", "require_names", "require_permitted"]


@dataclass(frozen=True)
class Supplier:
    """A source that may be asked.

    Parameters
    ----------
    city : its tier; None where it has none
    records : public
    """

    source: SourceId
    city: str | None
    records: int
    requirement: Requirement


@dataclass(frozen=True)
class Plan:
    """How sources are joined for one job.

    Parameters
    ----------
    groups : lowest tiers first, as ``aggregate`` takes them
    refused : sources that nothing permits, each with the reason
    reasons : of every other source, how it climbs and why so
    epsilon : what a round costs each of those at its requirement's δ; ∞ for a sum without noise
    exposures : who sees what of them, each permitted by their requirements
    suppliers, links, costs, lost : from what it was made, so that fewer can be planned for alike
    """

    job: Job
    groups: tuple[Group, ...]
    refused: Mapping[SourceId, Message]
    reasons: Mapping[SourceId, Message]
    expected: Toll
    epsilon: Mapping[SourceId, float]
    exposures: Mapping[SourceId, tuple[Exposure, ...]]
    suppliers: tuple[Supplier, ...] = field(repr=False)
    links: Mapping[str, Link] = field(repr=False)
    costs: Costs = field(repr=False)
    lost: frozenset[str] = frozenset()

    @cached_property
    def tree(self) -> Tree:
        """Every node under the lowest that it speaks to, a source at least under its city, which it may pass by."""
        planned = [one for one in self.suppliers if one.source in self.reasons]
        above = {one.source: tier for one in planned if (tier := _tier_of(one, self.lost))}
        above |= dict.fromkeys(above.values(), self.job.region)
        for group in self.groups:
            for name in group.members:
                if group.tier != self.job.region or name not in above:
                    above[name] = group.tier
        inside: dict[str, list[str]] = defaultdict(list)
        for name, tier in above.items():
            inside[tier].append(name)
        return Tree(_tier(self.job.region, inside))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ``to_dict`` as canonical JSON."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return what was decided as JSON-safe values; ``null`` for an ε without end."""
        job, expected = self.job, self.expected
        return {
            "job": {
                "region": job.region,
                "purpose": job.purpose,
                "length": job.length,
                "span": job.span and [job.span.low, job.span.high],
                "l2": job.l2,
                "holder": job.holder,
            },
            "groups": [_plain(group) for group in self.groups],
            "refused": {source: [why.zh, why.en] for source, why in self.refused.items()},
            "reasons": {source: [why.zh, why.en] for source, why in self.reasons.items()},
            "expected": {
                "bytes_sent": dict(expected.bytes_sent),
                "bytes_told": dict(expected.bytes_told),
                "computing": {name: _told(seconds) for name, seconds in expected.computing.items()},
                "seconds": _told(expected.seconds),
                "deviations": {strand: _told(deviation) for strand, deviation in expected.deviations.items()},
                "weight": _told(expected.weight),
            },
            "epsilon": {source: _told(epsilon) for source, epsilon in self.epsilon.items()},
            "exposures": {source: [_seen(one) for one in many] for source, many in self.exposures.items()},
            "requirements": {one.source: one.requirement.version for one in self.suppliers},
            "lost": sorted(self.lost),
        }


def plan(
    suppliers: Sequence[Supplier],
    links: Mapping[str, Link],
    costs: Costs,
    *,
    job: Job,
    lost: Collection[str] = (),
) -> Plan:
    """Return the plan that keeps most sources, with least noise, at the least price.

    Whoever can be joined without noise is: sources that cannot find companions among themselves alone.

    Parameters
    ----------
    suppliers : each source once
    links : of sources, cities and the region; others have ``costs.link``
    lost : tiers that are not there: their sources speak to the region

    Raises
    ------
    Refusal
        ``E-PLAN-NOBODY`` when nothing permits any source, ``E-TREE-NAMES`` for a name that stands twice
    """
    ordered, away = tuple(sorted(suppliers, key=lambda one: one.source)), frozenset(lost)
    require_names(ordered, job.region)
    banned: frozenset[Mechanism] = frozenset()
    while True:
        offered, hopeless = _weighing(ordered, away, banned, (links, costs, job))
        weighing = offered.sparing()
        arrangement = arrange(weighing)
        groups = _groups(weighing, arrangement)
        beyond = _undrawable(groups, job)
        if not beyond:
            break
        banned |= beyond
    if not groups:
        raise _nobody(job.purpose, _refused(weighing, arrangement, hopeless))
    return _plan(weighing, arrangement, groups, hopeless, (ordered, away))


def _weighing(
    ordered: Sequence[Supplier],
    lost: frozenset[str],
    banned: frozenset[Mechanism],
    given: tuple[Mapping[str, Link], Costs, Job],
) -> tuple[Weighing, dict[SourceId, Message]]:
    """Return the cells to be arranged, and why the other sources cannot be in any."""
    links, costs, job = given
    claims = {one.source: claim_of(one.requirement, job.purpose) for one in ordered}
    ways: dict[object, tuple[Route, ...]] = {}
    inside: dict[tuple[str, tuple[Route, ...]], list[Supplier]] = defaultdict(list)
    hopeless = {}
    for one in ordered:
        says = _says(one.requirement, one.source, job.purpose), _tier_of(one, lost)
        if says not in ways:
            known = frozenset(claim for claim in claims.values() if claim)
            ways[says] = tuple(_permitted(one, known, lost, banned, job))
        if ways[says]:
            inside[says[1] or "", ways[says]].append(one)
        else:
            hopeless[one.source] = _why_not(one, lost, job, banned)
    cells = [
        Cell(
            tier or None,
            tuple(one.source for one in alike),
            sum(one.records for one in alike),
            _slowest([links.get(one.source, costs.link) for one in alike]),
            alike[0].requirement,
            options,
        )
        for (tier, options), alike in sorted(inside.items(), key=lambda item: (item[0][0], item[1][0].source))
    ]
    return Weighing(cells, job, costs, links, lost), hopeless


def _says(requirement: Requirement, source: SourceId, purpose: str) -> tuple[object, ...]:
    """Return all that a plan has to know of a requirement."""
    sees = tuple(sorted(requirement.sees.items()))
    return claim_of(requirement, purpose), sees, requirement.mechanisms, requirement.covers(source)


def _permitted(
    one: Supplier, claims: frozenset[Claim], lost: frozenset[str], banned: frozenset[Mechanism], job: Job
) -> list[Route]:
    """Return the routes that a source's requirement permits, by themselves."""
    own = claim_of(one.requirement, job.purpose)
    if own is None:
        return []
    return [
        route
        for route in routes(own, claims, travel=job.travel)
        if (route.tier is None or _tier_of(one, lost))
        and (job.l2 or route.claim is None)
        and not {route.source, route.top} & banned
        and objection(route, one.requirement, one.source, job.purpose, alone=False) is None
    ]


def _why_not(one: Supplier, lost: frozenset[str], job: Job, banned: frozenset[Mechanism]) -> Message:
    """Return why nothing is permitted: what stands against the route that shows least, or the grid."""
    own = claim_of(one.requirement, job.purpose) or Claim(1.0, 1e-6)
    if banned and _permitted(one, frozenset({own}), lost, frozenset(), job):
        return NO_ROOM
    ways = [way for way in routes(own, [own], travel=["masked"]) if (job.l2 or way.claim is None)]
    why = against([way for way in ways if way.tier is None or _tier_of(one, lost)], one.requirement, one.source, job)
    return sentence(why)


def _groups(weighing: Weighing, arrangement: Arrangement) -> tuple[Group, ...]:
    """Return the groups with the names of their members, each in the order in which a strand's crowds stand."""
    region, fans = weighing.job.region, weighing.fans(arrangement)
    without = weighing.lost(arrangement, weighing.knots(arrangement).values())
    routes = {at: route for at, route in enumerate(weighing.routes(arrangement)) if route and at not in without}
    members: dict[tuple[str, str, Mechanism], list[tuple[str, Mechanism]]] = defaultdict(list)
    speaking = {
        (cell.tier, route.strand): route.tier for cell, route in _going(weighing, routes) if cell.tier and route.tier
    }
    for (tier, strand), mechanism in sorted(speaking.items(), key=lambda item: item[0]):
        members[region, strand, mechanism.company].append((tier, mechanism))
    for cell, route in _going(weighing, routes):
        here = cell.tier if route.tier and cell.tier else region
        members[here, route.strand, route.source.company] += [(source, route.source) for source in cell.sources]
    made: list[Group] = []
    for tier, strand, company in sorted(members, key=lambda key: (key[0] == region, *key)):
        group = Group(tier, tuple(members[tier, strand, company]), strand)
        made += fanned(group, fans.get((tier, strand, company), ()))
    return tuple(made)


def _going(weighing: Weighing, routes: Mapping[int, Route]) -> list[tuple[Cell, Route]]:
    return [(weighing.cells[place], route) for place, route in routes.items()]


def _undrawable(groups: Sequence[Group], job: Job) -> frozenset[Mechanism]:
    """Return mechanisms whose noise cannot be drawn on this grid."""
    found = set()
    for group in groups:
        for mechanism in {mechanism for _, mechanism in group.mechanisms}:
            try:
                drawn(mechanism, len(group.members), job)
            except Refusal:
                found.add(mechanism)
    return frozenset(found)


def _plan(
    weighing: Weighing,
    arrangement: Arrangement,
    groups: tuple[Group, ...],
    hopeless: Mapping[SourceId, Message],
    given: tuple[tuple[Supplier, ...], frozenset[str]],
) -> Plan:
    (ordered, lost), job = given, weighing.job
    seen = exposures(groups, l2=job.l2, length=job.length)
    require_permitted(seen, ordered, job)
    rules = {one.source: one.requirement for one in ordered}
    reasons = {
        source: _reason(rules[source], cell.tier, route, source, job)
        for cell, route in zip(weighing.cells, weighing.routes(arrangement), strict=True)
        for source in cell.sources
        if route and source in seen
    }
    records = {one.source: one.records for one in ordered}
    deltas = {one.source: one.requirement.delta for one in ordered}
    return Plan(
        job=job,
        groups=groups,
        refused=_refused(weighing, arrangement, hopeless),
        reasons=dict(sorted(reasons.items())),
        expected=expect(groups, records, job=job, costs=weighing.costs, links=weighing.links),
        epsilon={source: epsilon_of(many[-1].event, deltas[source]) for source, many in sorted(seen.items())},
        exposures=dict(sorted(seen.items())),
        suppliers=ordered,
        links=weighing.links,
        costs=weighing.costs,
        lost=lost,
    )


def _refused(
    weighing: Weighing, arrangement: Arrangement, hopeless: Mapping[SourceId, Message]
) -> dict[SourceId, Message]:
    """Return why each source is refused that is: nothing is permitted, or what is cannot be had."""
    lost = weighing.lost(arrangement, weighing.knots(arrangement).values())
    why = {at: NO_ROOM if at in weighing.unplayable else NO_COMPANY for at in lost}
    return dict(sorted({**hopeless, **{one: why[at] for at in lost for one in weighing.cells[at].sources}}.items()))


def _reason(requirement: Requirement, tier: str | None, route: Route, source: SourceId, job: Job) -> Message:
    """Return how a source climbs, and what stands against every way without noise."""
    how = climb(route, tier or "", job.region)
    if route.kind == "exact":
        return because(how, None)
    ways = [way for way in routes(Claim(1.0, 1e-6), (), travel=job.travel) if way.claim is None]
    return because(how, against([way for way in ways if way.tier is None or tier], requirement, source, job))


def require_permitted(seen: Mapping[SourceId, Sequence[Exposure]], ordered: Sequence[Supplier], job: Job) -> None:
    """Hold what the groups really show against every requirement: a plan that shows more is no plan."""
    requirements = {one.source: one.requirement for one in ordered}
    for source, many in seen.items():
        for one in many:
            requirements[source].permit(
                Release("", source, job.purpose, one.event, tier=one.viewer, shown=one.shown, protection=one.protection)
            )


def _tier(name: str, inside: Mapping[str, Sequence[str]]) -> Tier:
    below = sorted(inside[name])
    return Tier(
        name,
        tuple(one for one in below if one not in inside),
        tuple(_tier(one, inside) for one in below if one in inside),
    )


def _tier_of(one: Supplier, lost: frozenset[str]) -> str | None:
    return None if one.city in lost else one.city


def _slowest(links: Sequence[Link]) -> Link:
    return Link(min(link.bytes_per_second for link in links), max(link.seconds for link in links))


def _plain(group: Group) -> dict[str, Any]:
    return {
        "tier": group.tier,
        "strand": group.strand,
        "mechanisms": {
            name: [one.protection, one.noise, _told(one.epsilon), one.delta] for name, one in group.mechanisms
        },
    }


def _seen(one: Exposure) -> dict[str, Any]:
    said = {"tier": one.tier, "viewer": one.viewer, "shown": one.shown, "protection": one.protection}
    return said | {"event": json.loads(to_json(one.event))}


def _told(value: float) -> float | None:
    """Return a number as digests have it: to nine digits, so that the last bits of another machine do not matter."""
    return None if math.isinf(value) else float(f"{value:.9g}")


def require_names(ordered: Sequence[Supplier], region: str) -> None:
    """Refuse names that stand twice, as a tree does."""
    if ordered:
        cities = sorted({one.city for one in ordered if one.city})
        Tree(Tier(region, tuple(one.source for one in ordered), tuple(Tier(city) for city in cities)))


def _nobody(purpose: str, refused: Mapping[SourceId, Message]) -> Refusal:
    why = counted(refused)
    zh, en = why.zh or "没有来源。", why.en or "There is none."
    return Refusal(
        "E-PLAN-NOBODY",
        Message(f"没有来源可用于“{purpose}”。{zh}", f"No source can be joined for {purpose!r}. {en}"),
        Message("请增加来源，或与来源商定其要求。", "Add sources, or agree on requirements with them."),
    )
