"""Replay: month by month, what each source delivered is asked for, valued, decided about, and merged or subtracted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

import numpy as np

from headwater.adapters.held import Held
from headwater.evolution import Growth, Recurring, Standing, Tick, Turn, Watch, month_number, ticks
from headwater.evolution.recurring import Answers
from headwater.statistics import Statistic
from headwater.steps.hearing import Hearing
from headwater.steps.history import MEMORY, History
from headwater.steps.refit import asked_again
from headwater.types import SourceId, Vector
from headwater.valuation import METHODS, GramUtility

__all__ = ["Stand", "State", "best_weight", "follow", "refit", "weighted"]

_STAYS_TO_VALUE = 100
# Every month is a game of its own: twelve players are 4,096 coalitions, each player more doubles the time.
_EXACT_UP_TO = 12
_WEIGHTS = (1, 2, 4, 8, 16, 32)
"""How often the bureau's own records may count; powers of two: counting so is doubling, exact in every bit."""


@dataclass(frozen=True)
class Stand:
    """Where a replay stands after a month: with the ticks before it, all that the next month needs.

    Parameters
    ----------
    memory : source to the months in which it gave the answers that a model would hold: the newest that did no harm
    weight : how often the bureau's own records count
    """

    tick: Tick
    memory: Mapping[SourceId, tuple[date, ...]]
    weight: int


@dataclass(frozen=True, eq=False)
class State:
    """The model after one month.

    Parameters
    ----------
    stand : what was seen and decided, and what is remembered
    before : members while the month was valued
    growth : the statistic behind the model, with the certificate of every step
    steps : how many of its certificates this month added
    bytes : exchanged with all sources in this month
    coefficients : of the evolving model, of one that never changed, and of the bureau's records alone
    errors : in this month, of such models that ended before it: root mean squared errors of ln(cost)
    """

    stand: Stand
    before: frozenset[SourceId]
    growth: Growth
    steps: int
    bytes: int
    coefficients: Mapping[str, Vector]
    errors: Mapping[str, float] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether a source left the model or came in."""
        return self.before != self.stand.tick.active


def follow(
    history: History,
    *,
    seed: int,
    watch: Watch,
    past: Sequence[Stand] = (),
    approved: Mapping[date, Mapping[SourceId, Standing]] = MappingProxyType({}),
) -> Iterator[State]:
    """Yield the state after every month that is not in ``past``.

    A delivery that does harm never enters the model, even while its source is still a member.

    Parameters
    ----------
    past : every stand so far; what its sources said must be in the history's hearing
    approved : standings that people agreed to after a month, by month and source
    """
    months = [month for month in history.followed if not past or month > past[-1].tick.month]
    if not months:
        return
    seen: dict[date, Mapping[SourceId, float | None]] = {}

    def read(month: date, resting: frozenset[SourceId]) -> Mapping[SourceId, float | None]:
        if month not in seen:
            seen[month] = _readings(history, seed, month, resting)
        return seen.pop(month)

    state = _resumed(history, past) if past else None
    if state:
        before, memory = state.stand.tick.active, state.stand.memory
        standings = dict(past[-1].tick.standings) | dict(approved.get(past[-1].tick.month, {}))
    else:
        before, memory = _opened(history, seed, months[0], seen, watch=watch)
        standings = dict.fromkeys(before, "member")
    memories = _Memories(history, watch.policy.harm, [*(stand.memory for stand in past), memory], before)
    watch = replace(watch, turn=memories.turn)
    told = [stand.tick for stand in past]
    exchanged = 0
    for tick in ticks(months, read, watch=watch, standings=standings, past=told, approved=approved):
        memory = memories.after(tick)
        asked = history.hearing.bytes_by_source.total()
        state = replace(_next(history, state, tick, memory, before=before), bytes=asked - exchanged)
        before, exchanged = tick.active, asked
        yield state


def _readings(
    history: History, seed: int, month: date, resting: frozenset[SourceId]
) -> Mapping[SourceId, float | None]:
    """Ask everybody who does not rest, and value what came; the members have no say in it, trials are valued alike."""
    hearing = history.hearing
    asked = sorted(hearing.delivered.known(month, fewest=history.fewest) - resting)
    for source in asked:
        if month not in hearing.blocks.get(source, {}):
            hearing.hear(source, month)
    window = history.window(month)
    players = {
        source: hearing.statistic(source, hearing.newest(source, month, records=_STAYS_TO_VALUE, longest=window))
        for source in asked
        if month in hearing.blocks.get(source, {})
    }
    values: dict[SourceId, float | None] = dict.fromkeys(asked)
    if players:
        game = GramUtility(
            target=history.train.last(month, count=window),
            sources=players,
            validation=history.valid.last(month, count=window),
            gram=history.learner.gram,
            ridge=history.learner.model.spec.ridge,
        )
        method = METHODS["exact" if len(players) <= _EXACT_UP_TO else "mean_field"]
        found = method(game, game.players, rng=np.random.default_rng([seed, month.toordinal()]))
        values |= {source: found.of(source) for source in players}
    return values


def _opened(
    history: History, seed: int, month: date, seen: dict[date, Mapping[SourceId, float | None]], *, watch: Watch
) -> tuple[frozenset[SourceId], dict[SourceId, tuple[date, ...]]]:
    """Ask about each month up to the first that is followed; who does no harm in it begins as a member."""
    hearing, harm = history.hearing, watch.policy.harm
    for source in sorted(hearing.delivered.known(month, fewest=history.fewest)):
        for at in hearing.news(source, month):
            hearing.hear(source, at, months=(at,))
    seen[month] = _readings(history, seed, month, watch.away(month))
    useful = frozenset(s for s, value in seen[month].items() if value is not None and value >= harm)
    return useful, {source: tuple(m for m in hearing.until(source, month) if m < month) for source in useful}


class _Memories:
    """What a model remembers of each source: what did no harm, and of that no more than changes leave."""

    def __init__(
        self,
        history: History,
        harm: float,
        past: Sequence[Mapping[SourceId, tuple[date, ...]]],
        active: frozenset[SourceId],
    ) -> None:
        self._hearing, self._harm = history.hearing, harm
        self._recurring = Recurring(history.learner.gram)
        self._harmless: dict[SourceId, set[date]] = {}
        for memory in past:
            self._note(memory)
        self._memory, self._active = past[-1], active

    def turn(self, source: SourceId, month: date) -> Turn | None:
        """Return how a source last turned in what it said until a month; of a member, if what counts of it is older."""
        turn = self._recurring.turn(source, self._answers(source, month))
        if turn is None or source not in self._active:
            return turn
        held = self._memory.get(source, ())
        kept = self._since(held, turn.since) if turn.regime is None else self._under(source, turn.regime, month)
        return turn if set(held).difference(kept) else None

    def after(self, tick: Tick) -> dict[SourceId, tuple[date, ...]]:
        """Return what is remembered after a month: also what did no harm in it, and not what a turn made worthless.

        Of a source whose earlier regime is back it is what did no harm under that regime, whenever that was said.
        """
        useful = {source for source, worth in tick.values.items() if worth is not None and worth >= self._harm}
        self._note({source: (tick.month,) for source in useful})
        found: dict[SourceId, tuple[date, ...]] = {}
        for source in sorted(set(self._memory) | useful):
            held = (*self._memory.get(source, ()), *([tick.month] if source in useful else []))
            decision = tick.plan.decisions.get(source)
            if decision is not None and decision.regime is not None:
                held = self._under(source, decision.regime, tick.month)
            elif decision is not None and decision.since is not None:
                held = self._since(held, decision.since)
            found[source] = held[-MEMORY:]
        self._memory, self._active = found, tick.active
        return found

    @staticmethod
    def _since(held: Sequence[date], since: float) -> tuple[date, ...]:
        return tuple(heard for heard in held if month_number(heard) >= since)

    def _under(self, source: SourceId, regime: int, month: date) -> tuple[date, ...]:
        times = self._recurring.times(source, regime, self._answers(source, month))
        harmless = sorted(self._harmless.get(source, set()) & self._hearing.blocks[source].keys())
        return tuple(heard for heard in harmless if month_number(heard) in times)

    def _answers(self, source: SourceId, month: date) -> Answers:
        blocks = self._hearing.blocks.get(source, {})
        return [(month_number(heard), blocks[heard].statistic) for heard in self._hearing.until(source, month)]

    def _note(self, memory: Mapping[SourceId, tuple[date, ...]]) -> None:
        for source, heard in memory.items():
            self._harmless.setdefault(source, set()).update(heard)


def _next(
    history: History,
    state: State | None,
    tick: Tick,
    memory: Mapping[SourceId, tuple[date, ...]],
    *,
    before: frozenset[SourceId],
) -> State:
    """Bring the model up to the month by exact steps alone."""
    said, own = _said(history.hearing, state, tick, memory), history.train.until(tick.month)
    grown = _grown(state.growth, said) if state else Growth.start(own, said)
    theirs = grown.total.subtract(grown.base) if said else None
    weight = best_weight(history, own, theirs, tick.month)
    base = weighted(own, weight)
    grown = Growth(base, grown.members, base if theirs is None else theirs.merge(base), grown.certificates)
    steps = len(grown.certificates) - (len(state.growth.certificates) if state else 0)
    evolving = history.learner.coefficients(grown.total)
    models = {
        "evolving": evolving,
        "static": state.coefficients["static"] if state else evolving,
        "target_only": history.learner.coefficients(own),
    }
    errors = _errors(history, state, tick.month)
    return State(Stand(tick, memory, weight), before, grown, steps, 0, models, errors)


def _said(
    hearing: Hearing, state: State | None, tick: Tick, memory: Mapping[SourceId, tuple[date, ...]]
) -> dict[SourceId, Statistic]:
    """Return the statistic of every source in the model; one that remembers what it did before is the same."""
    said = {}
    for source in sorted(source for source in tick.active if memory.get(source)):
        if state and source in state.growth.members:
            said[source] = _moved_on(hearing, source, state, memory[source])
        else:
            said[source] = hearing.statistic(source, memory[source])
    return said


def _moved_on(hearing: Hearing, source: SourceId, state: State, memory: Sequence[date]) -> Statistic:
    """Return a member's statistic by what came to the memory and what left it, so that a month costs what changed."""
    blocks, said, before = hearing.blocks[source], state.growth.members[source], state.stand.memory[source]
    for heard in sorted(set(memory) - set(before)):
        said = said.merge(blocks[heard].statistic)
    for heard in sorted(set(before) - set(memory)):
        said = said.subtract(blocks[heard].statistic)
    return said


def _grown(growth: Growth, said: Mapping[SourceId, Statistic]) -> Growth:
    for source in sorted(set(growth.members) - set(said)):
        growth = growth.remove(source)
    for source, statistic in said.items():
        if source not in growth.members:
            growth = growth.add(source, statistic)
        elif growth.members[source] is not statistic:
            growth = growth.refresh(source, statistic)
    return growth


def best_weight(history: History, own: Statistic, others: Statistic | None, month: date) -> int:
    """Return how often the bureau's own records count: once, unless another weight clearly errs less.

    Errors are those on its validation records. To choose a weight is to fit one parameter more, so by Akaike's measure
    it must lower n · log(error) by 2.
    """
    gram, ridge = history.learner.gram, history.learner.model.spec.ridge
    valid = gram.moments(history.valid.until(month))
    if others is None or valid.n < 1:
        return 1
    mine, theirs = gram.moments(own), gram.moments(others)
    counts = np.array(_WEIGHTS, dtype=np.float64)[:, None, None]
    xx = counts * mine.xx + theirs.xx + np.diag(gram.penalty(ridge))
    found = np.linalg.solve(xx, counts * mine.xy[:, None] + theirs.xy[:, None])[:, :, 0]
    squared = np.einsum("md,md->m", found @ valid.xx, found) - 2 * found @ valid.xy + valid.yy
    judged = valid.n * np.log(squared) + 2.0 * (np.array(_WEIGHTS) > 1)
    return _WEIGHTS[int(np.argmin(judged))]


def weighted(own: Statistic, weight: int) -> Statistic:
    """Return the statistic with every record ``weight`` times, a power of two."""
    while weight > 1:
        own, weight = own.merge(own), weight // 2
    return own


def _resumed(history: History, past: Sequence[Stand]) -> State:
    """Return the state of the last stand, built from what sources said."""
    last, solve, blocks = past[-1], history.learner.coefficients, history.hearing.blocks
    growth = _built(history, last)
    models = {
        "evolving": solve(growth.total),
        "static": solve(_built(history, past[0]).total),
        "target_only": solve(history.train.until(last.tick.month)),
    }
    # Answers that are no more, as their records went, are forgotten.
    memory = {s: tuple(at for at in held if at in blocks.get(s, {})) for s, held in last.memory.items()}
    return State(replace(last, memory=memory), last.tick.active, growth, 0, 0, models)


def _built(history: History, stand: Stand) -> Growth:
    blocks = history.hearing.blocks
    held = {s: [at for at in stand.memory.get(s, ()) if at in blocks.get(s, {})] for s in stand.tick.active}
    said = {source: history.hearing.statistic(source, heard) for source, heard in sorted(held.items()) if heard}
    return Growth.start(weighted(history.train.until(stand.tick.month), stand.weight), said)


def _errors(history: History, state: State | None, month: date) -> dict[str, float]:
    gram, unseen = history.learner.gram, history.unseen.by_month[month]
    if state is None or not gram.records(unseen):
        return {}
    return {name: gram.loss(unseen, model) ** 0.5 for name, model in state.coefficients.items()}


def refit(history: History, state: State) -> Statistic:
    """Ask the members anew for the months that the model remembers, from their records in one go."""
    stand, blocks = state.stand, history.hearing.blocks
    months = {
        source: tuple(sorted(at for heard in stand.memory[source] for at in blocks[source][heard].months))
        for source in state.growth.members
    }
    held = Held(state.growth, months, stand.tick.month, stand.weight)
    parameters = state.coefficients["evolving"]
    return asked_again(history.hearing.transport, history.region.target.train, history.learner, parameters, held).total
