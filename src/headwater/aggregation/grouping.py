"""Who adds with whom: groups of members, and how they are formed where every mechanism is given.

``plan`` chooses mechanisms as requirements permit, forms its groups from them and lifts none. ``group`` is for whoever
names the mechanisms himself, as measurements of protections do, of data of which nothing is required: at each tier the
members of a strand are grouped by mechanism. A group smaller than its protection needs is lifted: its members join the
group of the tier above, where others see their sum. If the topmost group is still too small, the smallest group of the
same mechanism below is lifted as well, until it is large enough or there is none left.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headwater.aggregation.mechanism import IN_CLEAR, Mechanism
from headwater.aggregation.topology import Tier, Tree
from headwater.errors import Message, Refusal
from headwater.federation.wire import travels
from headwater.security.protection import PROTECTIONS
from headwater.types import SourceId

__all__ = ["Group", "group", "parted"]


@travels("group")
@dataclass(frozen=True)
class Group:
    """Members, sources or tiers, whose messages are combined at ``tier`` in one round.

    Parameters
    ----------
    mechanisms : how each member's message leaves it, by name in their order; they have their company in common
    strand : what is kept apart all the way up, so that who solves can weigh it
    """

    tier: str
    mechanisms: tuple[tuple[str, Mechanism], ...]
    strand: str = ""

    @property
    def members(self) -> tuple[str, ...]:
        """The names."""
        return tuple(name for name, _ in self.mechanisms)

    @property
    def protection(self) -> str:
        """The protection that all have in common."""
        return self.mechanisms[0][1].protection


@dataclass
class _Pass:
    """One walk over the tree with some groups lifted by force."""

    mechanisms: Mapping[str, Mechanism]
    strand: str
    forced: set[tuple[str, Mechanism]]
    sources: frozenset[SourceId]
    groups: list[Group] = field(default_factory=list)

    def climb(self, tier: Tier) -> dict[Mechanism, list[str]]:
        """Plan everything at and below ``tier``; return the members that it lifts, by what they have in common."""
        waiting: dict[Mechanism, list[str]] = defaultdict(list)
        for child in tier.tiers:
            for company, members in self.climb(child).items():
                waiting[company].extend(members)
        speaking = {planned.tier for planned in self.groups}
        for member in (*tier.sources, *(child.name for child in tier.tiers if child.name in speaking)):
            if member not in self.sources or member in self.mechanisms:
                waiting[self.mechanisms.get(member, IN_CLEAR).company].append(member)
        return self._settle(tier.name, waiting)

    def _settle(self, tier: str, waiting: Mapping[Mechanism, list[str]]) -> dict[Mechanism, list[str]]:
        lifted = {}
        for company, members in sorted(waiting.items()):
            if len(members) >= PROTECTIONS[company.protection].minimum and (tier, company) not in self.forced:
                named = tuple((member, self.mechanisms.get(member, IN_CLEAR)) for member in sorted(members))
                self.groups.append(Group(tier, named, self.strand))
            else:
                lifted[company] = members
        return lifted


def group(tree: Tree, mechanisms: Mapping[str, Mechanism], *, strand: str = "") -> tuple[Group, ...]:
    """Return the groups of one strand, lowest tiers first; a group that stays too small is refused.

    Parameters
    ----------
    mechanisms : how each source's message leaves it, and each tier's; a tier without one sends its sum in clear, a
        source without one is not in it
    """
    if not set(tree.sources) & set(mechanisms):
        raise _unprotected(list(tree.sources))
    forced: set[tuple[str, Mechanism]] = set()
    while True:
        walk = _Pass(mechanisms, strand, forced, frozenset(tree.sources))
        lifted = walk.climb(tree.root)
        if not lifted:
            return tuple(walk.groups)
        company = min(lifted)
        below = [g for g in walk.groups if g.mechanisms[0][1].company == company and g.tier != tree.root.name]
        if not below:
            raise _too_few(company.protection, lifted[company])
        smallest = min(below, key=lambda g: (len(g.members), g.tier))
        forced.add((smallest.tier, company))


def parted(groups: Sequence[Group]) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Return the groups of strands without noise, which are asked first, and of those with."""
    noisy = {one.strand for one in groups if any(mechanism.noise != "nobody" for _, mechanism in one.mechanisms)}
    exact = tuple(group for group in groups if group.strand not in noisy)
    return exact, tuple(group for group in groups if group.strand in noisy)


def _unprotected(sources: list[str]) -> Refusal:
    return Refusal(
        "E-TIER-PROTECTION",
        Message(f"未指定保护方式的来源：{sources}。", f"Sources without a protection: {sources}."),
        Message("请为每个来源指定保护方式。", "Name a protection for every source."),
    )


def _too_few(protection: str, members: list[str]) -> Refusal:
    return Refusal(
        "E-GROUP-SMALL",
        Message(
            f"{sorted(members)} 要求 {protection}，但全区域成员不足 {PROTECTIONS[protection].minimum} 个。",
            f"{sorted(members)} demand {protection}, which needs {PROTECTIONS[protection].minimum} members.",
        ),
        Message("请增加来源，或经其同意改用别的保护方式。", "Add sources, or agree on another protection with them."),
    )
