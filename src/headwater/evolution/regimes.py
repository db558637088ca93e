"""What holds for whom and since when: changes of what sources say, and the earlier regimes that they return to.

A *regime* is a relation of target to features that was true of somebody for some time; its statistic is the sum of what
was said under it. Each delivery of a source is held against the regime that the source is in, against every other one,
and against a new one, by the evidence of ``agreement``; so are its last deliveries together, back to the one at which
the change may have happened. A change is what is likelier than none, and moves those deliveries, exactly, to the regime
that they agree with. Old regimes are kept: one that returns is used again with all that was said under it.

Members of a regime are alike and not equal, so a regime speaks for at most ``speaks_for`` records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import exp, inf, log

import numpy as np

from headwater.evolution.agreement import Sums, log_evidence
from headwater.evolution.detector import Change, require_step
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Belonging", "Delivery", "Regimes"]

_PROPER = 1e-3
"""Added to diagonals, in records: what keeps sums of collinear features proper."""


@dataclass(frozen=True)
class Belonging:
    """Which regime a source is in after a delivery.

    Parameters
    ----------
    regime : number of the regime
    change : if the source has changed to it: ``onset`` halfway between the deliveries around it, ``size`` the root mean
        squared difference of the two regimes' predictions, ``confidence`` the probability of this change against none
    returned : whether the source changed to a regime that was known before
    """

    regime: int
    change: Change | None = None
    returned: bool = False


@dataclass(frozen=True, eq=False)
class Delivery:
    """What a source said once, and the regime that it is counted under."""

    time: float
    regime: int
    statistic: Statistic
    sums: Sums


@dataclass(frozen=True)
class _Switch:
    """The hypothesis that the last ``count`` deliveries belong to ``regime`` (None: a new one), and its log odds."""

    regime: int | None
    count: int
    odds: float


@dataclass
class Regimes:
    """Follows streams of Gram statistics that share their regimes.

    Parameters
    ----------
    gram : the family of the statistics
    hazard : chance that a source has changed since its last delivery
    novelty : how likely a regime that nobody was in yet is, against all known ones together
    lookback : deliveries of one source that a change may reach back
    speaks_for : records that a regime counts for when deliveries are held against it
    prior : records that all that was ever said counts for, as what is expected of a new regime
    merging : log odds at which two regimes are one
    """

    gram: Gram
    hazard: float = 0.02
    novelty: float = 0.3
    lookback: int = 8
    speaks_for: float = 400.0
    prior: float = 10.0
    merging: float = 2.0
    _pools: dict[int, Sums] = field(init=False, repr=False, default_factory=dict)
    _deliveries: dict[SourceId, list[Delivery]] = field(init=False, repr=False, default_factory=dict)
    _said: dict[SourceId, dict[int, Statistic]] = field(init=False, repr=False, default_factory=dict)
    _all: Sums = field(init=False, repr=False)
    _expected: Sums = field(init=False, repr=False)
    _opened: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        if not (0 < self.hazard < 1 and self.novelty > 0 and self.lookback >= 1 and self.prior > 0):
            raise ValueError("hazard lies between 0 and 1; novelty, lookback and prior are positive")
        self._hear(Sums.nothing(self.gram), Sums.nothing(self.gram))

    @property
    def known(self) -> tuple[int, ...]:
        """Numbers of the regimes, oldest first."""
        return tuple(sorted(self._pools))

    def sums(self, regime: int) -> Sums:
        """Return all that was said under a regime."""
        return self._pools[regime]

    def said(self, source: SourceId) -> Mapping[int, Statistic]:
        """Return what a source said under each regime, exactly."""
        return self._said.get(source, {})

    def deliveries(self, source: SourceId) -> Sequence[Delivery]:
        """Return what a source said one by one, oldest first."""
        return tuple(self._deliveries.get(source, ()))

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """All that ever delivered."""
        return tuple(sorted(self._deliveries))

    @property
    def expected(self) -> Sums:
        """What is expected of a regime before anything was said under it."""
        return self._expected

    def update(self, time: float, source: SourceId, statistic: Statistic) -> Belonging:
        """Take what a source said at ``time``, after its last delivery; silence is simply not told."""
        past = self._deliveries.setdefault(source, [])
        require_step(past[-1].time if past else None, time, None)
        sums = Sums.of(self.gram, statistic)
        self._hear(self._all, sums)
        switch = self._switch(past, sums) if past else self._first(sums)
        if switch is None:
            self._count(source, Delivery(time, past[-1].regime, statistic, sums))
            return Belonging(self._merged(past[-1].regime))
        regime = self._opened if switch.regime is None else switch.regime
        self._opened += switch.regime is None
        before = Belonging(regime) if not past else self._told(Delivery(time, regime, statistic, sums), past, switch)
        for delivery in self._taken_back(source, switch.count - 1):
            self._count(source, replace(delivery, regime=regime))
        self._count(source, Delivery(time, regime, statistic, sums))
        return replace(before, regime=self._merged(regime))

    def _hear(self, before: Sums, sums: Sums) -> None:
        """Add to all that was ever said."""
        self._all = before + sums
        some = self._all.worth(self.prior)
        self._expected = Sums(some.matrix + _PROPER * np.eye(self.gram.dim + 1), some.records + _PROPER)

    def _first(self, sums: Sums) -> _Switch:
        """Place the first delivery of a source: all known regimes are as likely, a new one by its novelty."""
        known = self.known
        pools = [*(self._speaking(self._pools[regime]) for regime in known), self.expected]
        odds = _gains([sums], pools)[0]
        odds[:-1] -= log(max(1, len(known)))
        odds[-1] += log(self.novelty)
        best = int(odds.argmax())
        return _Switch(known[best] if best < len(known) else None, 1, float(odds[best]))

    def _switch(self, past: Sequence[Delivery], sums: Sums) -> _Switch | None:
        """Return the likeliest change, if one is likelier than none."""
        current = past[-1].regime
        others = [regime for regime in self.known if regime != current]
        pools = [*(self._speaking(self._pools[regime]) for regime in others), self.expected]
        together, left = [sums], [self._pools[current]]
        for delivery in takewhile(lambda one: one.regime == current, past[: -self.lookback : -1]):
            together.append(together[-1] + delivery.sums)
            left.append(left[-1] - delivery.sums)
        gains = _gains(together, pools)
        stays = np.diagonal(_gains(together, [self._speaking(pool) for pool in left]))
        odds = gains - stays[:, None] + log(self.hazard / (1 - self.hazard))
        odds[:, :-1] -= log(max(1, len(others)))
        # A new regime in place of one that nothing would be left of is the same by another name.
        odds[:, -1] += np.where([pool.records >= 1 for pool in left], log(self.novelty), -inf)
        count, best = np.unravel_index(int(odds.argmax()), odds.shape)
        if odds[count, best] <= 0:
            return None
        return _Switch(others[best] if best < len(others) else None, int(count) + 1, float(odds[count, best]))

    def _told(self, new: Delivery, past: Sequence[Delivery], switch: _Switch) -> Belonging:
        """Tell of a change before it is counted."""
        start = len(past) - switch.count + 1
        moved = [*past[start:], new]
        onset = (moved[0].time + past[max(0, start - 1)].time) / 2
        was = self._pools[past[-1].regime]
        now = self._pools.get(new.regime, Sums.nothing(self.gram))
        left = was - sum((one.sums for one in moved[:-1]), Sums.nothing(self.gram))
        size = self._apart(left if left.records >= 1 else was, sum((one.sums for one in moved), now))
        change = Change(new.time, onset, size, 1 / (1 + exp(-min(switch.odds, 700.0))))
        return Belonging(new.regime, change, returned=switch.regime is not None)

    def _apart(self, one: Sums, other: Sums) -> float:
        """Return the root mean squared difference of what two regimes predict, over all records."""
        between = one.coefficients(_PROPER) - other.coefficients(_PROPER)
        squared = float(between @ self._all.matrix[:-1, :-1] @ between) / self._all.records
        return float(np.sqrt(max(0.0, squared)))

    def _speaking(self, pool: Sums) -> Sums:
        return self.expected + pool.worth(self.speaks_for)

    def _count(self, source: SourceId, delivery: Delivery) -> None:
        regime, said = delivery.regime, self._said.setdefault(source, {})
        self._pools[regime] = self._pools[regime] + delivery.sums if regime in self._pools else delivery.sums
        said[regime] = said[regime].merge(delivery.statistic) if regime in said else delivery.statistic
        self._deliveries[source].append(delivery)

    def _taken_back(self, source: SourceId, count: int) -> list[Delivery]:
        """Take a source's last deliveries out of their regime and return them."""
        past, said = self._deliveries[source], self._said[source] if count else {}
        taken = past[len(past) - count :]
        del past[len(past) - count :]
        for delivery in taken:
            self._pools[delivery.regime] -= delivery.sums
            said[delivery.regime] = said[delivery.regime].subtract(delivery.statistic)
        for regime in {delivery.regime for delivery in taken}:
            if not any(delivery.regime == regime for delivery in past):
                del said[regime]
            if not any(regime in others for others in self._said.values()):
                del self._pools[regime]
        return taken

    def _merged(self, regime: int) -> int:
        """Join the regime with what it turned out to be the same as, and return its number."""
        while others := [other for other in self.known if other != regime]:
            mine, pools = self._speaking(self._pools[regime]), [self._pools[other] for other in others]
            both = _evidence([mine + pool.worth(self.speaks_for) for pool in pools])
            apart = _evidence([self._speaking(pool) for pool in pools]) + _evidence([mine])
            odds = both + _evidence([self.expected]) - apart
            best = int(odds.argmax())
            if odds[best] <= self.merging:
                break
            regime = self._join(regime, others[best])
        return regime

    def _join(self, one: int, other: int) -> int:
        kept, gone = min(one, other), max(one, other)
        self._pools[kept] += self._pools.pop(gone)
        for source, said in self._said.items():
            if gone in said:
                statistic = said.pop(gone)
                said[kept] = said[kept].merge(statistic) if kept in said else statistic
                self._deliveries[source] = [
                    replace(one, regime=kept) if one.regime == gone else one for one in self._deliveries[source]
                ]
        return kept


def _evidence(sums: Sequence[Sums]) -> Vector:
    return log_evidence(*_stacked(sums))


def _gains(moved: Sequence[Sums], pools: Sequence[Sums]) -> Vector:
    """Return (moved, pools): the evidence of each after each pool."""
    (what, count), (pool, records) = _stacked(moved), _stacked(pools)
    both = (what[:, None] + pool).reshape(-1, *pool.shape[1:])
    after = log_evidence(both, (count[:, None] + records).ravel()).reshape(len(count), len(records))
    return np.asarray(after - log_evidence(pool, records))


def _stacked(sums: Sequence[Sums]) -> tuple[Vector, Vector]:
    return np.stack([one.matrix for one in sums]), np.array([one.records for one in sums])
