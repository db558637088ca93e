r"""Bayesian online change points, with a hazard that grows with the gap.

A change may begin before each score, with the probability :math:`1 - e^{-g/L}` over a gap of g steps, L the steps
between false alarms. Scores (see ``scores.py``) are standard normal before it; after it their level and their variance
are both unknown, with a normal-inverse-gamma prior, so that

.. math:: \log\frac{m(z_{j..t})}{\prod_{i=j}^{t} N(z_i; 0, 1)}
   = \tfrac12\log\frac{\kappa}{\kappa + W} + \log\frac{\Gamma(a_n)\, b^a}{\Gamma(a)\, b_n^{a_n}} + \tfrac12 \sum z^2,
   \qquad a_n = a + \tfrac n2,\; b_n = b + \tfrac12\Bigl(\sum z^2 - \frac{(\sum wz)^2}{\kappa + W}\Bigr)

with :math:`W = \sum w^2`. Summed over the onsets, with their hazards, these are the odds that the stream has changed
within its newest values; a change is reported where they exceed a calibrated threshold, with the likeliest onset. Its
confidence is its posterior probability at even odds before, for the calibrated odds are those of an alarm.
It is of the variance where the level explains less than half of it.

Source: Adams and MacKay 2007, with the run before the newest values taken as known; Fearnhead and Liu 2007.
"""

from dataclasses import dataclass, field
from functools import partial
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from headwater.evolution.bank import AGO, DEPTH, Single, Verdict
from headwater.evolution.calibration import STEPS, Threshold, calibrated
from headwater.evolution.detector import DETECTORS
from headwater.evolution.scores import Rows, Scores, since
from headwater.types import Vector

__all__ = ["Bayesian", "BayesianJudge"]

_PRECISION = 0.5
"""Of the level behind a change, a priori, in observations: its spread is 1.4 deviations."""
_ANSWERED = 0.5
"""Share of steps with an answer in the simulations behind the threshold."""
_SHAPE, _RATE = 2.0, 2.0
"""Of the inverse variance behind a change, a priori."""
_SHAPES = _SHAPE + AGO / 2
_CONSTANT = gammaln(_SHAPES) - gammaln(_SHAPE) + _SHAPE * np.log(_RATE)


@dataclass(frozen=True)
class BayesianJudge:
    """Posterior odds of a change against a calibrated threshold.

    Parameters
    ----------
    steps : mean time between changes a priori, in steps; no word about false alarms, which the threshold keeps
    interval : time from one step to the next
    threshold : what log odds it takes
    """

    steps: float = STEPS
    interval: float = 1.0
    threshold: Threshold = field(default_factory=partial(calibrated, "bayesian"))

    def __call__(self, scores: Scores, rows: Rows, observations: Vector, allowed: NDArray[np.bool_]) -> Verdict:
        """Return the odds of all onsets together, and the likeliest."""
        evidence, by_level = self.evidence(scores, rows)
        odds = np.where(allowed, evidence + np.log(self._hazard(scores, rows)), -np.inf)
        likeliest = odds.argmax(axis=1)
        at = np.arange(len(rows)), likeliest
        # The hazard grows with the gap already: an observation is worth what it was where thresholds were found.
        steps = observations / scores.answering(rows)
        excess = np.logaddexp.reduce(odds, axis=1) - self.threshold(_ANSWERED * steps, scores.caution(rows))
        return Verdict(excess, AGO[likeliest], evidence[at], by_level[at] < evidence[at] / 2)

    def evidence(self, scores: Scores, rows: Rows) -> tuple[Vector, Vector]:
        """Return (rows, DEPTH) log ratios of the likelihoods with and without a change, and the level's part."""
        said, weight = scores.sums(rows, DEPTH)
        # A value that equals most before it says nothing of the variance.
        squares = np.where(scores.spread[rows, -DEPTH:] == 0, 1.0, scores.white[rows, -DEPTH:] ** 2)
        squares = since(squares) + squares
        explained, spent = said * said / (_PRECISION + weight), np.log(_PRECISION / (_PRECISION + weight)) / 2
        evidence = _CONSTANT - _SHAPES * np.log(_RATE + (squares - explained) / 2) + squares / 2 + spent
        return evidence, explained / 2 + spent

    def doubt(self, evidence: float) -> float:
        """Return the probability that nothing changed, at even odds before."""
        return 1 / (1 + exp(evidence))

    def _hazard(self, scores: Scores, rows: Rows) -> Vector:
        gaps = np.maximum(np.diff(scores.times[rows, -DEPTH - 1 :], axis=1), self.interval) / self.interval
        return np.asarray(-np.expm1(-gaps / self.steps))


@DETECTORS.register("bayesian")
@dataclass
class Bayesian(Single):
    """Detects a change of level or of variance by its posterior odds.

    Parameters
    ----------
    steps : from one false alarm to the next, in the mean; see ``steps_between_alarms``
    interval : time from one step to the next
    """

    steps: float = STEPS
    interval: float = 1.0

    def __post_init__(self) -> None:
        judge = partial(BayesianJudge, interval=self.interval)
        super().__init__(judge, steps=self.steps, interval=self.interval)
