"""Replay: every month in its turn, what each source delivered is valued, decided about, and merged or subtracted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters.features import Region
from headwater.adapters.learners import Ridge
from headwater.errors import Message, Refusal
from headwater.evolution import DETECTORS, Growth, Policy, Tick
from headwater.evolution import replay as ticks
from headwater.federation import InProcess, Source, Transport, ask
from headwater.statistics import Statistic
from headwater.types import SourceId, Vector
from headwater.valuation import METHODS, GramUtility

__all__ = ["History", "State", "follow"]

_LONGEST_WINDOW = 6
_MEMORY = 24
_FEWEST_MONTHS = 4
_STAYS_TO_VALUE = 100
# Every month is a game of its own: twelve players are 4,096 coalitions, each player more doubles the time.
_EXACT_UP_TO = 12


@dataclass(frozen=True, eq=False)
class History:
    """What every source said about every month, and the bureau's own records of the same months.

    Parameters
    ----------
    months : those in which at least half of the sources delivered
    said : month and source to the statistic; a source that delivered nothing is not there
    train, valid, unseen : the bureau's own statistic of each month; ``unseen`` is all that no model is trained on
    bytes_by_source : exchanged with each source over all months
    transport : reaches them
    """

    region: Region
    learner: Ridge
    months: tuple[date, ...]
    said: Mapping[date, Mapping[SourceId, Statistic]]
    train: Mapping[date, Statistic]
    valid: Mapping[date, Statistic]
    unseen: Mapping[date, Statistic]
    bytes_by_source: Mapping[SourceId, int]
    transport: Transport

    @staticmethod
    def ask(region: Region, learner: Ridge, *, guarded: Sequence[Source] | None = None) -> "History":
        """Ask every source about every month.

        Parameters
        ----------
        guarded : the region's sources under their requirements; None: as they are
        """
        months = _months(region)
        transport, said = InProcess(region.sources if guarded is None else guarded), {}
        exchanged: Counter[SourceId] = Counter()
        for month in months:
            answers = ask(transport, learner.asked(months=(month,)))
            said[month] = answers.statistics
            exchanged.update(answers.bytes_by_source)
        own, target = partial(_by_month, learner, months), region.target
        unseen = pa.concat_tables([target.valid, target.test])
        return History(
            region, learner, months, said, own(target.train), own(target.valid), own(unseen), dict(exchanged), transport
        )

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """All sources, by name."""
        return tuple(sorted(self.region.cities))

    @property
    def window(self) -> int:
        """Months of its own records by which the bureau values what is delivered."""
        return min(_LONGEST_WINDOW, max(1, len(self.months) // 4))

    @property
    def memory(self) -> int:
        """Deliveries that a model remembers of each source: two years, for what was worth something spoils slowly."""
        return _MEMORY

    @property
    def span(self) -> int:
        """Deliveries that are valued at once: as few as hold 100 stays at the median source, and within the window."""
        monthly = float(np.median(list(self.region.stays.values()))) / len(self.months)
        return min(self.window, max(1, int(np.ceil(_STAYS_TO_VALUE / monthly))))

    def delivered(self, source: SourceId, month: date, *, last: int) -> tuple[date, ...]:
        """Return the ``last`` months up to ``month`` in which the source delivered."""
        return tuple(m for m in self.months if m <= month and source in self.said[m])[-last:]

    def statistic(self, source: SourceId, months: Sequence[date]) -> Statistic:
        """Return the source's statistic of some months."""
        return Statistic.total(self.said[month][source] for month in months)

    def own(self, part: Mapping[date, Statistic], month: date, *, last: int | None = None) -> Statistic:
        """Return the bureau's statistic of the ``last`` months up to ``month``, by default of all."""
        until = [m for m in self.months if m <= month]
        return Statistic.total(part[m] for m in until[-(last or len(until)) :])

    def everything(self, month: date) -> list[Statistic]:
        """Return the newest deliveries of every source until ``month``, whatever they are worth."""
        remembered = {s: self.delivered(s, month, last=self.memory) for s in self.sources}
        return [self.statistic(s, months) for s, months in remembered.items() if months]

    def refit(self, state: "State") -> Statistic:
        """Ask the members anew for the months that the model remembers, from their records in one go."""
        total = self.own(self.train, state.tick.month)
        for source in sorted(state.growth.members):
            answers = ask(self.transport, self.learner.asked(months=state.memory[source]), sources=[source])
            total = total.merge(answers.statistics[source])
        return total


@dataclass(frozen=True, eq=False)
class State:
    """The model after one month.

    Parameters
    ----------
    tick : what was seen and decided
    before : members while the month was valued
    memory : source to the months that the model would remember of it: the newest that were worth something
    growth : the statistic behind the model, with the certificate of every step
    coefficients : of the evolving model, of one that never changed, and of the bureau's records alone
    errors : their root mean squared errors of ln(cost) in the next month; empty after the last
    """

    tick: Tick
    before: frozenset[SourceId]
    memory: Mapping[SourceId, tuple[date, ...]]
    growth: Growth
    coefficients: Mapping[str, Vector]
    errors: Mapping[str, float] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether a source was dropped or added."""
        return self.before != self.tick.active


def follow(history: History, *, seed: int, policy: Policy) -> Iterator[State]:
    """Yield the state after every month, from the first that has a whole window behind it.

    A delivery of no positive value never enters the model, even while its source is still a member.
    """
    months = history.months[history.window - 1 :]
    first = _values(history, seed, months[0], frozenset())
    before = frozenset(source for source, worth in first.items() if worth is not None and worth > 0)
    memory = {source: history.delivered(source, months[0], last=history.window)[:-1] for source in before}
    value, growth, static = partial(_values, history, seed), None, None
    for tick in ticks(months, value, active=before, policy=policy, detector=DETECTORS["glr"]):
        memory = _remembered(memory, tick, last=history.memory)
        growth = _grown(history, growth, tick, memory)
        evolving = history.learner.solve(growth.total)
        static = evolving if static is None else static
        models = {"evolving": evolving, "static": static, "target_only": history.learner.solve(growth.base)}
        yield State(tick, before, memory, growth, models, _errors(history, models, tick.month))
        before = tick.active


def _remembered(
    memory: Mapping[SourceId, tuple[date, ...]], tick: Tick, *, last: int
) -> dict[SourceId, tuple[date, ...]]:
    useful = {source for source, worth in tick.values.items() if worth is not None and worth > 0}
    known = set(memory) | useful
    return {s: (*memory.get(s, ()), *([tick.month] if s in useful else []))[-last:] for s in sorted(known)}


def _values(history: History, seed: int, month: date, active: frozenset[SourceId]) -> dict[SourceId, float | None]:
    """Value what was delivered in ``month``; the members have no say in it, so a source on trial is valued alike."""
    players = {
        source: history.statistic(source, history.delivered(source, month, last=history.span))
        for source in sorted(history.said[month])
    }
    values: dict[SourceId, float | None] = dict.fromkeys(history.sources)
    if players:
        game = GramUtility(
            target=history.own(history.train, month, last=history.window),
            sources=players,
            validation=history.own(history.valid, month, last=history.window),
            gram=history.learner.gram,
            ridge=history.learner.model.spec.ridge,
        )
        method = METHODS["exact" if len(players) <= _EXACT_UP_TO else "permutation"]
        found = method(game, game.players, rng=np.random.default_rng([seed, month.toordinal()]))
        values |= {source: found.of(source) for source in players}
    return values


def _grown(history: History, growth: Growth | None, tick: Tick, memory: Mapping[SourceId, tuple[date, ...]]) -> Growth:
    """Bring the model up to the month by exact steps alone."""
    base = history.own(history.train, tick.month)
    said = {source: history.statistic(source, memory[source]) for source in sorted(tick.active)}
    if growth is None:
        return Growth.start(base, said)
    total = growth.total.subtract(growth.base).merge(base)
    growth = Growth(base, growth.members, total, growth.certificates)
    for source in sorted(set(growth.members) - tick.active):
        growth = growth.remove(source)
    for source, statistic in said.items():
        if source not in growth.members:
            growth = growth.add(source, statistic)
        elif growth.members[source] != statistic:
            growth = growth.refresh(source, statistic)
    growth.proven()
    return growth


def _errors(history: History, models: Mapping[str, Vector], month: date) -> dict[str, float]:
    following = [m for m in history.months if m > month][:1]
    gram = history.learner.gram
    if not following or not gram.records(history.unseen[following[0]]):
        return {}
    return {name: gram.loss(history.unseen[following[0]], model) ** 0.5 for name, model in models.items()}


def _months(region: Region) -> tuple[date, ...]:
    delivering = Counter(month for source in region.sources for month in source.describe().months)
    months = tuple(sorted(month for month, count in delivering.items() if 2 * count >= len(region.sources)))
    if len(months) < _FEWEST_MONTHS:
        raise Refusal(
            "E-EVOLVE-SHORT",
            Message(
                f"“{region.name}”只有 {len(months)} 个月的数据，至少需要 {_FEWEST_MONTHS} 个月。",
                f"{region.name} has {len(months)} months of data, {_FEWEST_MONTHS} are needed.",
            ),
            Message("请先接入更多月份。", "Land more months first."),
        )
    return months


def _by_month(learner: Ridge, months: Sequence[date], table: pa.Table) -> dict[date, Statistic]:
    question, when = learner.asked(), table.column("month")
    return {month: question.of(table.filter(pc.equal(when, pa.scalar(month, when.type)))) for month in months}
