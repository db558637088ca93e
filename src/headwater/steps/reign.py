"""Reign: the law that holds for the bureau, where its sources follow several, and what was said under it.

Deliveries of all sources and the bureau's own months are held against shared regimes. Where these tell clearly better
what the bureau saw of late than one law for all does, only what was said under the likeliest one counts. It is a sum of
answers as any other: a source leaves it as exactly as before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import log

from headwater.evolution import BASE, Belief, Regimes, month_at, month_number
from headwater.evolution.agreement import Sums
from headwater.steps.history import History
from headwater.types import SourceId, Vector

__all__ = ["Reign", "Reigning"]

_CLEARLY = 5.0
"""Log odds above which a regime comes to reign: 150 to 1, so that sources which are alike and not equal stay together.
It goes when one law for all is likelier: the model would be in doubt by turns otherwise."""

_MORE = 10.0
"""Log likelihood ratio above which errors are larger than before: heavy tails of costs double what chance reaches."""

_NEWEST = (1, 3)
"""Months that may be of another law than those before."""


@dataclass(frozen=True)
class Reign:
    """What was said under the law that holds for the bureau.

    Parameters
    ----------
    own : months of the bureau's own records, at least one
    answers : source to the months in which it gave answers, of those that are remembered
    """

    own: tuple[date, ...]
    answers: Mapping[SourceId, tuple[date, ...]]


class Reigning:
    """Follows the regimes of a history, where there is reason to.

    There is at the beginning, after a month in which one reigned, and where the model errs clearly more than before on
    what the bureau saw of late. What was said before is then caught up with in its order, so that it makes no
    difference when following began.
    """

    def __init__(self, history: History) -> None:
        self._history, self._until = history, date.min
        self._regimes, self._belief = Regimes(history.learner.gram), Belief()
        # Of the validation records until each month, read once.
        self._judges = [Sums.nothing(history.learner.gram)]

    def after(
        self, month: date, memory: Mapping[SourceId, tuple[date, ...]], *, before: Vector | None, reigned: bool
    ) -> Reign | None:
        """Return what of the memory counts after a month; None where one law holds for all, and all of it does.

        Parameters
        ----------
        before : coefficients of the model of the month before; None: there is none
        reigned : whether a regime reigned then
        """
        if before is not None and not reigned and not self._errs_more(month, before):
            return None
        self._follow(month)
        regimes = self._regimes
        if not regimes.deliveries(BASE):
            return None
        believed = self._belief.believed(regimes, BASE)
        if not believed.odds > (0.0 if reigned else _CLEARLY):
            return None
        reigns = max(believed.shares, key=lambda regime: believed.shares[regime])
        # Where the bureau has just come to it, its newest records alone are known to be of it.
        own = self._under(BASE, reigns) or (month_at(regimes.deliveries(BASE)[-1].time),)
        under = {source: frozenset(self._under(source, reigns)) for source in memory}
        return Reign(own, {source: tuple(at for at in held if at in under[source]) for source, held in memory.items()})

    def _errs_more(self, month: date, model: Vector) -> bool:
        """Whether a model errs clearly more on the newest month or quarter of validation records than on those before.

        By the log likelihood ratio of two variances against one, of the newer ones alone.
        """
        valid, gram = self._history.valid.by_month, self._history.learner.gram
        known = [at for at in valid if at <= month]
        for at in known[len(self._judges) - 1 :]:
            self._judges.append(self._judges[-1] + Sums.of(gram, valid[at]))
        whole = self._judges[-1]
        for older in (self._judges[-1 - count] for count in _NEWEST if count < len(self._judges)):
            newer = whole - older
            if newer.records > 0 and older.records > 0 and _exceeds(newer, older, model):
                return True
        return False

    def _follow(self, month: date) -> None:
        """Let the regimes hear what was said since they last did; of the bureau all that is known of a month."""
        train, valid, gram = self._history.train, self._history.valid, self._history.learner.gram
        told = {
            (heard, source): block.statistic
            for source, blocks in self._history.hearing.blocks.items()
            for heard, block in blocks.items()
            if self._until < heard <= month
        }
        own = (at for at in {*train.by_month, *valid.by_month} if self._until < at <= month)
        told |= {(at, BASE): train.among([at]).merge(valid.among([at])) for at in own}
        for at, source in sorted(told):
            if gram.records(told[at, source]):
                self._regimes.update(month_number(at), source, told[at, source])
        self._until = month

    def _under(self, source: SourceId, regime: int) -> tuple[date, ...]:
        return tuple(month_at(one.time) for one in self._regimes.deliveries(source) if one.regime == regime)


def _exceeds(newer: Sums, older: Sums, model: Vector) -> bool:
    """Whether a model errs clearly more on newer records: where it fitted the older ones exactly, by any error."""
    now, before = (max(0.0, float(sums.squares(model[None])[0]) / sums.records) for sums in (newer, older))
    if now <= before or before == 0:
        return now > before
    return newer.records / 2 * (now / before - 1 - log(now / before)) > _MORE
