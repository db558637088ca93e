"""Follow sources period by period: watch every value, decide about all, and take up where the last period stands."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from headwater.errors import Message
from headwater.evolution.budgets import Budgets, Cost
from headwater.evolution.detector import Change, Detector
from headwater.evolution.policy import Evidence, Plan, Policy
from headwater.evolution.presence import Presence, State
from headwater.evolution.recurring import Turn
from headwater.evolution.standing import COUNTED, Standing
from headwater.types import SourceId

__all__ = ["Tick", "Watch", "month_at", "month_number", "ticks"]


@dataclass(frozen=True)
class Tick:
    """One period: what was seen and decided, and where every source stands from the next one on.

    Parameters
    ----------
    values : of the sources that were asked; None: no answer
    changes : noticed in this period
    presences : of the sources that were asked, and ``outage`` of those that announced one
    plan : decisions about all sources that are known, within the budgets
    standings : afterwards, of all sources that are known
    """

    month: date
    values: Mapping[SourceId, float | None]
    changes: Mapping[SourceId, Change]
    presences: Mapping[SourceId, State]
    plan: Plan
    standings: Mapping[SourceId, Standing]

    @property
    def active(self) -> frozenset[SourceId]:
        """The sources whose statistic is in the model from now on."""
        return frozenset(source for source, standing in self.standings.items() if standing in COUNTED)

    @property
    def resting(self) -> frozenset[SourceId]:
        """The sources that are not asked in the next period; one that nobody knows yet is always asked."""
        return frozenset(source for source, decision in self.plan.decisions.items() if not decision.asked)


def _free(source: SourceId) -> Cost:
    return Cost()


def _none(source: SourceId, month: date) -> float:
    return 0.0


def _nobody(month: date) -> frozenset[SourceId]:
    return frozenset()


def _never(source: SourceId, month: date) -> Turn | None:
    return None


@dataclass(frozen=True)
class Watch:
    """How sources are watched and decided about.

    Parameters
    ----------
    detector : makes a new one for each source
    policy : decides
    budgets : of every period
    cost : of asking a source once and of acting on it; it is known before it is asked
    news : records that a source has in a month of which it never told
    turn : how what a source says itself is something else than what counts of it; asked only where that may decide: of
        one whose value changed, for that alone may have other reasons, or that is outside the model and was good in
        this period
    away : sources that announced that nothing would come; in a month that was not followed yet they are not asked, and
        a silence, even of a month that was, is none that presence would count. A value that was told stays
    """

    detector: Callable[[], Detector]
    policy: Policy = Policy()
    budgets: Budgets = Budgets()
    cost: Callable[[SourceId], Cost] = _free
    news: Callable[[SourceId, date], float] = _none
    turn: Callable[[SourceId, date], Turn | None] = _never
    away: Callable[[date], frozenset[SourceId]] = _nobody


def month_number(month: date) -> float:
    """Return the time of a month for detectors, in months.

    >>> month_number(date(2025, 3, 1)) - month_number(date(2024, 12, 1))
    3.0
    """
    return float(12 * month.year + month.month - 1)


def month_at(time: float) -> date:
    """Return the month that a detector's time falls into: the first whose number is not below it.

    >>> month_at(month_number(date(2025, 3, 1)) - 0.5)
    datetime.date(2025, 3, 1)
    """
    year, month = divmod(int(-(-time // 1)), 12)
    return date(year, month + 1, 1)


def ticks(
    months: Iterable[date],
    read: Callable[[date, frozenset[SourceId]], Mapping[SourceId, float | None]],
    *,
    watch: Watch,
    standings: Mapping[SourceId, Standing],
    past: Sequence[Tick] = (),
    approved: Mapping[date, Mapping[SourceId, Standing]] = MappingProxyType({}),
) -> Iterator[Tick]:
    """Yield one tick a month; one call over many months gives what a call for each does, given the ticks before.

    Parameters
    ----------
    months : first days, in order, behind those of ``past``
    read : asks all sources in a month but those that rest, and tells what each is worth; None: no answer
    standings : at the start, or after the last tick of ``past``
    past : all ticks so far; detectors are fed from their values, and nothing is decided about them anew
    approved : standings that people agreed to after a month, by month and source
    """
    seen = _Seen(watch)
    resting: frozenset[SourceId] = frozenset()
    for tick in past:
        seen.see(tick.month, tick.values)
        resting = _resting(tick, approved.get(tick.month, {}))
    standing = dict(standings)
    for month in months:
        away = watch.away(month)
        values = dict(read(month, resting | away))
        changes = seen.see(month, values)
        rests = {name: _AWAY if name in away else _RESTED for name in seen.sources.keys() - values.keys()}
        evidence = {name: seen.evidence(name, month, changes, standing, rests.get(name)) for name in seen.sources}
        plan = watch.policy.plan(evidence, standing, budgets=watch.budgets)
        standing |= plan.standings | dict(approved.get(month, {}))
        presences: dict[SourceId, State] = {source: seen.sources[source].state for source in values}
        presences |= dict.fromkeys(away & seen.sources.keys(), "outage")
        tick = Tick(month, values, changes, presences, plan, dict(standing))
        resting = _resting(tick, approved.get(month, {}))
        yield tick


def _resting(tick: Tick, approved: Mapping[SourceId, Standing]) -> frozenset[SourceId]:
    """Return who is not asked after a tick: whom a person removed then, and not whom one brought back."""
    removed = frozenset(source for source, standing in approved.items() if standing == "removed")
    return tick.resting.difference(approved) | removed


@dataclass
class _Source:
    """What is remembered of a source: its detector, its habit of answering, and its values, None where none came."""

    detector: Detector
    presence: Presence = field(default_factory=Presence)
    values: list[float | None] = field(default_factory=list)
    state: State = "present"

    def see(self, time: float, value: float | None, *, asked: bool) -> Change | None:
        self.values.append(value)
        if not asked:
            # Who was not asked has not failed to answer.
            return None
        self.state = self.presence.update(time, value is not None)
        return self.detector.update(time, value)


class _Seen:
    """All that was seen so far of every source."""

    def __init__(self, watch: Watch) -> None:
        self.sources: dict[SourceId, _Source] = {}
        self._watch = watch

    def see(self, month: date, values: Mapping[SourceId, float | None]) -> dict[SourceId, Change]:
        """Let every known source see the month, new ones among them, and return the changes noticed."""
        time, away = month_number(month), self._watch.away(month)
        # A notice explains a silence; what came and was valued before the notice stays what it was.
        values = {name: value for name, value in values.items() if name not in away or value is not None}
        for name in sorted(values.keys() - self.sources.keys()):
            self.sources[name] = _Source(self._watch.detector())
        seen = {name: one.see(time, values.get(name), asked=name in values) for name, one in self.sources.items()}
        return {name: change for name, change in seen.items() if change is not None}

    def evidence(
        self,
        name: SourceId,
        month: date,
        changes: Mapping[SourceId, Change],
        standings: Mapping[SourceId, Standing],
        rest: Message | None,
    ) -> Evidence:
        """Return all that is known of a source."""
        source, watch = self.sources[name], self._watch
        worth = source.values[-1]
        comes = standings.get(name) not in COUNTED and worth is not None and worth > watch.policy.use
        turn = watch.turn(name, month) if name in changes or comes else None
        cost, news = watch.cost(name), watch.news(name, month)
        return Evidence(tuple(source.values), changes.get(name), source.state, turn, cost, news, rest)


_RESTED = Message("本期未询问，不作变动。", "Not asked in this period, so nothing changes.")
_AWAY = Message("其预告本月中断，不作变动。", "It announced an outage for this month, so nothing changes.")
