"""Replay: month by month, what each source delivered is asked for, valued, decided about, and merged or subtracted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

import numpy as np

from headwater.adapters.held import Held
from headwater.adapters.learners import Ridge
from headwater.evolution import BASE, Growth, Recurring, Standing, Tick, Turn, Watch, month_number, ticks
from headwater.evolution.recurring import Answers
from headwater.statistics import Statistic
from headwater.steps.hearing import Hearing
from headwater.steps.history import MEMORY, History, Own
from headwater.steps.refit import asked_again
from headwater.steps.reign import Reign, Reigning
from headwater.types import SourceId, Vector
from headwater.valuation import METHODS, GramUtility

__all__ = ["Stand", "State", "best_weight", "follow", "refit", "told", "weighted"]

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
    reign : what of them and of the memory counts; None: all of both, as one law holds for everybody
    """

    tick: Tick
    memory: Mapping[SourceId, tuple[date, ...]]
    weight: int
    reign: Reign | None = None

    @property
    def counted(self) -> Mapping[SourceId, tuple[date, ...]]:
        """Source to the months in which it gave the answers that count in the model, once it is in it."""
        return self.memory if self.reign is None else self.reign.answers

    def own(self, own: Own) -> Statistic:
        """Return those of the bureau's own records that count, each once."""
        return own.until(self.tick.month) if self.reign is None else own.among(self.reign.own)


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
        """Whether a source left the model or came in, be it by its standing or as another law reigns."""
        new = self.growth.certificates[len(self.growth.certificates) - self.steps :]
        return self.before != self.stand.tick.active or any(one.action in ("add", "remove") for one in new)


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
    watch, reigning = replace(watch, turn=memories.turn), Reigning(history)
    told = [stand.tick for stand in past]
    exchanged = 0
    for tick in ticks(months, read, watch=watch, standings=standings, past=told, approved=approved):
        memory = memories.after(tick)
        reigned = state is not None and state.stand.reign is not None
        model = state.coefficients["evolving"] if state else None
        reign = reigning.after(tick.month, memory, before=model, reigned=reigned)
        asked = history.hearing.bytes_by_source.total()
        stand = Stand(tick, memory, 1, reign)
        state = replace(_next(history, state, stand, before=before), bytes=asked - exchanged)
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


def _next(history: History, state: State | None, stand: Stand, *, before: frozenset[SourceId]) -> State:
    """Bring the model up to the month by exact steps alone, and find how often the bureau's own records count."""
    said, own, learner = _said(history.hearing, state, stand), stand.own(history.train), history.learner
    grown = _grown(state.growth, said) if state else Growth.start(own, said)
    theirs = grown.total.subtract(grown.base) if said else None
    stand = replace(stand, weight=best_weight(learner, own, theirs, stand.own(history.valid)))
    base = weighted(own, stand.weight)
    grown = Growth(base, grown.members, base if theirs is None else theirs.merge(base), grown.certificates)
    steps = len(grown.certificates) - (len(state.growth.certificates) if state else 0)
    evolving = learner.coefficients(grown.total)
    models = {
        "evolving": evolving,
        "static": state.coefficients["static"] if state else evolving,
        "target_only": learner.coefficients(history.train.until(stand.tick.month)),
    }
    return State(stand, before, grown, steps, 0, models, _errors(history, state, stand.tick.month))


def _said(hearing: Hearing, state: State | None, stand: Stand) -> dict[SourceId, Statistic]:
    """Return the statistic of every source in the model; one of which the same counts as before is the same."""
    said = {}
    for source in sorted(source for source in stand.tick.active if stand.counted.get(source)):
        if state and source in state.growth.members:
            said[source] = _moved_on(hearing, source, state, stand.counted[source])
        else:
            said[source] = hearing.statistic(source, stand.counted[source])
    return said


def _moved_on(hearing: Hearing, source: SourceId, state: State, counted: Sequence[date]) -> Statistic:
    """Return a member's statistic by which answers came to count and which no more, so a month costs what changed."""
    blocks, said, before = hearing.blocks[source], state.growth.members[source], state.stand.counted[source]
    if counted == before:
        return said
    for heard in sorted(set(counted) - set(before)):
        said = said.merge(blocks[heard].statistic)
    for heard in sorted(set(before) - set(counted)):
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


def best_weight(learner: Ridge, own: Statistic, others: Statistic | None, valid: Statistic) -> int:
    """Return how often the bureau's own records count: once, unless another weight clearly errs less.

    Errors are those on ``valid``, its validation records. To choose a weight is to fit one parameter more, so by
    Akaike's measure it must lower n · log(error) by 2.
    """
    gram, ridge = learner.gram, learner.model.spec.ridge
    judges = gram.moments(valid)
    if others is None or judges.n < 1:
        return 1
    mine, theirs = gram.moments(own), gram.moments(others)
    counts = np.array(_WEIGHTS, dtype=np.float64)[:, None, None]
    xx = counts * mine.xx + theirs.xx + np.diag(gram.penalty(ridge))
    found = np.linalg.solve(xx, counts * mine.xy[:, None] + theirs.xy[:, None])[:, :, 0]
    squared = np.einsum("md,md->m", found @ judges.xx, found) - 2 * found @ judges.xy + judges.yy
    judged = judges.n * np.log(squared) + 2.0 * (np.array(_WEIGHTS) > 1)
    return _WEIGHTS[int(np.argmin(judged))]


def weighted(own: Statistic, weight: int) -> Statistic:
    """Return the statistic with every record ``weight`` times, a power of two."""
    while weight > 1:
        own, weight = own.merge(own), weight // 2
    return own


def _resumed(history: History, past: Sequence[Stand]) -> State:
    """Return the state of the last stand, built from what sources said."""
    last, solve = past[-1], history.learner.coefficients
    growth = _built(history, last)
    models = {
        "evolving": solve(growth.total),
        "static": solve(_built(history, past[0]).total),
        "target_only": solve(history.train.until(last.tick.month)),
    }
    # Answers that are no more, as their records went, are forgotten.
    memory, reign = _there(history.hearing, last.memory), last.reign
    if reign is not None:
        reign = replace(reign, answers=_there(history.hearing, reign.answers))
    return State(replace(last, memory=memory, reign=reign), last.tick.active, growth, 0, 0, models)


def _there(hearing: Hearing, held: Mapping[SourceId, tuple[date, ...]]) -> dict[SourceId, tuple[date, ...]]:
    return {s: tuple(at for at in heard if at in hearing.blocks.get(s, {})) for s, heard in held.items()}


def _built(history: History, stand: Stand) -> Growth:
    counted = _there(history.hearing, stand.counted)
    held = {source: counted.get(source, ()) for source in sorted(stand.tick.active)}
    said = {source: history.hearing.statistic(source, heard) for source, heard in held.items() if heard}
    return Growth.start(weighted(stand.own(history.train), stand.weight), said)


def _errors(history: History, state: State | None, month: date) -> dict[str, float]:
    gram, unseen = history.learner.gram, history.unseen.by_month[month]
    if state is None or not gram.records(unseen):
        return {}
    return {name: gram.loss(unseen, model) ** 0.5 for name, model in state.coefficients.items()}


def refit(history: History, state: State) -> Statistic:
    """Ask the members anew for the months that count in the model, from their records in one go."""
    stand = state.stand
    held = Held(state.growth, told(history, state), stand.tick.month, stand.weight)
    parameters = state.coefficients["evolving"]
    return asked_again(history.hearing.transport, history.region.target.train, history.learner, parameters, held).total


def told(history: History, state: State) -> dict[SourceId, tuple[date, ...]]:
    """Return the months that each member's statistic tells of; of the bureau's own records, where not all count."""
    blocks, stand = history.hearing.blocks, state.stand
    months = {
        source: tuple(sorted(at for heard in stand.counted[source] for at in blocks[source][heard].months))
        for source in state.growth.members
    }
    return months if stand.reign is None else {**months, BASE: stand.reign.own}
