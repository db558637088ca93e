r"""Likelihood ratio of another level, summed over every onset, and of another variance, over every onset at once.

With scores z (see ``scores.py``), and weights w by which a new level moves them, the evidence for another level at
whichever onset, and for another variance since an onset m scores ago, is

.. math:: \log\sum_{\text{onsets}} \exp\Bigl(\frac{(\sum w z)^2}{2 \sum w^2} - P \log\frac{\sum w^2}{4}\Bigr)
   \qquad \frac{(\sum v)^2}{2 m}, \quad v = \Phi^{-1}(2\Phi(|z|) - 1)

The sum finds slow and small changes sooner than the greatest ratio alone, for many onsets then speak at once. The
penalty P gives short windows their share, so that large changes are found at once. Each kind of evidence has a
share of the false alarms, each threshold follows from how often the stream answers and how far it remembers
(``calibration.py``). Scores are bounded, so that a lone outlier is no change; in a young stream they are bounded by how
little is known. There the newest 3 to 6 values, if they all lie on one side beyond 2.5 σ of the median of the 11 or
more before them, count at the nearest's weight.
The confidence of a change is 1 minus the number of onsets times the p-value of its evidence.

Sources: Siegmund and Venkatraman 1995 (windowed likelihood ratio); Shiryaev 1963, Roberts 1966 (summed over onsets);
Reynolds and Lou 2010 (its use from the first values on). Scores, penalty, run and budget by answers are additions.
"""

from dataclasses import dataclass, field
from functools import partial
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from headwater.evolution.bank import AGO, DEPTH, Single, Verdict
from headwater.evolution.calibration import STEPS, Threshold, calibrated
from headwater.evolution.detector import DETECTORS
from headwater.evolution.scores import Rows, Scores, since
from headwater.types import Vector

__all__ = ["Glr", "GlrJudge"]

_PENALTY = 0.65
_SHARE = 0.08
"""Of the false alarms, those left to evidence of another variance, which may take its time."""
_YOUNG = 64
"""Values below which scores say too little of large changes."""
_RUNS = (3, 4, 5, 6)
_FAR = 2.5
_REFERENCE = 11
_ASIDE = 0.5
"""Scores of a run; looked at first, for medians are dear."""
_NORMAL_QUARTILE = 0.6744897501960817


@dataclass(frozen=True)
class GlrJudge:
    """Likelihood ratios of scores against their thresholds.

    Parameters
    ----------
    level, variance : what evidence of another level, and of another variance, it takes
    share : of the false alarms, those left to evidence of another variance; 0 leaves it out, 1 leaves out the level
    """

    level: Threshold = field(default_factory=partial(calibrated, "glr_level"))
    variance: Threshold = field(default_factory=partial(calibrated, "glr_variance"))
    share: float = _SHARE

    def __call__(self, scores: Scores, rows: Rows, observations: Vector, allowed: NDArray[np.bool_]) -> Verdict:
        """Return whichever evidence exceeds its threshold by more."""
        caution, nothing = scores.caution(rows), np.full(allowed.shape, -np.inf)
        level, ratio = _evidence_of_level(scores, rows) if self.share < 1 else (nothing, nothing)
        spread = _evidence_of_variance(scores, rows) if self.share > 0 else nothing
        level, spread = (np.where(allowed, evidence, -np.inf) for evidence in (level, spread))
        moved, varied = np.logaddexp.reduce(level, axis=1), spread.max(axis=1)
        if self.share < 1:
            moved -= self.level(observations / (1 - self.share), caution)
        if self.share > 0:
            varied -= self.variance(observations / self.share, caution)
        variance = varied > np.maximum(moved, 0.0)
        onset = np.where(variance, spread.argmax(axis=1), level.argmax(axis=1))
        evidence = np.where(variance[:, None], spread, ratio)[np.arange(len(rows)), onset]
        return Verdict(np.where(variance, varied, moved), AGO[onset], evidence, variance)

    def doubt(self, evidence: float) -> float:
        """Return the number of onsets times the p-value of the evidence."""
        return DEPTH * erfc(sqrt(max(evidence, 0.0)))


@DETECTORS.register("glr")
@dataclass
class Glr(Single):
    """Detects a change of level or of variance in a stream with gaps, tails and memory.

    Parameters
    ----------
    steps : from one false alarm to the next, in the mean; see ``steps_between_alarms``
    interval : time from one step to the next
    """

    steps: float = STEPS
    interval: float = 1.0

    def __post_init__(self) -> None:
        super().__init__(GlrJudge, steps=self.steps, interval=self.interval)


def _evidence_of_level(scores: Scores, rows: Rows) -> tuple[Vector, Vector]:
    """Return (rows, DEPTH) log likelihood ratios at every onset, with the penalty and without."""
    said, weight = scores.sums(rows, DEPTH)
    ratio = said * said / (2 * weight)
    evidence = ratio - _PENALTY * np.log(weight / 4)
    newest = scores.normal[rows, -_RUNS[0] :]
    aside = (newest > _ASIDE).all(axis=1) | (newest < -_ASIDE).all(axis=1)
    for at in np.flatnonzero(aside & (scores.count[rows] <= _YOUNG)).tolist():
        values = scores.values[rows[at], -scores.count[rows[at]] :]
        for run in (run for run in _RUNS if len(values) - run >= _REFERENCE):
            far = _evidence_of_run(values, run)
            evidence[at, -run], ratio[at, -run] = max(evidence[at, -run], far), max(ratio[at, -run], far)
    return np.asarray(evidence), np.asarray(ratio)


def _evidence_of_run(values: Vector, run: int) -> float:
    """Return the log likelihood ratio of a change under which the last values are all far out on one side."""
    before = values[:-run]
    middle = np.median(before)
    away = values[-run:] - middle
    sigma = float(np.median(np.abs(before - middle))) / _NORMAL_QUARTILE
    # Most values before are equal: only a lasting departure says anything, and any unit will do.
    sigma = sigma or float(np.ptp(values)) / (2 * _FAR) or 1.0
    nearest = max(float(away.min()), -float(away.max())) / sigma
    return run * nearest**2 / 2 if nearest > _FAR else 0.0


def _evidence_of_variance(scores: Scores, rows: Rows) -> Vector:
    spread = scores.spread[rows, -DEPTH:]
    return np.asarray((since(spread) + spread) ** 2 / (2 * AGO))
