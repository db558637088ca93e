"""Which route every source takes: the arrangement that keeps most, with least noise, and then costs least.

Sources of one tier whose requirements say the same take the same route, however many records they have: they are one
cell. Routes of different cells meet in groups, so cells are not judged one by one but as a whole, by a ``Score``.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from headwater.aggregation.costs import Costs, Link
from headwater.aggregation.foresight import Crowd, Job, Joint, foresee
from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.routes import Route, objection
from headwater.errors import Refusal
from headwater.security import PROTECTIONS
from headwater.security.requirement import Requirement
from headwater.types import SourceId

__all__ = ["Arrangement", "Cell", "Score", "Weighing", "arrange"]

Arrangement: TypeAlias = tuple[Route | None, ...]
"""The route of every cell, None for those that are refused."""


@dataclass(frozen=True)
class Cell:
    """Sources of one tier that are treated alike.

    Parameters
    ----------
    tier : None for those that have none
    sources : sorted
    records : of all together
    link : the slowest of theirs
    requirement : of the first; those of the others say the same
    options : routes that it permits
    """

    tier: str | None
    sources: tuple[SourceId, ...]
    records: int
    link: Link
    requirement: Requirement
    options: tuple[Route, ...]

    def crowd(self, mechanism: Mechanism) -> Crowd:
        """Return them as members of a group."""
        count = len(self.sources)
        return Crowd(None, mechanism, count, self.link, self.records / count)


@dataclass(frozen=True, order=True)
class Score:
    """How good an arrangement is; what comes first counts first, and less is better.

    Parameters
    ----------
    refused : sources
    excess : by what the busiest node takes in more than it is meant to, over what it is meant to
    noise : records that noise takes away (``Foreseen.weight``), of all that there are
    price : of seconds and bytes
    """

    refused: int
    excess: float
    noise: float
    price: float


@dataclass
class Weighing:
    """Weighs arrangements of some cells.

    Parameters
    ----------
    links : of the tiers and the region
    """

    cells: Sequence[Cell]
    job: Job
    costs: Costs
    links: Mapping[str, Link]
    _known: dict[Arrangement, Score] = field(default_factory=dict)

    def score(self, arrangement: Arrangement) -> Score:
        """Return how good it is."""
        if arrangement not in self._known:
            self._known[arrangement] = self._score(arrangement)
        return self._known[arrangement]

    def _score(self, arrangement: Arrangement) -> Score:
        joints, lost = self.joints(arrangement)
        refused = sum(len(self.cells[place].sources) for place in lost)
        records = sum(cell.records for cell in self.cells)
        try:
            seen = foresee(joints, job=self.job, costs=self.costs)
        except Refusal:
            # Noise beyond the grid, sums beyond 64 bits: nothing of it can be played.
            return Score(sum(len(cell.sources) for cell in self.cells), 0.0, float(records), math.inf)
        excess = max(0.0, seen.most_in / self.costs.node_bytes - 1)
        price = self.costs.price(seen.seconds, seen.bytes_sent, seen.sights)
        # Rounded, so that the order of additions does not decide.
        return Score(refused, _rounded(excess), records - _rounded(seen.weight(self.job)), _rounded(price))

    def joints(self, arrangement: Arrangement) -> tuple[list[Joint], set[int]]:
        """Return the groups, lowest tiers first, and the places of cells that would stand in none."""
        strands: dict[str, list[int]] = defaultdict(list)
        for place, route in enumerate(arrangement):
            if route:
                strands[route.strand].append(place)
        found: list[Joint] = []
        lost = {place for place, route in enumerate(arrangement) if route is None}
        for strand, places in sorted(strands.items()):
            made, without = self._strand(strand, places, arrangement)
            found += made
            lost |= without
        return sorted(found, key=lambda joint: (joint.tier == self.job.region, joint.tier)), lost

    def _strand(self, strand: str, places: Sequence[int], arrangement: Arrangement) -> tuple[list[Joint], set[int]]:
        direct: list[int] = []
        tiers: dict[str, list[int]] = defaultdict(list)
        for place in places:
            tier, route = self.cells[place].tier, arrangement[place]
            if tier is None or (route and route.tier is None):
                direct.append(place)
            else:
                tiers[tier].append(place)
        joints, lost, crowds = [], set(), []
        for tier, inside in sorted(tiers.items()):
            made, without = self._tier(tier, strand, inside, arrangement)
            joints += made
            lost |= without
            if made:
                top = next(route.top for place in inside if (route := arrangement[place]))
                crowds.append(Crowd(tier, top, 1, self._link(tier)))
        crowds += [self.cells[place].crowd(route.source) for place in direct if (route := arrangement[place])]
        if crowds and sum(crowd.count for crowd in crowds) >= PROTECTIONS[crowds[0].mechanism.protection].minimum:
            root = self.job.region
            return [*joints, Joint(root, strand, tuple(crowds), self._link(root))], lost
        return [], set(places)

    def _tier(
        self, tier: str, strand: str, places: Sequence[int], arrangement: Arrangement
    ) -> tuple[list[Joint], set[int]]:
        companies: dict[Mechanism, list[tuple[int, Route]]] = defaultdict(list)
        for place in places:
            if route := arrangement[place]:
                companies[route.source.company].append((place, route))
        joints: list[Joint] = []
        lost: set[int] = set()
        for company, inside in sorted(companies.items()):
            crowds = tuple(self.cells[place].crowd(route.source) for place, route in inside)
            if sum(crowd.count for crowd in crowds) < PROTECTIONS[company.protection].minimum:
                lost |= {place for place, _ in inside}
            else:
                joints.append(Joint(tier, strand, crowds, self._link(tier)))
        if sum(joint.members for joint in joints) == 1:
            (place, route) = next((place, route) for place, route in companies[joints[0].crowds[0].mechanism.company])
            if self.objection(place, route, alone=True):
                return [], set(places)
        return joints, lost

    def objection(self, place: int, route: Route, *, alone: bool) -> Refusal | None:
        """Return why a cell does not permit a route."""
        cell = self.cells[place]
        return objection(route, cell.requirement, cell.sources[0], self.job.purpose, alone=alone)

    def _link(self, node: str) -> Link:
        return self.links.get(node, self.costs.link)


def arrange(weighing: Weighing) -> Arrangement:
    """Return the best arrangement that was found: none is better that differs in one cell, tier or kind of source.

    It starts where all sources that can meet in a strand do so, for every strand, and moves one block of cells at a
    time to the route that is best for it. In small cases all arrangements were tried, and none was better.
    """
    starts = [tuple[Route | None, ...](None for _ in weighing.cells), *_meetings(weighing.cells)]
    found = [_descent(weighing, start) for start in starts]
    return min(found, key=lambda one: (weighing.score(one), _spelt(one)))


def _meetings(cells: Sequence[Cell]) -> Iterator[Arrangement]:
    """Yield, for every strand, the arrangement in which all are that can be: in their tiers, or at the region."""
    for strand in sorted({route.strand for cell in cells for route in cell.options}):
        for in_tiers in (True, False):
            yield tuple(
                min(
                    (route for route in cell.options if route.strand == strand),
                    key=lambda route: (
                        (route.tier is None) == in_tiers,
                        route.source.protection == "clear",
                        route,
                    ),
                    default=None,
                )
                for cell in cells
            )


def _descent(weighing: Weighing, start: Arrangement) -> Arrangement:
    here, best = start, weighing.score(start)
    blocks = _blocks(weighing.cells)
    moved = True
    while moved:
        moved = False
        for block in blocks:
            for there in _moves(weighing.cells, here, block):
                if (score := weighing.score(there)) < best:
                    here, best, moved = there, score, True
    return here


def _blocks(cells: Sequence[Cell]) -> list[tuple[int, ...]]:
    """Return the cells that move together: all that may do the same, those of one tier, each alone."""
    alike: dict[object, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        alike["all"].append(place)
        alike["may", cell.options].append(place)
        alike["tier", cell.tier].append(place)
        alike["cell", place].append(place)
    return list(dict.fromkeys(tuple(block) for block in alike.values()))


def _moves(cells: Sequence[Cell], here: Arrangement, block: Sequence[int]) -> Iterator[Arrangement]:
    for option in dict.fromkeys(option for place in block for option in cells[place].options):
        movable = {place for place in block if option in cells[place].options}
        yield tuple(option if place in movable else route for place, route in enumerate(here))


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")


def _spelt(arrangement: Arrangement) -> str:
    return str(arrangement)
