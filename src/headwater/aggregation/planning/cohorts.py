"""A plan whose sums can be judged: every source speaks to the region itself, under masks, in several cohorts.

No route is chosen and no noise is added: whoever does not permit that the region sees a sum in which it stands is left
out. Sources whose own statistic the region, or their tier, may see are not mixed with those who hide it: in one cohort
the others would hide among fewer than its members.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from headwater.aggregation.exposure import exposures
from headwater.aggregation.grouping import Group
from headwater.aggregation.mechanism import UNDER_MASKS
from headwater.aggregation.planning.costs import Costs, Link
from headwater.aggregation.planning.expecting import expect
from headwater.aggregation.planning.foresight import Job
from headwater.aggregation.planning.planner import Plan, Supplier, require_names, require_permitted
from headwater.aggregation.planning.reasoning import COHORT, counted, sentence
from headwater.aggregation.planning.routes import Route, objection
from headwater.errors import Message, Refusal
from headwater.federation.division import FLOOR, crossed, division, named_cohorts
from headwater.types import SourceId

__all__ = ["in_cohorts", "partitions"]

_FEWEST = 2 * FLOOR


def in_cohorts(
    suppliers: Sequence[Supplier],
    links: Mapping[str, Link],
    costs: Costs,
    *,
    job: Job,
    lost: Collection[str] = (),
) -> Plan:
    """Return the plan of sums that ``robust.judged`` goes by: a strand a cohort, partitions first.

    Who is in which cohort follows from the names of those who permit it, and from nothing else (``division.crossed``).

    Parameters
    ----------
    suppliers, links, lost : as ``plan`` takes them

    Raises
    ------
    Refusal
        ``E-COHORT-FEW`` where fewer than ten sources can hide among each other, with what stands against the others;
        ``E-TREE-NAMES`` for a name that stands twice
    """
    ordered = tuple(sorted(suppliers, key=lambda one: one.source))
    require_names(ordered, job.region)
    circles, refused = _circles(ordered, job)
    if not circles:
        raise _few(len(ordered), refused)
    groups = _groups(circles, job.region)
    seen = exposures(groups, l2=job.l2, length=job.length)
    require_permitted(seen, ordered, job)
    records = {one.source: one.records for one in ordered}
    # Sums of cohorts tell of the same records several times.
    worth = float(sum(records[source] for source in seen))
    return Plan(
        job=job,
        groups=groups,
        refused=refused,
        reasons=_reasons(groups, job.region),
        expected=replace(expect(groups, records, job=job, costs=costs, links=links), weight=worth),
        epsilon=dict.fromkeys(sorted(seen), math.inf),
        exposures=dict(sorted(seen.items())),
        suppliers=ordered,
        links=links,
        costs=costs,
        lost=frozenset(lost),
    )


def partitions(groups: Sequence[Group]) -> tuple[int, ...]:
    """Return of how many cohorts each of the first partitions is: whole ones, that hold everybody once.

    >>> members = lambda names: tuple((name, UNDER_MASKS) for name in names)
    >>> partitions([Group("east", members(names)) for names in ("ab", "cd", "ac", "bd", "ad")])
    (2, 2)
    """
    everyone = {name for group in groups for name in group.members}
    found: list[int] = []
    seen: set[SourceId] = set()
    start = 0
    for place, group in enumerate(groups):
        if seen & set(group.members):
            break
        seen |= set(group.members)
        if seen == everyone:
            found.append(place + 1 - start)
            seen, start = set(), place + 1
    return tuple(found)


def _circles(ordered: Sequence[Supplier], job: Job) -> tuple[list[tuple[SourceId, ...]], dict[SourceId, Message]]:
    """Return those who can hide among each other, by who may see their own statistic; and why the others cannot."""
    refused: dict[SourceId, Message] = {}
    alike: dict[str, list[SourceId]] = defaultdict(list)
    for one in ordered:
        against = objection(Route(UNDER_MASKS), one.requirement, one.source, job.purpose, alone=False)
        if against is None:
            alike[one.requirement.sees["statistic"]].append(one.source)
        else:
            refused[one.source] = sentence(against.why)
    for inside in alike.values():
        if len(inside) < _FEWEST:
            refused |= dict.fromkeys(inside, _lonely(len(inside)))
    circles = [tuple(inside) for _, inside in sorted(alike.items()) if len(inside) >= _FEWEST]
    return circles, dict(sorted(refused.items()))


def _groups(circles: Sequence[tuple[SourceId, ...]], region: str) -> tuple[Group, ...]:
    """Return the cohorts: the partitions that all circles have, side by side, and then whatever else there is."""
    whole = min(len(division(circle)) for circle in circles)
    first: list[list[tuple[SourceId, ...]]] = [[] for _ in range(whole)]
    further: list[tuple[SourceId, ...]] = []
    for circle in circles:
        cohorts = list(named_cohorts(circle, crossed(circle)))
        for partition, masks in zip(first, division(circle), strict=False):
            partition += cohorts[: len(masks)]
            del cohorts[: len(masks)]
        further += cohorts
    return tuple(
        Group(region, tuple((name, UNDER_MASKS) for name in members), f"{COHORT} {place + 1:03d} masked")
        for place, members in enumerate([*(one for partition in first for one in partition), *further])
    )


def _reasons(groups: Sequence[Group], region: str) -> dict[SourceId, Message]:
    counts = Counter(name for group in groups for name in group.members)
    return {
        source: Message(
            f"掩码送至 {region}，不加噪，站在 {count} 个和数中，每个至少 {FLOOR} 个来源；各和数将受评判。",
            f"Under masks to {region}, without noise, in {count} sums of {FLOOR} sources or more, which are judged.",
        )
        for source, count in sorted(counts.items())
    }


def _lonely(count: int) -> Message:
    return Message(
        f"自身统计量可见范围相同的来源只有 {count} 个，少于分组求和所需的 {_FEWEST} 个。",
        f"Only {count} of the {_FEWEST} that cohorts take show their own statistic to the same circle as it does.",
    )


def _few(sources: int, refused: Mapping[SourceId, Message]) -> Refusal:
    why = counted(refused)
    return Refusal(
        "E-COHORT-FEW",
        Message(
            f"{sources} 个来源中没有 {_FEWEST} 个可以分组求和。{why.zh}",
            f"Of {sources} sources no {_FEWEST} can hide in cohorts. {why.en}".strip(),
        ),
        Message(
            "请选用更多来源（headwater value --budget），或改用 judged 以外的保护方式。",
            "Choose more sources (headwater value --budget), or wish for something else than judged.",
        ),
    )
