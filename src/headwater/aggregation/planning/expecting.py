"""What a plan's groups will take, by name: bytes and seconds of every node, noise of every strand."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwater.aggregation.grouping import Group
from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.costs import Costs, Link
from headwater.aggregation.planning.foresight import Crowd, Gathering, Job, drawn, foresee
from headwater.security.divergence import epsilon_at, gaussian, skellam
from headwater.security.events import DiscreteGaussian, Event, Skellam
from headwater.types import SourceId

__all__ = ["Toll", "epsilon_of", "expect", "gathering_of"]


@dataclass(frozen=True)
class Toll:
    """What a round in which nobody is lost will take.

    Parameters
    ----------
    bytes_sent, bytes_told : by source and tier, as ``Aggregation`` counts them
    computing : seconds of one core, by source and tier
    seconds : until the region has its sum, lines included
    deviations : standard deviation of the noise in every value, in steps of the grid, by strand
    weight : of how many records without noise the sums are worth (``Outlook.weight``)
    """

    bytes_sent: Mapping[str, int]
    bytes_told: Mapping[str, int]
    computing: Mapping[str, float]
    seconds: float
    deviations: Mapping[str, float]
    weight: float


def expect(
    groups: Sequence[Group], records: Mapping[SourceId, int], *, job: Job, costs: Costs, links: Mapping[str, Link]
) -> Toll:
    """Return what the groups will take; ``records`` of every source in them."""
    seen = foresee(
        [gathering_of(group, records, costs, links) for group in groups], job=job, costs=costs, measure=drawn
    )
    sent: Counter[str] = Counter()
    told: Counter[str] = Counter()
    computing: dict[str, float] = defaultdict(float)
    for group, bill in zip(groups, seen.bills, strict=True):
        computing[group.tier] += bill.tier
        for name in group.members:
            sent[name] += bill.sent
            told[name] += bill.told
            computing[name] += bill.member
    return Toll(
        dict(sorted(sent.items())),
        dict(sorted(told.items())),
        dict(sorted(computing.items())),
        seen.seconds(job.region),
        {strand: math.sqrt(state.variance) for strand, state in sorted(seen.strands.items())},
        seen.weight(job),
    )


def gathering_of(group: Group, records: Mapping[SourceId, int], costs: Costs, links: Mapping[str, Link]) -> Gathering:
    """Return a group with members that are alike counted; ``records`` of every source."""
    alike: dict[tuple[str | None, Mechanism, Link], list[int]] = defaultdict(list)
    for name, mechanism in group.mechanisms:
        kind = None if name in records else name
        alike[kind, mechanism, links.get(name, costs.link)].append(records.get(name, 0))
    crowds = tuple(
        Crowd(kind, mechanism, len(inside), link, sum(inside) / len(inside))
        for (kind, mechanism, link), inside in alike.items()
    )
    return Gathering(group.tier, group.strand, crowds, links.get(group.tier, costs.link))


def epsilon_of(event: Event, delta: float) -> float:
    """Return what one release costs at δ, as the ledger counts it; ∞ without noise."""
    if isinstance(event, DiscreteGaussian):
        return epsilon_at(gaussian(event.noise, l2=1.0), delta)
    if isinstance(event, Skellam):
        return epsilon_at(skellam(math.sqrt(event.variance), l2=event.l2, l1=event.l1), delta)
    return math.inf
