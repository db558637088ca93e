"""Which route every source takes: the arrangement that keeps most, with least noise, and then costs least.

Sources of one tier whose requirements say the same take the same route, however many records they have: they are one
cell. Routes of different cells meet in groups, so cells are not judged one by one but as a whole, by a ``Score``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TypeAlias

from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.costs import Costs, Link
from headwater.aggregation.planning.fanning import Fan, Fanning
from headwater.aggregation.planning.foresight import Crowd, Gathering, Job, Outlook, Walk, foresee
from headwater.aggregation.planning.routes import Route, bears_sum, objection
from headwater.errors import Refusal
from headwater.security import PROTECTIONS
from headwater.security.requirement import Requirement, Viewer
from headwater.types import SourceId

__all__ = ["Arrangement", "Cell", "Knot", "Score", "Weighing", "arrange"]

Arrangement: TypeAlias = tuple[int | None, ...]
"""Which of its options every cell takes, None for those that are refused."""

Choices: TypeAlias = tuple[tuple[int, int], ...]
"""The cells of one strand, by place, and the option that each takes."""

Block: TypeAlias = tuple[int, ...]
"""Cells that move together, by place."""

_KEPT = 4
_FEW = 12
"""Cells up to which every start is also taken to its end cell by cell."""


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

    @cached_property
    def strands(self) -> tuple[str, ...]:
        """Of the options."""
        return tuple(route.strand for route in self.options)

    @cached_property
    def places(self) -> dict[Route, int]:
        """Of the options."""
        return {route: place for place, route in enumerate(self.options)}

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
    excess : by what a node takes in more than it is meant to, over what it is meant to, where its group cannot be
        divided (``fanning``)
    noise : records that noise takes away (``Outlook.weight``), of all that there are
    price : of seconds and bytes
    """

    refused: int
    excess: float
    noise: float
    price: float


@dataclass(frozen=True)
class Knot:
    """One strand of an arrangement: its groups, lowest tiers first, what they take, and the cells that stand in none.

    Parameters
    ----------
    seen : None where it cannot be played: noise beyond the grid, or sums beyond 64 bits
    """

    gatherings: tuple[Gathering, ...]
    seen: Outlook | None
    lost: frozenset[int]


@dataclass
class Weighing:
    """Weighs arrangements of some cells.

    Parameters
    ----------
    links : of the tiers and the region
    away : nodes that are not there
    """

    cells: Sequence[Cell]
    job: Job
    costs: Costs
    links: Mapping[str, Link]
    away: frozenset[str] = frozenset()
    _knots: dict[Choices, Knot] = field(default_factory=dict)
    _scores: dict[Arrangement, Score] = field(default_factory=dict)

    def sparing(self) -> "Weighing":
        """Return it without noise for whoever can be joined without: that others need noise is no reason to add any."""
        exact = self._offering([tuple(route for route in cell.options if route.claim is None) for cell in self.cells])
        found = arrange(exact)
        lost = exact.lost(found, exact.knots(found).values())
        noisy = [tuple(route for route in cell.options if route.claim is not None) for cell in self.cells]
        return self._offering([noisy[at] if at in lost else cell.options for at, cell in enumerate(exact.cells)])

    def _offering(self, options: Sequence[tuple[Route, ...]]) -> "Weighing":
        """Return it with other options, by cell."""
        cells = [replace(cell, options=some) for cell, some in zip(self.cells, options, strict=True)]
        return Weighing(cells, self.job, self.costs, self.links, self.away)

    @property
    def unplayable(self) -> frozenset[int]:
        """The places of cells that some strand had room for in names, but not in bits."""
        return frozenset(at for choices, knot in self._knots.items() if knot.seen is None for at, _ in choices)

    def score(self, arrangement: Arrangement) -> Score:
        """Return how good it is."""
        if arrangement not in self._scores:
            self._scores[arrangement] = self._score(arrangement)
        return self._scores[arrangement]

    def _score(self, arrangement: Arrangement) -> Score:
        knots = self.knots(arrangement)
        lost = self.lost(arrangement, knots.values())
        refused = sum(len(self.cells[place].sources) for place in lost)
        records = sum(cell.records for cell in self.cells)
        seen = Outlook.total([knot.seen for knot in knots.values() if knot.seen])
        excess = max(0.0, seen.most_whole / self.costs.node_bytes - 1)
        past = sum(
            len(cell.sources)
            for place, (cell, route) in enumerate(zip(self.cells, self.routes(arrangement), strict=True))
            if place not in lost and cell.tier and route and route.tier is None
        )
        seconds = seen.seconds(self.job.region)
        price = self.costs.price(seconds, seen.bytes_sent, sights=seen.sights, past=past)
        # Rounded, so that the order of additions does not decide.
        return Score(refused, _rounded(excess), records - _rounded(seen.weight(self.job)), _rounded(price))

    def lost(self, arrangement: Arrangement, knots: Collection[Knot]) -> set[int]:
        """Return the places of cells that stand in no group."""
        refused = {place for place, option in enumerate(arrangement) if option is None}
        return refused.union(*(knot.lost for knot in knots))

    def routes(self, arrangement: Arrangement) -> list[Route | None]:
        """Return the route of every cell."""
        return [
            None if option is None else cell.options[option]
            for cell, option in zip(self.cells, arrangement, strict=True)
        ]

    def knots(self, arrangement: Arrangement) -> dict[str, Knot]:
        """Return its strands, by name."""
        strands: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, option in enumerate(arrangement):
            if option is not None:
                strands[self.cells[place].strands[option]].append((place, option))
        return {strand: self._knot(strand, tuple(strands[strand])) for strand in sorted(strands)}

    def _knot(self, strand: str, choices: Choices) -> Knot:
        if choices not in self._knots:
            gatherings, lost = self._strand(strand, [(at, self.cells[at].options[option]) for at, option in choices])
            try:
                seen = foresee(gatherings, job=self.job, costs=self.costs)
                knot = Knot(tuple(gatherings), seen, frozenset(lost))
            except Refusal:
                knot = Knot((), None, frozenset(place for place, _ in choices))
            self._knots[choices] = knot
        return self._knots[choices]

    def fans(self, arrangement: Arrangement) -> dict[tuple[str, str, Mechanism], tuple[Fan, ...]]:
        """Return the levels of nodes that pay, by tier, strand and what the members of a group have in common."""
        knots, found = self.knots(arrangement), {}
        lost = self.lost(arrangement, knots.values())
        routes = {place: route for place, route in enumerate(self.routes(arrangement)) if route and place not in lost}
        for strand, knot in knots.items():
            inside = {place: route for place, route in routes.items() if route.strand == strand}
            walk = Walk(self.job, self.costs)
            for gathering in knot.gatherings:
                company, made = gathering.crowds[0].mechanism.company, [gathering]
                if company.noise != "group":
                    fanning = Fanning(partial(self._upwards, gathering, inside), self.away)
                    found[gathering.tier, strand, company], made = fanning.best(walk, gathering)
                for one in made:
                    walk.play(one)
        return found

    def _upwards(self, gathering: Gathering, routes: Mapping[int, Route]) -> list[Mechanism]:
        """Return how nodes under a tier may speak to it: as everybody permits whose statistic is in the sum."""
        viewer: Viewer = "region" if gathering.tier == self.job.region else "tier"
        asked = [
            (route.noise if viewer == "region" else route.source.noise, self.cells[place])
            for place, route in routes.items()
            if viewer == "region" or self.cells[place].tier == gathering.tier
        ]
        return [
            mechanism
            for mechanism in map(Mechanism, self.job.travel)
            if all(
                bears_sum(mechanism, viewer, noise, (cell.requirement, cell.sources[0], self.job.purpose))
                for noise, cell in asked
            )
        ]

    def _strand(self, strand: str, routes: Sequence[tuple[int, Route]]) -> tuple[list[Gathering], set[int]]:
        """Return the groups of a strand, and the places of cells that would stand in none."""
        tiers: dict[str, list[tuple[int, Route]]] = defaultdict(list)
        for place, route in routes:
            tiers[self._goes(place, route)].append((place, route))
        direct, top, root = tiers.pop(self.job.region, []), routes[0][1].top, self.job.region
        gatherings: list[Gathering] = []
        lost: set[int] = set()
        crowds = []
        for tier, inside in sorted(tiers.items()):
            made, without = self._tier(tier, strand, inside)
            gatherings += made
            lost |= without
            crowds += [Crowd(tier, inside[0][1].top, 1, self._link(tier))] if made else []
        crowds += [self.cells[place].crowd(route.source) for place, route in direct]
        if not _enough(crowds, top):
            return [], {place for place, _ in routes}
        return [*gatherings, Gathering(root, strand, tuple(crowds), self._link(root))], lost

    def _tier(self, tier: str, strand: str, routes: Sequence[tuple[int, Route]]) -> tuple[list[Gathering], set[int]]:
        """Return the groups of a strand in one tier, and the places of cells that stand in none."""
        companies: dict[Mechanism, list[tuple[int, Route]]] = defaultdict(list)
        for place, route in routes:
            companies[route.source.company].append((place, route))
        gatherings: list[Gathering] = []
        lost: set[int] = set()
        for company, inside in sorted(companies.items()):
            crowds = tuple(self.cells[place].crowd(route.source) for place, route in inside)
            if _enough(crowds, company):
                gatherings.append(Gathering(tier, strand, crowds, self._link(tier)))
            else:
                lost |= {place for place, _ in inside}
        if sum(gathering.members for gathering in gatherings) == 1:
            place, route = next(one for one in routes if one[0] not in lost)
            if objection(
                route, self.cells[place].requirement, self.cells[place].sources[0], self.job.purpose, alone=True
            ):
                return [], {place for place, _ in routes}
        return gatherings, lost

    def _goes(self, place: int, route: Route) -> str:
        """Return the node that a cell's sources speak to."""
        tier = self.cells[place].tier
        return tier if tier and route.tier else self.job.region

    def _link(self, node: str) -> Link:
        return self.links.get(node, self.costs.link)


def arrange(weighing: Weighing) -> Arrangement:
    """Return the best arrangement that was found: none is better that differs in one cell, tier or kind of source.

    It starts where all sources that can meet in a strand do so, for every strand, and moves one block of cells at a
    time to the route that is better: sources of one kind first, then tiers and cells, from the best that were found; of
    few cells, each by itself first as well. In small cases a test tries all arrangements; in large ones nothing proves
    that none is better.
    """
    kinds, blocks = _blocks(weighing.cells)
    starts = [(None,) * len(weighing.cells), *_meetings(weighing.cells)]
    found = {_descent(weighing, start, kinds) for start in dict.fromkeys(starts)}
    if len(weighing.cells) <= _FEW:
        # Sources of one kind in two tiers may do best apart, and together lead away from there.
        cells = [(at,) for at in range(len(weighing.cells))]
        found |= {_descent(weighing, start, cells) for start in dict.fromkeys(starts)}
    best = sorted(found, key=lambda one: (weighing.score(one), str(one)))[:_KEPT]
    return min((_descent(weighing, one, blocks) for one in best), key=lambda one: (weighing.score(one), str(one)))


def _meetings(cells: Sequence[Cell]) -> Iterator[Arrangement]:
    """Yield, for every strand, the arrangement in which all are that can be: in their tiers, or at the region."""
    for strand in sorted({strand for cell in cells for strand in cell.strands}):
        for in_tiers in (True, False):
            yield tuple(_nearest(cell, strand, in_tiers) for cell in cells)


def _nearest(cell: Cell, strand: str, in_tiers: bool) -> int | None:
    """Return the option by which a cell joins a strand, hidden where it can be."""
    found = [
        ((route.tier is None) == in_tiers, route.source.protection == "clear", option)
        for option, route in enumerate(cell.options)
        if cell.strands[option] == strand
    ]
    return min(found)[-1] if found else None


def _descent(weighing: Weighing, start: Arrangement, blocks: Sequence[Block]) -> Arrangement:
    here, best, moved = start, weighing.score(start), True
    while moved:
        moved = False
        for block in blocks:
            for there in _moves(weighing.cells, here, block):
                if (score := weighing.score(there)) < best:
                    here, best, moved = there, score, True
    return here


def _blocks(cells: Sequence[Cell]) -> tuple[list[Block], list[Block]]:
    """Return cells that move together: all, and all that may do the same; and those of one tier, and each alone."""
    kinds: dict[object, list[int]] = defaultdict(list)
    places: dict[object, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        kinds["all"].append(place)
        kinds[cell.options].append(place)
        places["tier", cell.tier].append(place)
        places["cell", place].append(place)
    coarse = list(dict.fromkeys(map(tuple, kinds.values())))
    return coarse, list(dict.fromkeys([*coarse, *map(tuple, places.values())]))


def _moves(cells: Sequence[Cell], here: Arrangement, block: Block) -> Iterator[Arrangement]:
    """Yield every arrangement in which the cells of a block that can take a route take it."""
    for route in dict.fromkeys(route for place in block for route in cells[place].options):
        there = list(here)
        for place in block:
            there[place] = cells[place].places.get(route, there[place])
        yield tuple(there)


def _enough(crowds: Sequence[Crowd], company: Mechanism) -> bool:
    """Whether they are as many as their protection takes, and at least one."""
    return sum(crowd.count for crowd in crowds) >= PROTECTIONS[company.protection].minimum


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
