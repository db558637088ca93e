"""The tree that knowledge climbs: hospital, city, region."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headwater.errors import Message, Refusal
from headwater.types import SourceId

__all__ = ["Tier", "Tree"]


@dataclass(frozen=True)
class Tier:
    """One node that adds: the sources and lower tiers that report to it."""

    name: str
    sources: tuple[SourceId, ...] = ()
    tiers: tuple["Tier", ...] = ()

    def walk(self) -> Iterator["Tier"]:
        """Yield this tier and all below it, lowest first."""
        for tier in self.tiers:
            yield from tier.walk()
        yield self


@dataclass(frozen=True)
class Tree:
    """A tree of tiers in which every name stands once.

    >>> tree = Tree.of({"h1": "north", "h2": "north", "h3": "south"}, root="region")
    >>> [(tier.name, tier.sources) for tier in tree.root.walk()]
    [('north', ('h1', 'h2')), ('south', ('h3',)), ('region', ())]
    """

    root: Tier

    def __post_init__(self) -> None:
        names = [*self.sources, *(tier.name for tier in self.root.walk())]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not self.sources:
            raise Refusal(
                "E-TREE-NAMES",
                Message(
                    f"层次树没有来源，或名称重复：{twice}。",
                    f"The tree has no source, or a name stands twice: {twice}.",
                ),
                Message("请核对来源所属的城市。", "Check which city each source belongs to."),
            )

    @staticmethod
    def of(cities: Mapping[SourceId, str], *, root: str) -> "Tree":
        """Build hospital → city → region from each source's city."""
        names = sorted(set(cities.values()))
        tiers = (Tier(name, tuple(sorted(s for s, city in cities.items() if city == name))) for name in names)
        return Tree(Tier(root, tiers=tuple(tiers)))

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """All sources, lowest tiers first."""
        return tuple(source for tier in self.root.walk() for source in tier.sources)
