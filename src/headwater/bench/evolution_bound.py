"""How soon a change can be found by one that knows everything but when it is: what no detector of E1 can undercut.

It knows that the noise is normal, level, deviation and memory before the change, its course and its size. Every
observation then has an exact likelihood ratio for every onset (one in a gap counts as at its end). Summed over all
onsets, each as likely as any other, they are Shiryaev's and Roberts' statistic, which of all that give as many false
alarms has the least mean delay of a change long after the start (in independent observations; in those with memory in
the limit of rare alarms). It alarms above the threshold that streams without a change leave uncrossed as often as the
stated rate of false alarms says.

Sources: Shiryaev 1963; Roberts 1966; Pollak and Tartakovsky 2009 (that it is best, alarm after alarm).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.bench.evolution_streams import Law, memory
from headwater.evolution.bank import DEPTH
from headwater.types import Vector

__all__ = ["Known", "least_delay"]

_SETTLED = 100
"""Steps after which the statistic has seen as many onsets as it ever will."""
_SPREAD = 2.0
"""Standard deviation of sizes, either way, where the size is not known."""


@dataclass(frozen=True)
class Known:
    """What is known of a stream and of the change in it.

    Parameters
    ----------
    law : of the noise, with memory or without, but normal
    ramp : steps over which the change takes place
    size : of the change, in deviations; None: not known, normal with mean 0
    """

    law: Law
    ramp: int = 1
    size: float | None = 1.0


def least_delay(known: Known, quiet: Vector, moved: Vector, *, at: int, rate: float) -> float:
    """Return the median delay in steps of a change of which more is not known than ``known``, its time never.

    Parameters
    ----------
    quiet : (streams, steps) values without a change, NaN where absent, on which the threshold is found
    moved : (streams, steps) values that change at step ``at``; those in which there was an alarm for nothing just
        before do not count
    rate : false alarms in 1,000 steps
    """
    before = np.array(list(_statistics(known, quiet)))[_SETTLED:]
    # Alarms are rare and forget each other: as many streams stay without any as there is no event of a Poisson process.
    threshold = float(np.quantile(before.max(axis=0), np.exp(-rate * len(before) / 1000)))
    alarms = np.array(list(_statistics(known, moved))) > threshold
    behind = alarms[at:, ~alarms[at - 1]]
    return float(np.median(np.where(behind.any(axis=0), behind.argmax(axis=0), np.inf)))


def _statistics(known: Known, values: Vector) -> Iterator[Vector]:
    """Yield for every step the logarithm of the sum over all onsets of likelihood ratios, (streams,)."""
    coefficient, streams = memory(known.law), len(values)
    last, seen = np.zeros(streams), np.full(streams, -np.inf)
    onset = np.full((streams, DEPTH), np.inf)
    said, weight, chance = np.zeros(onset.shape), np.zeros(onset.shape), np.full(onset.shape, -np.inf)
    statistic = np.full(streams, -np.inf)
    for step in range(values.shape[1]):
        rows = np.flatnonzero(~np.isnan(values[:, step]))
        gap = step - seen[rows]
        for kept, newest in ((onset, step), (said, 0.0), (weight, 0.0), (chance, np.log(np.minimum(gap, step + 1)))):
            kept[rows] = np.roll(kept[rows], 1, axis=1)
            kept[rows, 0] = newest
        carried = coefficient**gap
        spread = np.sqrt(1 - carried**2)
        white = (values[rows, step] - carried * last[rows]) / spread
        shift = _reached(step - onset[rows], known.ramp)
        shift -= carried[:, None] * _reached(seen[rows, None] - onset[rows], known.ramp)
        shift /= spread[:, None]
        said[rows] += shift * white[:, None]
        weight[rows] += shift**2
        last[rows], seen[rows] = values[rows, step], step
        ratio = _ratio(said[rows], weight[rows], known.size)
        statistic[rows] = np.logaddexp.reduce(chance[rows] + ratio, axis=1)
        yield statistic.copy()


def _reached(age: Vector, ramp: int) -> Vector:
    """Return what part of a change is reached so many steps after its onset."""
    return np.clip((age + 1) / ramp, 0.0, 1.0)


def _ratio(said: Vector, weight: Vector, size: float | None) -> NDArray[np.float64]:
    """Return the log likelihood ratio of a change of this size, or of all sizes as they are spread."""
    if size is not None:
        return np.asarray(size * said - size**2 * weight / 2)
    room = weight + 1 / _SPREAD**2
    return np.asarray(said**2 / (2 * room) - np.log1p(_SPREAD**2 * weight) / 2)
