"""Recurring: the regimes of each source's own answers, since when it is in one, and whether it has come back to it.

Sources are followed apart. Real ones are alike and never equal, so regimes that all share would be about as many as
sources and every answer held against all of them; what a source itself said before is few, and its own. For the same
reason a regime of one source speaks for all records that it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from math import inf
from typing import TypeAlias

from headwater.evolution.regimes import Delivery, Regimes
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId

__all__ = ["Answers", "Recurring", "Turn"]

Answers: TypeAlias = Sequence[tuple[float, Statistic]]
"""Times and statistics of what a source said, in order."""


@dataclass(frozen=True)
class Turn:
    """A source itself says something else than before.

    Parameters
    ----------
    since : time of the first of its answers that say so
    regime : number of its own earlier regime that is back; None: it says what it never said
    """

    since: float
    regime: int | None = None


@dataclass(frozen=True)
class Recurring:
    """Follows sources by all that each has said; nothing but that decides, whenever it is asked.

    Parameters
    ----------
    gram : the family of the statistics
    """

    gram: Gram
    _followed: dict[SourceId, Regimes] = field(init=False, default_factory=dict, repr=False)

    def turn(self, source: SourceId, answers: Answers) -> Turn | None:
        """Return how a source last turned, within the answers that a change reaches; None if it did not.

        Parameters
        ----------
        answers : all so far; those that were given before are the same
        """
        if not answers:
            return None
        regimes, past = self._deliveries(source, answers)
        now = past[-1].regime
        stretch = sum(1 for _ in takewhile(lambda one: one.regime == now, reversed(past)))
        if stretch == len(past) or stretch > regimes.lookback:
            return None
        was = any(one.regime == now for one in past[:-stretch])
        return Turn(past[-stretch].time, now if was else None)

    def times(self, source: SourceId, regime: int, answers: Answers) -> frozenset[float]:
        """Return the times of those answers that stand under a regime."""
        return frozenset(one.time for one in self._deliveries(source, answers)[1] if one.regime == regime)

    def _deliveries(self, source: SourceId, answers: Answers) -> tuple[Regimes, Sequence[Delivery]]:
        regimes = self._followed.setdefault(source, Regimes(self.gram, speaks_for=inf))
        for time, statistic in answers[len(regimes.deliveries(source)) :]:
            regimes.update(time, source, statistic)
        return regimes, regimes.deliveries(source)
