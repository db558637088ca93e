"""Five classes of requirement in one federation, and how sources of each are joined.

Four hospitals of each class, in four cities:

- ``open``: the region may see the hospital's own statistic; in clear throughout
- ``local``: its city alone may see it; in clear to the city, the cities' sums masked to the region
- ``summed``: a sum with others alone may be seen; masked
- ``noisy``: its city may see a sum with others, the region numbers with noise; masked, the city adds noise once
- ``strict``: nobody sees anything without noise; each adds its own
"""

from collections.abc import Mapping
from functools import partial

from headwater.aggregation import CLEAR, MASKED, Group, Mechanism, Tree, group
from headwater.errors import Message
from headwater.security.requirement import Caps, Requirement, Shown, Viewer
from headwater.types import SourceId

__all__ = [
    "CLASSES",
    "DELTA",
    "PURPOSE",
    "classes",
    "exact_groups",
    "noisy_groups",
    "requirement",
    "shared_groups",
    "strictest_groups",
]

CLASSES = ("open", "local", "summed", "noisy", "strict")
DELTA = 1e-6
PURPOSE = "stay_cost"
_REGION = "region"
_CITIES = ("c0", "c1", "c2", "c3")
_TOGETHER = "c0"
_SEES: Mapping[str, Mapping[Shown, Viewer]] = {
    "open": {"statistic": "region", "sum": "region", "noisy": "region"},
    "local": {"statistic": "tier", "sum": "region", "noisy": "region"},
    "summed": {"statistic": "nobody", "sum": "region", "noisy": "region"},
    "noisy": {"statistic": "nobody", "sum": "tier", "noisy": "region"},
    "strict": {"statistic": "nobody", "sum": "nobody", "noisy": "region"},
}


def classes(sources: list[SourceId]) -> dict[str, list[SourceId]]:
    """Deal the sources, in their order, to the classes."""
    return {name: sources[place :: len(CLASSES)] for place, name in enumerate(CLASSES)}


def requirement(kind: str, epsilon: float) -> Requirement:
    """Return what a source of this class requires; ``epsilon`` is all that may ever be spent."""
    caps = Caps(epsilon, epsilon, epsilon)
    return Requirement(
        name=kind,
        title=Message(kind, kind),
        sources=None,
        patients="inpatients",
        sees=_SEES[kind],
        delta=DELTA,
        caps=caps,
        purposes={PURPOSE: caps},
        mechanisms=frozenset({"clear", "masked", "discrete_gaussian"}),
    )


def exact_groups(members: Mapping[str, list[SourceId]]) -> tuple[Group, ...]:
    """Return the groups of the three classes that need no noise, of those that have members."""
    ways = {"open": (CLEAR, CLEAR), "local": (CLEAR, MASKED), "summed": (MASKED, CLEAR)}
    found: list[Group] = []
    for kind, (source, city) in ways.items():
        if members.get(kind):
            chosen = dict.fromkeys(members[kind], source) | dict.fromkeys(_CITIES, city)
            found += group(_spread(members[kind]), chosen, strand=kind).groups
    return tuple(found)


def noisy_groups(members: Mapping[str, list[SourceId]], epsilon: float) -> tuple[Group, ...]:
    """Return the groups of the two classes that need noise, of those that have members."""
    noise = Mechanism("clear", "sender", epsilon, DELTA)
    found: list[Group] = []
    if members.get("noisy"):
        tree = Tree.of(dict.fromkeys(members["noisy"], _TOGETHER), root=_REGION)
        found += group(tree, dict.fromkeys(members["noisy"], MASKED) | {_TOGETHER: noise}, strand="noisy").groups
    return (*found, *strictest_groups(members.get("strict", []), epsilon))


def strictest_groups(sources: list[SourceId], epsilon: float) -> tuple[Group, ...]:
    """Return the groups in which each source adds noise of its own; each is a strand, to be weighed by itself."""
    tree, noise = partial(Tree.of, root=_REGION), Mechanism("clear", "sender", epsilon, DELTA)
    return tuple(
        planned
        for place, name in enumerate(sources)
        for planned in group(tree({name: _CITIES[place % 4]}), {name: noise}, strand=f"strict/{name}").groups
    )


def shared_groups(sources: list[SourceId], epsilon: float) -> tuple[Group, ...]:
    """Return the groups in which all sources are masked and add shares of noise, which stands once in the sum."""
    return group(_spread(sources), dict.fromkeys(sources, Mechanism("masked", "group", epsilon, DELTA))).groups


def _spread(sources: list[SourceId]) -> Tree:
    return Tree.of({name: _CITIES[place % len(_CITIES)] for place, name in enumerate(sources)}, root=_REGION)
