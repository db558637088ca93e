"""A plan as people read it: what climbs where by which mechanism, and why; members that are alike stand together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.planner import Plan
from headwater.errors import Message

__all__ = ["Edge", "Why", "edges", "named", "whys"]

_NAMED = 6


@dataclass(frozen=True)
class Edge:
    """Members of one group whose messages leave them alike.

    Parameters
    ----------
    depth : of the tier under the region
    """

    tier: str
    depth: int
    names: tuple[str, ...]
    mechanism: Mechanism
    strand: str


@dataclass(frozen=True)
class Why:
    """Sources of which the same is said; ``joins`` tells whether they are in the plan."""

    names: tuple[str, ...]
    reason: Message
    joins: bool


def edges(plan: Plan) -> Iterator[Edge]:
    """Yield the edges, from the region down."""
    depths = _depths(plan)
    order = sorted(plan.groups, key=lambda group: (_path(plan, group.tier), group.strand))
    for group in order:
        alike: dict[Mechanism, list[str]] = defaultdict(list)
        for name, mechanism in group.mechanisms:
            alike[mechanism].append(name)
        for mechanism, names in sorted(alike.items()):
            yield Edge(group.tier, depths[group.tier], tuple(names), mechanism, group.strand)


def whys(plan: Plan) -> Iterator[Why]:
    """Yield the reasons, those of most sources first; refusals last."""
    for said, joins in ((plan.reasons, True), (plan.refused, False)):
        alike: dict[Message, list[str]] = defaultdict(list)
        for source, reason in said.items():
            alike[reason].append(source)
        for reason, names in sorted(alike.items(), key=lambda item: (-len(item[1]), item[1])):
            yield Why(tuple(names), reason, joins)


def named(names: Sequence[str]) -> str:
    """Return names for one line.

    >>> named(["a", "b"]), named([str(place) for place in range(9)])
    ('a, b', '0, 1, 2, 3, 4, 5 … (9)')
    """
    listed = ", ".join(names[:_NAMED])
    return listed if len(names) <= _NAMED else f"{listed} … ({len(names)})"


def _depths(plan: Plan) -> dict[str, int]:
    return {tier.name: len(_path(plan, tier.name)) - 1 for tier in plan.tree.root.walk()}


def _path(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the tiers from the region down to one."""
    above = {child.name: tier.name for tier in plan.tree.root.walk() for child in tier.tiers}
    path = [name]
    while path[-1] in above:
        path.append(above[path[-1]])
    return tuple(reversed(path))
