"""Five classes of requirement in one federation of twenty hospitals in four cities, and how the planner joins them.

- ``open``: the region may see the hospital's own statistic; speaks in clear alone
- ``local``: its city alone may see that, the region a sum
- ``summed``: a sum with others is all that may be seen, by anybody
- ``noisy``: its city may see a sum, the region numbers with noise alone
- ``strict``: nobody may see anything without noise of its own

A sixth, ``shared``, is for comparison: noise, but lent by all to each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from headwater.aggregation.planning.costs import Costs
from headwater.aggregation.planning.foresight import Job
from headwater.aggregation.planning.planner import Plan, Supplier, plan
from headwater.errors import Message
from headwater.security.requirement import Caps, Requirement, Shown, Viewer
from headwater.statistics.bounded import BoundedSquares
from headwater.types import SourceId

__all__ = ["CLASSES", "DELTA", "NOISY", "SOURCES", "classes", "planned"]

SOURCES = 20
DELTA = 1e-6
CLASSES = ("open", "local", "summed", "noisy", "strict")
NOISY = ("noisy", "strict")
_PURPOSE = "stay_cost"
_RECORDS = 200
"""What the planner is told of every source: the same plan then serves every draw."""


@dataclass(frozen=True)
class _Class:
    """Who may see the hospital's own statistic, a sum with others, and numbers with noise; by which means."""

    statistic: Viewer
    sum: Viewer
    noisy: Viewer
    mechanisms: tuple[str, ...]

    def requirement(self, epsilon: float) -> Requirement:
        sees: Mapping[Shown, Viewer] = {"statistic": self.statistic, "sum": self.sum, "noisy": self.noisy}
        caps = Caps(epsilon, epsilon, epsilon)
        return Requirement(
            name="class",
            title=Message("类别", "Class"),
            sources=None,
            patients="inpatients",
            sees=sees,
            delta=DELTA,
            caps=caps,
            purposes={_PURPOSE: caps},
            mechanisms=frozenset(self.mechanisms),
        )


_ALL = ("clear", "masked", "discrete_gaussian")
_KINDS = {
    "open": _Class("region", "region", "region", ("clear",)),
    "local": _Class("tier", "region", "region", _ALL),
    "summed": _Class("nobody", "region", "region", ("masked",)),
    "noisy": _Class("nobody", "tier", "region", _ALL),
    "strict": _Class("nobody", "nobody", "region", ("clear", "discrete_gaussian")),
    "shared": _Class("nobody", "nobody", "region", ("masked", "skellam")),
}


def classes(sources: Sequence[SourceId]) -> dict[str, list[SourceId]]:
    """Deal the sources, in their order, to the classes."""
    return {name: list(sources[place :: len(CLASSES)]) for place, name in enumerate(CLASSES)}


@lru_cache(maxsize=256)
def planned(members: tuple[tuple[str, tuple[SourceId, ...]], ...], epsilon: float, dim: int) -> Plan:
    """Return the plan of sources by class (``CLASSES``, or ``shared``), for statistics of ``dim`` features.

    A city adds noise to a sum of three at least, so hospitals of the class ``noisy`` are in one city.
    """
    form = BoundedSquares(dim + 1, 16)
    suppliers = [
        Supplier(
            name, "c0" if kind == "noisy" else f"c{int(name[1:]) % 4}", _RECORDS, _KINDS[kind].requirement(epsilon)
        )
        for kind, names in members
        for name in names
    ]
    return plan(suppliers, {}, Costs(), job=Job("region", _PURPOSE, form.length, l2=form.l2))
