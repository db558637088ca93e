r"""Windowed generalised likelihood ratio for a change of level, robust and aware of time.

Over the last ``window`` observations, however far apart in time, each split k into :math:`n_1` before and
:math:`n_2` after scores

.. math:: \Lambda_k = \frac{n_1 + n_2 - 2}{2} \log\Bigl(1 + \frac{t_k^2}{n_1 + n_2 - 2}\Bigr)

with :math:`t_k` Student's two-sample statistic of the winsorised values, so that the scale is learnt on both sides of
the split and the change itself does not inflate it. A gap adds no evidence of its own, however long; a change behind
it is found from the values after it, and its onset is put in the gap.
Values are winsorised at ``clip`` σ around the median, σ from the median absolute difference of neighbours. That slows
large changes down, so three last values in a row beyond 3 σ of the median before them count at their nearest's weight.

Source: Siegmund and Venkatraman 1995 for the windowed statistic; Student's form and winsorising are
additions. Values are taken as independent: positively autocorrelated streams give more false alarms.
"""

from collections import deque
from dataclasses import dataclass, field
from math import erfc, sqrt

import numpy as np

from headwater.evolution.detector import DETECTORS, Change, require_step
from headwater.types import Vector

__all__ = ["Glr"]

_MEDIAN_DIFFERENCE = 0.6744897501960817 * sqrt(2.0)
"""Median of the absolute difference of two standard normal numbers."""
_RUN = 3
_FAR = 3.0
_LEAST_WITHIN = 1e-12
_WIDE = 3.0
"""Once a change is certain, its place is sought with values winsorised this much less."""


@DETECTORS.register("glr")
@dataclass
class Glr:
    """Detects a change of level in a stream with gaps.

    The confidence of a change is 1 minus the number of splits times the two-sided normal p-value of its evidence.

    Parameters
    ----------
    window : observations remembered
    warmup : observations before the first verdict, and again after a change
    threshold : score at which a change is reported, see the calibration test
    clip : σ at which values are winsorised
    """

    window: int = 100
    warmup: int = 8
    threshold: float = 7.0
    clip: float = 2.0
    absent: int = field(default=0, init=False)
    _times: deque[float] = field(init=False, repr=False)
    _values: deque[float] = field(init=False, repr=False)
    _last: float | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not _RUN + 2 <= self.warmup <= self.window:
            raise ValueError(f"warmup must be at least {_RUN + 2} and at most the window")
        self._times, self._values = deque(maxlen=self.window), deque(maxlen=self.window)

    def update(self, time: float, value: float | None) -> Change | None:
        """Take a value or its absence; after a change, go on from the values behind its onset."""
        require_step(self._last, time, value)
        self._last = time
        if value is None:
            self.absent += 1
            return None
        self.absent = 0
        self._times.append(time)
        self._values.append(value)
        if len(self._values) < self.warmup:
            return None
        return self._verdict(time)

    def _verdict(self, time: float) -> Change | None:
        times, values = np.array(self._times), np.array(self._values)
        sigma = _sigma(values)
        evidence = _evidence(values, sigma, self.clip)
        strongest = float(evidence.max())
        if strongest <= self.threshold:
            return None
        last = int(np.argmax(_split_evidence(_winsorised(values, sigma, _WIDE * self.clip))))
        change = Change(
            time,
            onset=float(times[last] + times[last + 1]) / 2,
            size=float(np.median(values[last + 1 :]) - np.median(values[: last + 1])),
            confidence=max(0.0, 1.0 - len(evidence) * erfc(sqrt(strongest))),
        )
        self._forget(last + 1)
        return change

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._times.popleft()
            self._values.popleft()


def _sigma(values: Vector) -> float:
    """Return the scale of the noise, 0 if most neighbours are equal."""
    return float(np.median(np.abs(np.diff(values)))) / _MEDIAN_DIFFERENCE


def _winsorised(values: Vector, sigma: float, clip: float) -> Vector:
    middle, reach = np.median(values), clip * sigma if sigma > 0 else np.inf
    return np.asarray(np.clip(values, middle - reach, middle + reach), dtype=np.float64)


def _evidence(values: Vector, sigma: float, clip: float) -> Vector:
    """Return the (n-1,) log likelihood ratios of a change at every split of n values."""
    if sigma > 0:
        evidence = _split_evidence(_winsorised(values, sigma, clip))
    else:
        # Most neighbours are equal: only a lasting departure says anything, and any unit will do.
        evidence, sigma = np.zeros(len(values) - 1), float(np.ptp(values)) / (2 * _FAR) or 1.0
    evidence[-_RUN] = max(evidence[-_RUN], _run_evidence(values / sigma))
    return evidence


def _run_evidence(standard: Vector) -> float:
    """Return the log likelihood ratio of a change under which the last values are all far out on one side."""
    away = standard[-_RUN:] - np.median(standard[:-_RUN])
    nearest = float(np.abs(away).min())
    one_sided = bool((away > 0).all() or (away < 0).all())
    return _RUN * nearest**2 / 2 if one_sided and nearest > _FAR else 0.0


def _split_evidence(values: Vector) -> Vector:
    """Return the (n-1,) log likelihood ratios of a change at every split of ``values``, their variance unknown."""
    size = len(values)
    before = np.arange(1, size)
    centred = values - values.mean()
    between = np.cumsum(centred)[:-1] ** 2 * size / (before * (size - before))
    within = np.maximum(float(centred @ centred) - between, _LEAST_WITHIN * float(centred @ centred))
    return np.asarray((size - 2) / 2 * np.log1p(between / within), dtype=np.float64)
