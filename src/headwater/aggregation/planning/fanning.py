"""Where a group has more members than pays, nodes are put between them and their tier.

Noise is not touched: only groups whose sum is the same however it is added up are divided. Rings of smaller groups take
fewer bits, a tier hears fewer messages, and every level takes its phases once more; the price decides. The nodes belong
to the tier under which they stand, and see nothing that it may not see.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from headwater.aggregation.grouping import Group
from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.foresight import Crowd, Gathering, Walk
from headwater.security import PROTECTIONS

__all__ = ["Fan", "Fanning", "fanned", "shares"]

_SIZES = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128)
"""Members of one node that are tried."""
_DEEPEST = 3

_Found: TypeAlias = "tuple[tuple[float, float], tuple[Fan, ...], list[list[Gathering]]]"


@dataclass(frozen=True)
class Fan:
    """One level of nodes under a tier.

    Parameters
    ----------
    names : of the nodes
    mechanism : how their sums leave them
    """

    names: tuple[str, ...]
    mechanism: Mechanism


@dataclass(frozen=True)
class Fanning:
    """Chooses levels for one group.

    Parameters
    ----------
    upwards : mechanisms by which a node under the tier may speak
    lost : nodes that are not there
    """

    upwards: Callable[[], Sequence[Mechanism]]
    lost: Collection[str] = field(default=frozenset())

    def best(self, walk: Walk, gathering: Gathering) -> tuple[tuple[Fan, ...], list[Gathering]]:
        """Return the levels of least excess and price, lowest first, and the groups that they make."""
        _, fans, levels = self._best(walk, gathering, 1)
        return fans, [one for level in levels for one in level]

    def _best(self, walk: Walk, gathering: Gathering, depth: int) -> _Found:
        found: _Found = (_weighed(walk, [[gathering]]), (), [[gathering]])
        if depth > _DEEPEST or not _pays(walk, gathering):
            return found
        for fan in self._fans(gathering, depth):
            lower, upper = divided(gathering, fan)
            under = walk.copy()
            for one in lower:
                under.play(one)
            _, fans, above = self._best(under, upper, depth + 1)
            score = _weighed(walk, [lower, *above])
            if score < found[0]:
                found = (score, (fan, *fans), [lower, *above])
        return found

    def _fans(self, gathering: Gathering, depth: int) -> Iterator[Fan]:
        minimum, upwards = PROTECTIONS[gathering.protection].minimum, self.upwards()
        for count in dict.fromkeys(-(-gathering.members // size) for size in _SIZES):
            names = [f"{gathering.tier}/{depth}.{place + 1:03d}" for place in range(count)]
            there = tuple(name for name in names if name not in self.lost)
            for mechanism in upwards:
                fewest = max(2, PROTECTIONS[mechanism.protection].minimum)
                if len(there) >= fewest and gathering.members // len(there) >= max(2, minimum):
                    yield Fan(there, mechanism)


def shares(members: int, nodes: int) -> list[slice]:
    """Return which members go to which node: as evenly as can be, in their order."""
    least, more = divmod(members, nodes)
    ends = [least * (place + 1) + min(place + 1, more) for place in range(nodes)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def divided(gathering: Gathering, fan: Fan) -> tuple[list[Gathering], Gathering]:
    """Return the groups of the nodes, alike ones as one, and the group that is left above them."""
    alike: dict[tuple[Crowd, ...], list[str]] = {}
    for name, part in zip(fan.names, shares(gathering.members, len(fan.names)), strict=True):
        alike.setdefault(_cut(gathering.crowds, part), []).append(name)
    lower = [
        replace(gathering, tier=names[0], crowds=crowds, times=gathering.times * len(names))
        for crowds, names in alike.items()
    ]
    above = tuple(Crowd(names[0], fan.mechanism, len(names), gathering.link) for names in alike.values())
    return lower, replace(gathering, crowds=above)


def fanned(group: Group, fans: Sequence[Fan]) -> list[Group]:
    """Return the groups that levels of nodes make of one, lowest first."""
    made = []
    for fan in fans:
        parts = shares(len(group.mechanisms), len(fan.names))
        made += [
            Group(name, tuple(sorted(group.mechanisms[part])), group.strand)
            for name, part in zip(fan.names, parts, strict=True)
        ]
        group = replace(group, mechanisms=tuple((name, fan.mechanism) for name in fan.names))
    return [*made, replace(group, mechanisms=tuple(sorted(group.mechanisms)))]


def _cut(crowds: Sequence[Crowd], part: slice) -> tuple[Crowd, ...]:
    """Return the members of a part, crowds laid end to end."""
    found, start = [], 0
    for crowd in crowds:
        low, high = max(part.start, start), min(part.stop, start + crowd.count)
        if low < high:
            found.append(replace(crowd, count=high - low))
        start += crowd.count
    return tuple(found)


def _pays(walk: Walk, gathering: Gathering) -> bool:
    """Whether a level could: what a round costs beside its waiting must be more than to wait once more."""
    bill, costs = walk.copy().play(gathering), walk.costs
    waiting = bill.seconds - bill.working
    most = costs.price(bill.working, bill.sent * gathering.members)
    return bill.sent * gathering.members > costs.node_bytes or most > costs.second * waiting


def _weighed(walk: Walk, levels: Sequence[Sequence[Gathering]]) -> tuple[float, float]:
    """Return by what the busiest node takes in too much, and the price; levels wait for each other."""
    here = walk.copy()
    seconds, most, sent = 0.0, 0, 0
    for level in levels:
        bills = [(here.play(gathering), gathering) for gathering in level]
        seconds += max(bill.seconds for bill, _ in bills)
        most = max(most, *(bill.sent * gathering.members for bill, gathering in bills))
        sent += sum(bill.sent * gathering.members * gathering.times for bill, gathering in bills)
    excess = max(0.0, most / walk.costs.node_bytes - 1)
    return excess, walk.costs.price(seconds, sent, sights=here.sights - walk.sights)
