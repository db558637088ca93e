"""Follow sources period by period: watch every value, decide about all, and take up where the last period stands."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

from headwater.errors import Message
from headwater.evolution.budgets import Budgets, Cost
from headwater.evolution.detector import Change, Detector
from headwater.evolution.policy import Evidence, Plan, Policy
from headwater.evolution.presence import Presence, State
from headwater.evolution.standing import COUNTED, Standing
from headwater.types import SourceId

__all__ = ["Reading", "Tick", "Watch", "month_at", "month_number", "replay"]


@dataclass(frozen=True)
class Reading:
    """What one source gave in one period.

    Parameters
    ----------
    value : what it is worth; None if it was asked and did not answer
    returned : number of the earlier regime that what it says agrees with; None: of none
    """

    value: float | None
    returned: int | None = None


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
    away : sources that announced, before the month or after it, that nothing would come; they are not asked, their
        value is None whatever came, and it is no silence that presence would count
    """

    detector: Callable[[], Detector]
    policy: Policy = Policy()
    budgets: Budgets = Budgets()
    cost: Callable[[SourceId], Cost] = _free
    news: Callable[[SourceId, date], float] = _none
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


def replay(
    months: Iterable[date],
    read: Callable[[date, frozenset[SourceId]], Mapping[SourceId, Reading]],
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
    read : asks all sources in a month but those that rest
    standings : at the start, or after the last tick of ``past``
    past : all ticks so far; detectors are fed from their values, and nothing is decided about them anew
    approved : standings that people agreed to after a month, by month and source
    """
    sources: dict[SourceId, _Source] = {}
    resting: frozenset[SourceId] = frozenset()
    for tick in past:
        _see(sources, tick.month, tick.values, watch)
        resting = _resting(tick, approved.get(tick.month, {}))
    standing = dict(standings)
    for month in months:
        away = watch.away(month)
        readings = read(month, resting | away)
        changes = _see(sources, month, {source: reading.value for source, reading in readings.items()}, watch)
        evidence = {
            name: Evidence(
                tuple(source.values),
                changes.get(name),
                source.state,
                readings[name].returned if name in readings else None,
                watch.cost(name),
                watch.news(name, month),
            )
            for name, source in sources.items()
        }
        plan = _told(watch.policy.plan(evidence, standing, budgets=watch.budgets), readings, away)
        standing |= plan.standings | dict(approved.get(month, {}))
        presences: dict[SourceId, State] = {source: sources[source].state for source in readings}
        presences |= dict.fromkeys(away & sources.keys(), "outage")
        values = {source: reading.value for source, reading in readings.items()}
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


def _see(
    sources: dict[SourceId, _Source], month: date, values: Mapping[SourceId, float | None], watch: Watch
) -> dict[SourceId, Change]:
    """Let every known source see the month, new ones among them, and return the changes noticed."""
    away = watch.away(month)
    values = {name: value for name, value in values.items() if name not in away}
    for name in sorted(values.keys() - sources.keys()):
        sources[name] = _Source(watch.detector())
    seen = {
        name: source.see(month_number(month), values.get(name), asked=name in values)
        for name, source in sources.items()
    }
    return {name: change for name, change in seen.items() if change is not None}


_RESTED = Message("本期未询问，不作变动。", "Not asked in this period, so nothing changes.")


_AWAY = Message("其预告本月中断，不作变动。", "It announced an outage for this month, so nothing changes.")


def _told(plan: Plan, readings: Mapping[SourceId, Reading], away: frozenset[SourceId]) -> Plan:
    """Return the plan with the true reason for a source that was not asked, which is none for absence."""
    decisions = {
        source: decision
        if source in readings or decision.action != "keep" or decision.standing == "removed"
        else replace(decision, reason=_AWAY if source in away else _RESTED)
        for source, decision in plan.decisions.items()
    }
    return Plan(decisions, plan.spent)
