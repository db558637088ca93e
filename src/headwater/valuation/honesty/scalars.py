"""Values that sources work out for themselves: computed again where the statistic is known, bounded where it is not."""

from collections.abc import Sequence

import numpy as np

from headwater.errors import Message
from headwater.statistics.statistic import Statistic
from headwater.types import Vector
from headwater.valuation.averaging import Told
from headwater.valuation.honesty.finding import Finding

__all__ = ["bounded", "recomputed"]

_MOST_DEVIATIONS = 3.0
_NORMAL_MAD = 1.4826


def recomputed(value: float, told: Told, own: Statistic, cohorts: Sequence[int]) -> tuple[Finding, ...]:
    """Hold the value that a source gave itself against the one of its statistic, as float32.

    Parameters
    ----------
    own : opened by the source, or computed from the claims that were paid
    cohorts : those that the source stands in

    Notes
    -----
    Machines may round otherwise in the last places; a hundred-thousandth of the value is let pass.
    """
    true = float(np.float32(told.average(own, cohorts)))
    if np.isclose(value, true, rtol=1e-5, atol=1e-9):
        return ()
    message = Message(f"自报价值 {value:.6g}，应为 {true:.6g}。", f"Gave itself {value:.6g} where {true:.6g} is true.")
    return (Finding("scalar", True, message, {"said": value, "true": true}),)


def bounded(values: Vector) -> Vector:
    """Return the values cut off at three robust deviations about their median: what one lie can move is bounded.

    >>> bounded(np.array([1.0, 2.0, 3.0, 100.0])).round(2).tolist()
    [1.0, 2.0, 3.0, 6.95]
    """
    middle = float(np.median(values))
    deviation = _NORMAL_MAD * float(np.median(np.abs(values - middle)))
    return np.asarray(np.clip(values, middle - _MOST_DEVIATIONS * deviation, middle + _MOST_DEVIATIONS * deviation))
