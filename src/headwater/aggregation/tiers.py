"""Fold statistics up the tree, each message by the mechanism that its sender demands.

Whoever cannot be reached is lost from then on, with all that it carried: a source, or a tier with the sources below it.
A group that loses more than its protection bears ends, reveals nothing, and its sources are lost; what is left goes on.
A tier above keeps the numbers that all its planned members agreed on, so a tier that is silent cannot lower them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from headwater.aggregation.grouping import Group
from headwater.aggregation.here import Here
from headwater.aggregation.sitting import Heard, Noise, Player, Sitting
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.security import Entropy, Span
from headwater.security.events import Event, NonPrivate
from headwater.security.pact import Pact
from headwater.security.shared_noise import SharedNoise
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Aggregation", "Fold", "Part", "aggregate", "folded"]


@dataclass(frozen=True)
class _Standing:
    """What is public of a message: see ``Part``, whose sum it lacks."""

    deviation: float
    span: Span | None
    sources: frozenset[SourceId]

    @staticmethod
    def joined(parts: Sequence["_Standing"]) -> "_Standing":
        """Return what stands behind a sum of messages."""
        deviation = sum(part.deviation**2 for part in parts) ** 0.5
        spans = [part.span for part in parts if part.span]
        span = Span(sum(s.low for s in spans), sum(s.high for s in spans)) if len(spans) == len(parts) else None
        return _Standing(deviation, span, frozenset().union(*(part.sources for part in parts)))

    def with_noise(self, noise: Noise | None) -> "_Standing":
        """Return it with the noise that a member adds."""
        if noise is None:
            return self
        drawn = noise.share if isinstance(noise, SharedNoise) else noise.deviation
        span = noise.widened(self.span) if self.span else None
        return _Standing((self.deviation**2 + drawn**2) ** 0.5, span, self.sources)


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


@dataclass(frozen=True)
class Aggregation:
    """The sum of all sources that were not lost, and what it took.

    Parameters
    ----------
    parts : by strand; those without noise are the same bits whatever the tree and the protections
    bytes_sent : bytes that each source and tier sent upwards: keys, shares, its vectors, signatures
    bytes_told : bytes that each was told on its way
    pacts : what every group agreed on, with the public keys of its members, in the order of the groups
    events : by source in the parts, the noise that was added last; shares by the number of survivors
    lost : by source in no part, why
    """

    parts: Mapping[str, Part]
    bytes_sent: Mapping[str, int]
    bytes_told: Mapping[str, int]
    pacts: tuple[Pact, ...]
    events: Mapping[SourceId, Event]
    lost: Mapping[SourceId, HeadwaterError]

    @property
    def total(self) -> Statistic:
        """The sum of all strands."""
        return Statistic.total([part.total for part in self.parts.values()])


@dataclass
class Fold:
    """An aggregation under way, group by group; see ``aggregate``.

    Parameters
    ----------
    span, l2 : as ``aggregate`` takes them
    """

    round_id: str
    span: Span | None = None
    l2: float | None = None
    _spoken: dict[tuple[str, str], _Standing] = field(default_factory=dict, init=False)
    _sent: Counter[str] = field(default_factory=Counter, init=False)
    _told: Counter[str] = field(default_factory=Counter, init=False)
    _pacts: list[Pact] = field(default_factory=list, init=False)
    _events: dict[SourceId, Event] = field(default_factory=dict, init=False)
    _lost: dict[SourceId, HeadwaterError] = field(default_factory=dict, init=False)

    def of(self, groups: Sequence[Group], player: Player, form: Statistic) -> Aggregation:
        """Have all groups played, lowest first; if nothing reaches the root it is refused.

        Parameters
        ----------
        player : who plays them, and knows what their sources say
        form : a statistic of the kind, shape and length of each of theirs
        """
        tiers = {group.tier for group in groups}
        for level in _levels(groups):
            for group in level:
                for name in set(group.members) - tiers:
                    self._spoken[group.strand, name] = _Standing(0.0, self.span, frozenset({name}))
                    self._events[name] = NonPrivate()
            self._play(level, player, form)
        root = groups[-1].tier
        strands = [strand for strand, name in self._spoken if name == root]
        if not strands:
            raise _nothing(list(self._lost.values()))
        parts = {strand: self._part(player.total(strand, root), self._spoken[strand, root]) for strand in strands}
        events = {source: event for source, event in self._events.items() if source not in self._lost}
        return Aggregation(parts, self._sent, self._told, tuple(self._pacts), events, self._lost)

    @staticmethod
    def _part(total: Statistic, standing: _Standing) -> Part:
        return Part(total, standing.deviation, standing.span, standing.sources)

    def _play(self, level: Sequence[Group], player: Player, form: Statistic) -> None:
        """Have groups played none of which waits for another, and keep what is public of them."""
        planned = [one for group in level if (one := self._planned(group, form)) is not None]
        for (sitting, inside), heard in zip(planned, player.play([sitting for sitting, _ in planned]), strict=True):
            self._pacts.append(heard.pact)
            self._sent.update(heard.sent)
            self._told.update(heard.told)
            self._hear(sitting, heard, inside)

    def _planned(self, group: Group, form: Statistic) -> tuple[Sitting, dict[str, _Standing]] | None:
        """Return a group as it is about to be played, and who has something to say in it; None where nobody has."""
        said = {name: self._spoken.pop((group.strand, name), None) for name in group.members}
        inside = {name: standing for name, standing in said.items() if standing is not None}
        if not inside:
            return None
        sitting = Sitting(group, self.round_id, form.kind, form.shape, form.values.size, tuple(inside), None, self.l2)
        noised = [standing.with_noise(sitting.noise(name)) for name, standing in inside.items()]
        return replace(sitting, span=_bounds(noised)), inside

    def _hear(self, sitting: Sitting, heard: Heard, inside: Mapping[str, _Standing]) -> None:
        """Keep what stands behind what the tier has to say now, and who is lost."""
        for name, fault in heard.lost.items():
            # Whoever had nothing to say is no part: why, was kept with the sources below.
            self._lost.update(dict.fromkeys(sorted(inside[name].sources) if name in inside else (), fault))
        if not heard.survivors:
            return
        for name in heard.survivors:
            if (noise := sitting.noise(name)) is not None:
                event = noise.event(len(heard.survivors)) if isinstance(noise, SharedNoise) else noise.event
                self._events.update(dict.fromkeys(inside[name].sources, event))
        joined = _Standing.joined([inside[name].with_noise(sitting.noise(name)) for name in heard.survivors])
        key = sitting.group.strand, sitting.group.tier
        self._spoken[key] = _Standing.joined([self._spoken[key], joined]) if key in self._spoken else joined


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
    return folded(groups, Here(contributions, entropy), round_id=round_id, span=span, l2=l2)


def folded(
    groups: Sequence[Group], here: Here, *, round_id: str, span: Span | None = None, l2: float | None = None
) -> Aggregation:
    """Add the contributions that a player of this process has; see ``aggregate``."""
    _require_all(groups, here.contributions)
    return Fold(round_id, span, l2).of(groups, here, next(iter(here.contributions.values())))


def _levels(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Yield groups in their order, as many together as wait for none of each other."""
    level: list[Group] = []
    for group in groups:
        if {(group.strand, name) for name in group.members} & {(one.strand, one.tier) for one in level}:
            yield level
            level = []
        level.append(group)
    yield level


def _bounds(parts: Sequence[_Standing]) -> Span | None:
    """Return bounds that every part keeps, if all have bounds."""
    spans = [part.span for part in parts if part.span]
    known = len(spans) == len(parts)
    return Span(min(span.low for span in spans), max(span.high for span in spans)) if known else None


def _nothing(causes: Sequence[HeadwaterError]) -> Refusal:
    last = causes[-1].reason if causes else Message("没有成员。", "There are no members.")
    return Refusal(
        "E-TIER-EMPTY",
        Message(f"没有任何来源进入合计；最后的原因：{last.zh}", f"No source is in the sum. The last cause: {last.en}"),
        Message("请与在场成员重新开始，用新的轮次编号。", "Start anew with the members present, under a new round id."),
    )


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
