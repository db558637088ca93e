"""Fold statistics up the tree, each message under the protection that its sender demands."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from headwater.aggregation.grouping import Group, group
from headwater.aggregation.topology import Tree
from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS, Entropy, Played, Span, play
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Aggregation", "aggregate"]


@dataclass(frozen=True)
class Aggregation:
    """The sum of all sources, and what it took.

    Parameters
    ----------
    total : the merged statistic, the same bits whatever the tree and the protections
    bytes_sent : bytes that each source and tier sent upwards: keys, shares, its vector, signatures
    bytes_told : bytes that each was told on its way
    groups : the groups that were combined, lowest tiers first
    notes : what was done otherwise than the tree says
    """

    total: Statistic
    bytes_sent: dict[str, int]
    bytes_told: dict[str, int]
    groups: tuple[Group, ...]
    notes: tuple[Message, ...]


def aggregate(
    tree: Tree,
    contributions: Mapping[SourceId, Statistic],
    protections: Mapping[str, str],
    *,
    round_id: str,
    entropy: Entropy,
    span: Span | None = None,
) -> Aggregation:
    """Add the contributions of all sources of the tree.

    Parameters
    ----------
    contributions : one statistic per source of the tree, no more and no fewer, all of one kind and shape
    protections : how each source's message is protected, by name in ``PROTECTIONS``; every source must be named.
        A tier may be named too; one that is not sends its sum in clear
    round_id : never used before, for masks are bound to it
    entropy : where secret keys come from, e.g. ``secrets.token_bytes``
    span : public bounds of every value of every source; sums then travel in the fewest bits that are proven to hold
        them, otherwise in 64
    """
    _require_all(tree, contributions)
    grouping = group(tree, protections)
    spoken: dict[str, Statistic] = dict(contributions)
    counts = dict.fromkeys(spoken, 1)
    bytes_sent: dict[str, int] = {}
    bytes_told: dict[str, int] = {}
    for planned in grouping.groups:
        inside = [counts[name] for name in planned.members]
        bounds = span.times(min(inside), max(inside)) if span else None
        played = _combine(planned, spoken, f"{round_id}/{planned.tier}/{planned.protection}", entropy, bounds)
        bytes_sent |= played.sent
        bytes_told |= played.told
        form = spoken[planned.members[0]]
        total = Statistic(form.kind, form.shape, played.total)
        spoken[planned.tier] = spoken[planned.tier].merge(total) if planned.tier in spoken else total
        counts[planned.tier] = counts.get(planned.tier, 0) + sum(inside)
    return Aggregation(spoken[tree.root.name], bytes_sent, bytes_told, grouping.groups, grouping.notes)


def _combine(
    planned: Group, spoken: Mapping[str, Statistic], round_id: str, entropy: Entropy, span: Span | None
) -> Played:
    """Play one group: every member protects its vector, the tier adds what arrives."""
    length = spoken[planned.members[0]].values.size
    mechanism = PROTECTIONS[planned.protection]
    session = mechanism.open(planned.members, round_id=round_id, length=length, entropy=entropy, span=span)
    return play(session, {name: partial(getattr, spoken[name], "values") for name in planned.members})


def _require_all(tree: Tree, contributions: Mapping[SourceId, Statistic]) -> None:
    missing, foreign = sorted(set(tree.sources) - set(contributions)), sorted(set(contributions) - set(tree.sources))
    if missing or foreign:
        raise Refusal(
            "E-TIER-SOURCES",
            Message(
                f"缺少来源 {missing}，多出来源 {foreign}。", f"Sources missing {missing}, not in the tree {foreign}."
            ),
            Message("请按已回答的来源重建层次树。", "Build the tree from the sources that answered."),
        )
    forms = {(s.kind, s.shape, s.values.size) for s in contributions.values()}
    if len(forms) > 1:
        raise Refusal(
            "E-STATISTIC-FORM",
            Message(f"各来源的统计量形式不同：{sorted(forms)}。", f"The statistics differ in form: {sorted(forms)}."),
            Message("请让各来源回答同一个问题。", "Ask every source the same question."),
        )
