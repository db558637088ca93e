r"""Absence as a state of its own: whether a source is present, in an outage, leaving, or closed.

Each source has its own habit of answering: after an answer it falls silent with a rate q, in silence it comes back with
a rate r, both learnt from what it did (posterior means and predictive tails under a Beta prior). A silence of k
questions has, after s returns and f questions left unanswered in silence before it, the predictive tail

.. math:: P(K \ge k) = \frac{B(a + s,\; b + f + k - 1)}{B(a + s,\; b + f)}

- present: it answered, or its silence is one of its usual ones (tail at least 1 %);
- outage: it is silent for longer than that;
- closed: the silence is longer than any return could explain (tail below 1 in a million) and ten times its longest;
- leaving: it answers, but silences grow longer and answers fewer, over several of them: a cumulative sum of the log
  likelihood ratios of twice its rate of falling silent and half its rate of return. One silence counts at most 1,
  however long, so that no single outage is a farewell.

What a source is worth is no part of this, and absence is no part of what it is worth: detectors get None.

Source: Page 1954 for the cumulative sum; the rest is the Beta-geometric law of runs.
"""

from dataclasses import dataclass, field
from math import exp, lgamma, log, log1p
from typing import Literal, TypeAlias

from headwater.evolution.detector import require_step

__all__ = ["Presence", "State"]

State: TypeAlias = Literal["present", "outage", "leaving", "closed"]

_UNUSUAL, _HOPELESS = 0.01, 1e-6
_LONGER = 10
_FAREWELL = 7.0
_MOST = 1.0
"""That one silence and the answers before it count towards a farewell."""


@dataclass
class _Rate:
    """How often something happened that might have."""

    happened: float = 1.0
    might_not: float = 1.0

    @property
    def mean(self) -> float:
        return self.happened / (self.happened + self.might_not)

    def add(self, happened: int, might_not: int) -> None:
        self.happened += happened
        self.might_not += might_not

    def tail(self, more: int) -> float:
        """Return the probability that it does not happen ``more`` times in a row."""
        a, b = self.happened, self.might_not
        return exp(lgamma(b + more) - lgamma(b) + lgamma(a + b) - lgamma(a + b + more))


@dataclass
class Presence:
    """Follows whether one source answers."""

    silence: int = field(default=0, init=False)
    since: float | None = field(default=None, init=False)
    _answers: int = field(default=0, init=False, repr=False)
    _longest: int = field(default=1, init=False, repr=False)
    _farewell: float = field(default=0.0, init=False, repr=False)
    _falls: _Rate = field(default_factory=_Rate, init=False, repr=False)
    _returns: _Rate = field(default_factory=_Rate, init=False, repr=False)
    _last: float | None = field(default=None, init=False, repr=False)

    def update(self, time: float, answered: bool) -> State:
        """Take whether the source answered when asked at ``time``, and return its state.

        Attributes
        ----------
        silence : questions in a row without an answer
        since : time of the last answer; None before the first

        Raises
        ------
        Refusal : if time does not advance
        """
        require_step(self._last, time, None)
        self._last = time
        if answered:
            if self.silence:
                self._returned()
            self.since, self._answers = time, self._answers + 1
            return "leaving" if self._farewell > _FAREWELL else "present"
        self.silence += 1
        return self._silent()

    def _silent(self) -> State:
        tail = self._returns.tail(self.silence - 1)
        if tail < _HOPELESS and self.silence > _LONGER * self._longest:
            return "closed"
        if tail < _UNUSUAL:
            return "outage"
        return "leaving" if self._farewell > _FAREWELL else "present"

    def _returned(self) -> None:
        fall, back = min(self._falls.mean, 0.49), self._returns.mean
        answers = max(self._answers - 1, 0)
        odds = log(2.0) + answers * (log1p(-2 * fall) - log1p(-fall))
        odds += log(0.5) + (self.silence - 1) * (log1p(-back / 2) - log1p(-back))
        self._farewell = max(0.0, self._farewell + min(odds, _MOST))
        self._falls.add(1, answers)
        self._returns.add(1, self.silence - 1)
        self._longest = max(self._longest, self.silence)
        self.silence = self._answers = 0
