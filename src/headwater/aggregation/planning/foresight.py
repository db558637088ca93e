"""What a set of groups would give: bytes, seconds, and the noise of every strand, before anything is sent.

Members that are alike are counted, not listed, so that a plan of ten thousand sources is weighed as fast as one of ten.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias

from headwater.aggregation.mechanism import Mechanism
from headwater.aggregation.planning.costs import Bill, Costs, Link
from headwater.security import PROTECTIONS
from headwater.security.gaussian_noise import GaussianNoise
from headwater.security.pact import Span
from headwater.security.shared_noise import SharedNoise

__all__ = ["Crowd", "Gathering", "Job", "Measure", "Outlook", "State", "Walk", "drawn", "foresee", "sized"]

_REACH = 9.6, 40
"""Of a table of noise, about: so many standard deviations and steps (``security/noise.py``)."""


@dataclass(frozen=True)
class Job:
    """What is to be joined.

    Parameters
    ----------
    region : name of the root
    purpose : as requirements call it
    length : values in every vector
    span : public bounds of every value of every source; None: 64 bits
    l2 : by how many steps of the grid one record exchanged for another can move a source's vector; None: no noise can
        be measured, so none is planned
    holder : who keeps the key of encrypted sums; None: nothing is encrypted
    """

    region: str
    purpose: str
    length: int
    span: Span | None = None
    l2: float | None = None
    holder: str | None = None

    @property
    def travel(self) -> tuple[str, ...]:
        """Protections that there are for it."""
        return tuple(name for name in PROTECTIONS if name != "ckks" or self.holder)

    @property
    def scatter(self) -> float:
        """Variance of one value of one record, at most: two records differ by ``l2`` in all values together."""
        return (self.l2 or 0.0) ** 2 / (2 * self.length)


@dataclass(frozen=True)
class State:
    """What one member, or a tier of one strand, is about to say.

    Parameters
    ----------
    variance : of the noise in every value
    inside : sources in it
    records : of all of them
    """

    span: Span | None
    variance: float
    inside: int
    records: float

    def plus(self, other: "State") -> "State":
        """Return both together."""
        span = self.span and other.span and Span(self.span.low + other.span.low, self.span.high + other.span.high)
        return State(
            span,
            self.variance + other.variance,
            self.inside + other.inside,
            self.records + other.records,
        )


@dataclass(frozen=True)
class Crowd:
    """Members of a group that are alike.

    Parameters
    ----------
    kind : of tiers, the name under which a gathering below stands; None for sources
    records : of each source, on average
    """

    kind: str | None
    mechanism: Mechanism
    count: int
    link: Link
    records: float = 0.0


@dataclass(frozen=True)
class Gathering:
    """One group, or ``times`` groups that are alike; ``link`` is its tier's."""

    tier: str
    strand: str
    crowds: tuple[Crowd, ...]
    link: Link
    times: int = 1

    @property
    def protection(self) -> str:
        """What its members have in common."""
        return self.crowds[0].mechanism.protection

    @property
    def members(self) -> int:
        """How many speak in one group."""
        return sum(crowd.count for crowd in self.crowds)


@dataclass(frozen=True)
class Outlook:
    """What comes of it.

    Parameters
    ----------
    bills : of every gathering, in order
    strands : what the region has in the end
    busy : seconds of every tier's rounds, one after another
    below : the tiers that it waits for
    most_whole : bytes that a node takes in from members who add noise together, so that nothing can be put in between
    bytes_sent : by everybody
    sights : how often a node sees a source's own numbers without noise
    """

    bills: tuple[Bill, ...]
    strands: Mapping[str, State]
    busy: Mapping[str, float]
    below: Mapping[str, frozenset[str]]
    most_whole: int
    bytes_sent: int
    sights: int

    @staticmethod
    def total(parts: "Sequence[Outlook]") -> "Outlook":
        """Return strands that were foreseen one by one together."""
        busy: dict[str, float] = defaultdict(float)
        below: dict[str, frozenset[str]] = defaultdict(frozenset)
        strands: dict[str, State] = {}
        for part in parts:
            strands |= part.strands
            for tier, seconds in part.busy.items():
                busy[tier] += seconds
                below[tier] |= part.below[tier]
        bills = tuple(bill for part in parts for bill in part.bills)
        sent, sights = sum(part.bytes_sent for part in parts), sum(part.sights for part in parts)
        whole = max((part.most_whole for part in parts), default=0)
        return Outlook(bills, strands, busy, below, whole, sent, sights)

    def seconds(self, tier: str) -> float:
        """Return when a tier has its sums: it waits for those below."""
        return self.busy.get(tier, 0.0) + max(map(self.seconds, self.below.get(tier, ())), default=0.0)

    def weight(self, job: Job) -> float:
        """Return of how many records without noise the sums are worth: what plans want most of.

        A sum of n records with noise of variance v tells as much as n² / (n + v / s) records, s being the variance of
        one record; strands, weighed by what is known of them, add up.
        """
        worth = 0.0
        for state in self.strands.values():
            loss = state.variance / job.scatter if state.variance else 0.0
            worth += state.records**2 / (state.records + loss) if state.records else 0.0
        return worth


Measure: TypeAlias = Callable[[Mechanism, int, Job], tuple[float, int]]
"""By mechanism and members of its group: standard deviation and largest draw of what one member adds, in steps."""


def sized(mechanism: Mechanism, members: int, job: Job) -> tuple[float, int]:
    """Measure the noise of one member quickly; its largest draw is known but for some steps."""
    deviation = _deviation(mechanism, members if mechanism.noise == "group" else 0, job.l2, job.length)
    return deviation, math.ceil(_REACH[0] * deviation) + _REACH[1]


def drawn(mechanism: Mechanism, members: int, job: Job) -> tuple[float, int]:
    """Measure the noise of one member as it is drawn; refused as ``Mechanism.drawn`` refuses."""
    noise = mechanism.drawn(members, l2=job.l2, length=job.length)
    if noise is None:
        return 0.0, 0
    deviation = noise.share if isinstance(noise, SharedNoise) else noise.deviation
    return deviation, noise.widened(Span(0, 0)).high


@lru_cache(maxsize=4096)
def _deviation(mechanism: Mechanism, members: int, l2: float | None, length: int) -> float:
    if mechanism.noise == "sender":
        return GaussianNoise.sized(mechanism.epsilon, mechanism.delta, l2=l2).deviation
    return SharedNoise.sized(mechanism.epsilon, mechanism.delta, members=members, l2=l2, length=length).share


@dataclass
class Walk:
    """What was said so far, by strand and tier."""

    job: Job
    costs: Costs
    measure: Measure = sized
    spoken: dict[tuple[str, str], State] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    below: dict[str, frozenset[str]] = field(default_factory=lambda: defaultdict(frozenset))
    most_whole: int = 0
    bytes_sent: int = 0
    sights: int = 0
    bills: list[Bill] = field(default_factory=list)

    def copy(self) -> "Walk":
        """Return a walk from here on that leaves this one as it is, and counts anew."""
        return Walk(self.job, self.costs, self.measure, dict(self.spoken), sights=self.sights)

    def play(self, gathering: Gathering) -> Bill:
        """Return what the group takes."""
        inside = [(crowd, self._said(crowd, gathering)) for crowd in gathering.crowds]
        links = [crowd.link for crowd in gathering.crowds]
        slowest = Link(min(link.bytes_per_second for link in links), max(link.seconds for link in links))
        bill = self.costs.bill(
            gathering.protection,
            members=gathering.members,
            length=self.job.length,
            span=_bounds([state for _, state in inside]),
            links=(slowest, gathering.link),
        )
        if PROTECTIONS[gathering.protection].reveals == "each":
            bare = sum(crowd.count for crowd, state in inside if state.inside == 1 and not state.variance)
            self.sights += bare * gathering.times
        self.busy[gathering.tier] += bill.seconds
        if gathering.crowds[0].mechanism.noise == "group":
            self.most_whole = max(self.most_whole, bill.sent * gathering.members)
        self.bytes_sent += bill.sent * gathering.members * gathering.times
        self.bills.append(bill)
        self.below[gathering.tier] |= {crowd.kind for crowd in gathering.crowds if crowd.kind}
        joined, before = _joined(inside), self.spoken.get((gathering.strand, gathering.tier))
        self.spoken[gathering.strand, gathering.tier] = before.plus(joined) if before else joined
        return bill

    def seen(self) -> Outlook:
        """Return what came of it."""
        strands = {strand: state for (strand, tier), state in self.spoken.items() if tier == self.job.region}
        return Outlook(tuple(self.bills), strands, self.busy, self.below, self.most_whole, self.bytes_sent, self.sights)

    def _said(self, crowd: Crowd, gathering: Gathering) -> State:
        """Return what one of the crowd says, its noise included."""
        state = self.spoken[gathering.strand, crowd.kind] if crowd.kind else State(self.job.span, 0.0, 1, crowd.records)
        if crowd.mechanism.noise == "nobody":
            return state
        deviation, reach = self.measure(crowd.mechanism, gathering.members, self.job)
        span = state.span and Span(state.span.low - reach, state.span.high + reach)
        return replace(state, span=span, variance=state.variance + deviation**2)


def foresee(gatherings: Sequence[Gathering], *, job: Job, costs: Costs, measure: Measure = sized) -> Outlook:
    """Return what the groups give, lowest tiers first, if nobody is lost.

    Parameters
    ----------
    measure : how large the noise of one member is: ``sized``, or ``drawn`` for bytes that are exact
    """
    walk = Walk(job, costs, measure)
    for gathering in gatherings:
        walk.play(gathering)
    return walk.seen()


def _bounds(states: Sequence[State]) -> Span | None:
    spans = [state.span for state in states if state.span]
    if len(spans) < len(states):
        return None
    return Span(min(span.low for span in spans), max(span.high for span in spans))


def _joined(inside: Sequence[tuple[Crowd, State]]) -> State:
    """Return the sum of all members."""
    spans = [(crowd.count, state.span) for crowd, state in inside if state.span]
    bounds = Span(sum(n * s.low for n, s in spans), sum(n * s.high for n, s in spans))
    return State(
        bounds if len(spans) == len(inside) else None,
        sum(crowd.count * state.variance for crowd, state in inside),
        sum(crowd.count * state.inside for crowd, state in inside),
        sum(crowd.count * state.records for crowd, state in inside),
    )
