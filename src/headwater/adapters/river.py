"""River's detectors as baselines: ADWIN, Page-Hinkley and KSWIN behind the seam of every detector.

River's know neither time nor absence, and their settings are no rates of false alarms. Here each reads the scores of a
stream (``evolution/scores.py``) with the setting that its calibration gives, so that it keeps its word on any unit,
tail and memory; what is found is placed where it is likeliest. ``default`` makes them as river
does, for raw values.

Sources: Bifet and Gavalda 2007; Page 1954; Raab, Heusinger and Schleif 2020. A river detector begins anew by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import erfc, exp, sqrt
from typing import Protocol

import numpy as np
from river import drift

from headwater.evolution.bank import DEPTH, changed
from headwater.evolution.calibration import STEPS, Threshold, calibrated
from headwater.evolution.detector import DETECTORS, Change, require_step
from headwater.evolution.onset import values_since
from headwater.evolution.scores import Scores

__all__ = ["Drift", "River", "SETTINGS", "default"]

_WARMUP = 8
_SEED = 7


class Drift(Protocol):
    """What all of river's detectors of drift have in common."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last value was the one that told."""
        ...

    def update(self, x: float) -> None:
        """Take the next value."""
        ...


def _adwin(threshold: float) -> Drift:
    return drift.ADWIN(delta=exp(-threshold), clock=1, grace_period=_WARMUP)  # type: ignore[no-untyped-call]


def _page_hinkley(threshold: float) -> Drift:
    # Half of a change by one deviation is what its cumulative sums must grow against.
    return drift.PageHinkley(min_instances=_WARMUP, delta=0.5, threshold=threshold)


def _kswin(threshold: float) -> Drift:
    return drift.KSWIN(alpha=exp(-threshold), window_size=50, stat_size=10, seed=_SEED)


SETTINGS: Mapping[str, Callable[[float], Drift]] = {"adwin": _adwin, "kswin": _kswin, "page_hinkley": _page_hinkley}
"""Makers by the threshold that is calibrated: -ln(delta), -ln(alpha), and the bound of the cumulative sums."""


def default(name: str) -> Drift:
    """Return a detector of river as river makes it."""
    made: Mapping[str, Callable[[], Drift]] = {
        "adwin": drift.ADWIN,
        "kswin": partial(drift.KSWIN, seed=_SEED),
        "page_hinkley": drift.PageHinkley,
    }
    return made[name]()


@dataclass
class River:
    """One of river's detectors, reading scores.

    Parameters
    ----------
    name : in ``SETTINGS``
    steps : from one false alarm to the next, in the mean; see ``steps_between_alarms``
    interval : time from one step to the next
    answered : share of the steps at which a value is expected; the fewer, the lower the threshold
    threshold : None takes the calibrated one
    """

    name: str
    steps: float = STEPS
    interval: float = 1.0
    answered: float = 1.0
    threshold: Threshold | None = None

    def __post_init__(self) -> None:
        threshold = self.threshold or calibrated(self.name)
        self._drift = SETTINGS[self.name](float(threshold(np.array(self.steps * self.answered))))
        self._scores = Scores(1, interval=self.interval)
        self._last: float | None = None

    def update(self, time: float, value: float | None) -> Change | None:
        """Take a value or its absence; after a change, go on from the values behind its onset.

        The confidence of a change is 1 minus the p-value of another level behind its onset.
        """
        require_step(self._last, time, value)
        self._last = time
        if value is None:
            return None
        self._scores.take(time, np.array([value], dtype=np.float64))
        self._drift.update(float(self._scores.white[0, -1]))
        count = int(self._scores.count[0])
        if not self._drift.drift_detected or count < _WARMUP:
            return None
        ago = values_since(self._scores.values[0, -count:], most=DEPTH)
        said, weight = self._scores.sums(np.array([0]), ago)
        doubt = erfc(sqrt(float(said[0, 0] ** 2 / (2 * weight[0, 0]))))
        change = changed(self._scores, 0, ago, confidence=1 - doubt)
        self._scores.restart(0, ago)
        return change


for _name in SETTINGS:
    DETECTORS.register(_name)(partial(River, _name))
