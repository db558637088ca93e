"""What a year's payments will come to: the run rate of its full months, by season where earlier years tell of one.

Each calendar month has an index i: its share of complete earlier years times twelve, or 1 where there is no such year.
Months known so far, of index sum S, were paid X; the months to come, of index sum R, are expected to be paid X/S · R.
With payments of independent months of mean λi and variance σ²i this is the best linear unbiased predictor, and

    σ² is estimated by s² = Σ (x − iX/S)² / i / (n − 1), the error of prediction has variance s² (R + R²/S),

so that the sum lies within t(n−1) of its square root. That is all there is in it: no trend, no change of prices or
policies, nothing of stays that are delivered late, and indices are taken as known.

References
----------
Royall, R. M. (1970). On finite population sampling theory under certain linear regression models. Biometrika 57,
    377–387.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy import stats

from headwater.types import Vector

__all__ = ["METHODS", "Forecast", "forecast"]

METHODS = ("run_rate", "seasonal_run_rate")
_MONTHS = 12


@dataclass(frozen=True)
class Forecast:
    """The payments of a whole calendar year.

    Parameters
    ----------
    expected, low, high : fen; the interval is None from one month alone
    method : one of :data:`METHODS`
    """

    expected: int
    low: int | None
    high: int | None
    method: str


def forecast(paid: Mapping[date, int], *, on: date, since: date, confidence: float = 0.95) -> Forecast | None:
    """Return what will have been paid at the end of the year, None before a full month is known.

    Parameters
    ----------
    paid : first day of a month → fen; a month that is absent was paid nothing
    on : the last day that is known; the month it lies in counts when it is over
    since : first day of the first month of which anything is known, for whomever
    """
    index, method = _indices(paid, since, on.year)
    first = since.month if since.year == on.year else 1
    last = on.month if (on + timedelta(1)).month != on.month else on.month - 1
    known, open_ = np.arange(first, last + 1), np.arange(last + 1, _MONTHS + 1)
    if not len(known):
        return None
    amounts = np.array([paid.get(date(on.year, month, 1), 0) for month in known.tolist()], dtype=np.float64)
    shares, rest = index[known - 1], float(index[open_ - 1].sum())
    level = amounts.sum() / shares.sum()
    so_far = int(sum(paid.get(date(on.year, month, 1), 0) for month in known.tolist()))
    expected = so_far + round(level * rest)
    if not len(open_):
        return Forecast(expected, expected, expected, method)
    if len(known) == 1:
        return Forecast(expected, None, None, method)
    variance = float(((amounts - level * shares) ** 2 / shares).sum()) / (len(known) - 1)
    error = float(np.sqrt(variance * (rest + rest**2 / shares.sum())))
    width = round(float(stats.t.ppf((1 + confidence) / 2, len(known) - 1) * error))
    return Forecast(expected, expected - width, expected + width, method)


def _indices(paid: Mapping[date, int], since: date, year: int) -> tuple[Vector, str]:
    """Return the twelve indices, and the method that they make."""
    first = since.year if since.month == 1 else since.year + 1
    years = range(first, year)
    sums = [[paid.get(date(one, month, 1), 0) for month in range(1, _MONTHS + 1)] for one in years]
    # A month without payments tells of no season, only of a hospital that was not there, or was too small for one.
    complete = np.array([one for one in sums if min(one) > 0], dtype=np.float64)
    if not len(complete):
        return np.ones(_MONTHS), METHODS[0]
    months = complete.sum(axis=0)
    return np.asarray(_MONTHS * months / months.sum(), dtype=np.float64), METHODS[1]
