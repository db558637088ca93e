"""Recurring: the regimes of each source's own answers, and which of them it has come back to.

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

__all__ = ["Answers", "Recurring"]

_FEWEST = 3
"""Answers that a return takes: before, apart, and back."""

Answers: TypeAlias = Sequence[tuple[float, Statistic]]
"""Times and statistics of what a source said, in order."""


@dataclass(frozen=True)
class Recurring:
    """Follows sources by all that each has said; nothing but that decides, whenever it is asked.

    Parameters
    ----------
    gram : the family of the statistics
    """

    gram: Gram
    _followed: dict[SourceId, Regimes] = field(init=False, default_factory=dict, repr=False)

    def returned(self, source: SourceId, answers: Answers) -> int | None:
        """Return the number of the regime that a source has come back to, within the answers that a change reaches.

        Parameters
        ----------
        answers : all so far; those that were given before are the same
        """
        if len(answers) < _FEWEST:
            return None
        regimes, past = self._deliveries(source, answers)
        now = past[-1].regime
        stretch = sum(1 for _ in takewhile(lambda one: one.regime == now, reversed(past)))
        was = any(one.regime == now for one in past[:-stretch])
        return now if was and stretch <= regimes.lookback else None

    def times(self, source: SourceId, regime: int, answers: Answers) -> frozenset[float]:
        """Return the times of those answers that stand under a regime."""
        return frozenset(one.time for one in self._deliveries(source, answers)[1] if one.regime == regime)

    def _deliveries(self, source: SourceId, answers: Answers) -> tuple[Regimes, Sequence[Delivery]]:
        regimes = self._followed.setdefault(source, Regimes(self.gram, speaks_for=inf))
        for time, statistic in answers[len(regimes.deliveries(source)) :]:
            regimes.update(time, source, statistic)
        return regimes, regimes.deliveries(source)
