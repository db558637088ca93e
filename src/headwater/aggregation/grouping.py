"""Who adds with whom: the groups of every tier, planned before anything is sent.

At each tier the members are grouped by protection. A group smaller than its mechanism needs is lifted: its members
join the group of the tier above. If the topmost group is still too small, the smallest group of the same protection
below is lifted as well, until it is large enough or there is none left.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.aggregation.topology import Tier, Tree
from headwater.errors import Message, Refusal
from headwater.security.protection import PROTECTIONS

__all__ = ["Group", "Grouping", "group"]

_UNNAMED_TIER = "clear"


@dataclass(frozen=True)
class Group:
    """Members, sources or tiers, whose messages are combined at ``tier`` by one protection."""

    tier: str
    protection: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """All groups, lowest tiers first, and what was done otherwise than the tree says."""

    groups: tuple[Group, ...]
    notes: tuple[Message, ...]


@dataclass
class _Pass:
    """One walk over the tree with some groups lifted by force."""

    protections: Mapping[str, str]
    forced: set[tuple[str, str]]
    groups: list[Group] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)

    def climb(self, tier: Tier) -> dict[str, list[str]]:
        """Plan everything at and below ``tier``; return the members that it lifts, by protection."""
        waiting: dict[str, list[str]] = defaultdict(list)
        for child in tier.tiers:
            for protection, members in self.climb(child).items():
                waiting[protection].extend(members)
        speaking = {planned.tier for planned in self.groups}
        for member in (*tier.sources, *(child.name for child in tier.tiers if child.name in speaking)):
            waiting[self.protections.get(member, _UNNAMED_TIER)].append(member)
        return self._settle(tier.name, waiting)

    def _settle(self, tier: str, waiting: Mapping[str, list[str]]) -> dict[str, list[str]]:
        lifted = {}
        for protection, members in sorted(waiting.items()):
            if len(members) >= PROTECTIONS[protection].minimum and (tier, protection) not in self.forced:
                self.groups.append(Group(tier, protection, tuple(sorted(members))))
            else:
                lifted[protection] = members
                self.notes.append(_lifted(tier, protection, members))
        return lifted


def group(tree: Tree, protections: Mapping[str, str]) -> Grouping:
    """Plan the groups; a source without a protection, or a group that stays too small, is refused."""
    unnamed = sorted(set(tree.sources) - set(protections))
    if unnamed:
        raise _unprotected(unnamed)
    forced: set[tuple[str, str]] = set()
    while True:
        walk = _Pass(protections, forced)
        lifted = walk.climb(tree.root)
        if not lifted:
            return Grouping(tuple(walk.groups), tuple(walk.notes))
        protection = min(lifted)
        below = [g for g in walk.groups if g.protection == protection and g.tier != tree.root.name]
        if not below:
            raise _too_few(protection, lifted[protection])
        smallest = min(below, key=lambda g: (len(g.members), g.tier))
        forced.add((smallest.tier, protection))


def _lifted(tier: str, protection: str, members: list[str]) -> Message:
    names = "、".join(sorted(members)), ", ".join(sorted(members))
    return Message(
        f"“{tier}”不单独合并 {names[0]}（{protection}）：成员并入上一级。",
        f"{tier} does not combine {names[1]} ({protection}): they join the tier above.",
    )


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
