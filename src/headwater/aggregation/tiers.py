"""Fold statistics up the tree, each message by the mechanism that its sender demands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from headwater.aggregation.grouping import Group
from headwater.errors import Message, Refusal
from headwater.security import PROTECTIONS, Entropy, Played, Span, play
from headwater.security.shared_noise import SharedNoise
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed, SourceId

__all__ = ["Aggregation", "Part", "aggregate"]


@dataclass(frozen=True)
class Part:
    """The sum of one strand.

    Parameters
    ----------
    deviation : standard deviation of the noise in every value, in steps of the grid
    span : bounds of every value, if there were any
    sources : those in the sum
    """

    total: Statistic
    deviation: float
    span: Span | None
    sources: frozenset[SourceId]

    def merge(self, other: "Part") -> "Part":
        """Return both together."""
        deviation = (self.deviation**2 + other.deviation**2) ** 0.5
        span = self.span and other.span and Span(self.span.low + other.span.low, self.span.high + other.span.high)
        return Part(self.total.merge(other.total), deviation, span, self.sources | other.sources)


@dataclass(frozen=True)
class Aggregation:
    """The sum of all sources, and what it took.

    Parameters
    ----------
    parts : by strand; those without noise are the same bits whatever the tree and the protections
    bytes_sent : bytes that each source and tier sent upwards: keys, shares, its vectors, signatures
    bytes_told : bytes that each was told on its way
    """

    parts: Mapping[str, Part]
    bytes_sent: Mapping[str, int]
    bytes_told: Mapping[str, int]

    @property
    def total(self) -> Statistic:
        """The sum of all strands."""
        return Statistic.total([part.total for part in self.parts.values()])


@dataclass
class _Fold:
    """What was said so far, by strand and name."""

    round_id: str
    entropy: Entropy
    l2: float | None
    spoken: dict[tuple[str, str], Part] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    def play(self, group: Group) -> None:
        """Play one group: every member adds its noise and protects its vector, the tier adds what arrives."""
        inside = {name: self._noised(group, name) for name in group.members}
        spans = [part.span for _, part in inside.values()]
        known = [span for span in spans if span is not None]
        bounds = Span(min(s.low for s in known), max(s.high for s in known)) if len(known) == len(spans) else None
        round_id = "/".join(filter(None, (self.round_id, group.strand, group.tier, group.protection)))
        form = next(iter(inside.values()))[1].total
        session = PROTECTIONS[group.protection].open(
            group.members, round_id=round_id, length=form.values.size, entropy=self.entropy, span=bounds
        )
        played = play(session, {name: values for name, (values, _) in inside.items()})
        self._hear(group, played, Statistic(form.kind, form.shape, played.total), [part for _, part in inside.values()])

    def _noised(self, group: Group, name: str) -> "tuple[partial[Fixed], Part]":
        """Return how to get a member's vector, and the part as it will stand in the sum."""
        part, mechanism = self.spoken[group.strand, name], dict(group.mechanisms)[name]
        noise = mechanism.drawn(len(group.members), l2=self.l2, length=part.total.values.size)
        if noise is None:
            return partial(getattr, part.total, "values"), part
        drawn = noise.share if isinstance(noise, SharedNoise) else noise.deviation
        deviation = (part.deviation**2 + drawn**2) ** 0.5
        span = noise.widened(part.span) if part.span else None
        return partial(noise.noised, part.total.values, self.entropy), Part(part.total, deviation, span, part.sources)

    def _hear(self, group: Group, played: Played, total: Statistic, inside: Sequence[Part]) -> None:
        self.sent.update(played.sent)
        self.told.update(played.told)
        joined = inside[0]
        for part in inside[1:]:
            joined = joined.merge(part)
        joined = Part(total, joined.deviation, joined.span, joined.sources)
        before = self.spoken.get((group.strand, group.tier))
        self.spoken[group.strand, group.tier] = before.merge(joined) if before else joined


def aggregate(
    groups: Sequence[Group],
    contributions: Mapping[SourceId, Statistic],
    *,
    round_id: str,
    entropy: Entropy,
    span: Span | None = None,
    l2: float | None = None,
) -> Aggregation:
    """Add the contributions of all sources of the groups.

    Parameters
    ----------
    groups : lowest tiers first, as ``group`` or a plan gives them
    contributions : one statistic per source of the groups, no more and no fewer, all of one kind and shape
    round_id : never used before, for masks are bound to it
    entropy : where secret keys and noise come from, e.g. ``secrets.token_bytes``
    span : public bounds of every value of every source; sums then travel in the fewest bits that are proven to hold
        them, otherwise in 64
    l2 : by how many steps of the grid (L2) one record exchanged for another can move a source's vector: what noise is
        measured by
    """
    _require_all(groups, contributions)
    fold = _Fold(round_id, entropy, l2)
    for group in groups:
        for name in set(group.members) & set(contributions):
            fold.spoken[group.strand, name] = Part(contributions[name], 0.0, span, frozenset({name}))
        fold.play(group)
    root = groups[-1].tier
    parts = {strand: part for (strand, name), part in fold.spoken.items() if name == root}
    return Aggregation(parts, fold.sent, fold.told)


def _require_all(groups: Sequence[Group], contributions: Mapping[SourceId, Statistic]) -> None:
    tiers = {group.tier for group in groups}
    named = [name for group in groups for name in group.members if name not in tiers]
    missing, foreign = sorted(set(named) - set(contributions)), sorted(set(contributions) - set(named))
    if missing or foreign or len(named) > len(set(named)):
        raise Refusal(
            "E-TIER-SOURCES",
            Message(
                f"缺少来源 {missing}，多出来源 {foreign}，或重复。",
                f"Sources missing {missing}, not in the groups {foreign}, or twice.",
            ),
            Message("请按已回答的来源重新分组。", "Group anew the sources that answered."),
        )
    forms = {(s.kind, s.shape, s.values.size) for s in contributions.values()}
    if len(forms) > 1:
        raise Refusal(
            "E-STATISTIC-FORM",
            Message(f"各来源的统计量形式不同：{sorted(forms)}。", f"The statistics differ in form: {sorted(forms)}."),
            Message("请让各来源回答同一个问题。", "Ask every source the same question."),
        )
