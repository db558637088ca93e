r"""Indirect standardisation: what a hospital's stays would have cost, lasted or ended in at its peers' means.

.. math:: E_h = \sum_d n_{hd} \bar m_d, \qquad r_h = O_h / E_h

where :math:`\bar m_d` is the peers' mean in DRG d. With ``own=True`` (the default) the hospital itself is among its
peers: observed and expected sums agree over a level. With ``own=False`` it is judged by the others alone, and stays of
a DRG that no other hospital has are left out and counted in ``alone``.

Limits of counts are exact: :math:`\chi^2_{\alpha/2}(2O)/2` and :math:`\chi^2_{1-\alpha/2}(2O+2)/2` over E. Limits of
amounts are log-normal, with the variance of O - E from the variance within cells, :math:`\sum_d n_{hd} s_d^2 (1 \mp
n_{hd}/n_d)`: minus, as with ``own`` a hospital is a part of its own expectation; without, plus :math:`n_{hd}/(n_d -
n_{hd})`.

Sources: Breslow and Day 1987, Statistical Methods in Cancer Research II, ch. 2; Garwood 1936 (exact limits).
"""

import numpy as np
import pyarrow as pa
from scipy import stats

from headwater.claims.comparing.cells import Cells, Integers, cells, coded, money, totals
from headwater.types import Vector

__all__ = ["poisson_limits", "spread_within", "standardise"]

_OWN_VARIANCE = 5
"""Stays from which on a cell's own variance is used; below, that of all cells in proportion to the squared mean."""


def standardise(
    stays: pa.Table, measure: str = "medfee_sumamt", *, own: bool = True, confidence: float = 0.95
) -> pa.Table:
    """Compare each hospital's observed with its expected sum of a measure.

    Parameters
    ----------
    stays : as of `cells`
    measure : a decimal (money), integer (days) or boolean (deaths, a count) column
    own : whether a hospital is among its own peers

    Returns
    -------
    pyarrow.Table
        a row a hospital: hospital_id, region, hosp_lv, currency, measure, stays, alone, observed and expected
        (decimals), is_count, ratio, se (of its logarithm; of counts, under no difference), lower, upper; ratio, se and
        limits are null where nothing is expected. ``schema.metadata`` says how many stays were left out.

    Raises
    ------
    Refusal
        ``E-COMPARE-COLUMN``, ``E-COMPARE-HOSPITAL``, ``E-COMPARE-MEASURE``
    """
    found = cells(stays)
    values, scale = found.values(measure)
    is_count = pa.types.is_boolean(stays.schema.field(measure).type)
    pairs = _Pairs(found, values, own=own)
    observed, expected, variance = pairs.observed, pairs.expected, pairs.variance
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(expected > 0, observed / expected, np.nan)
        se = np.sqrt(1 / expected if is_count else variance / expected**2)
    se = np.where(expected > 0, se, np.nan)
    lower, upper = _limits((observed, expected), (ratio, se), is_count=is_count, confidence=confidence)
    table = found.hospitals.append_column("measure", pa.array([measure] * len(found.hospitals), pa.string()))
    columns = {"stays": pairs.stays, "alone": pairs.alone}
    columns |= {"observed": money(observed * (100 // scale)), "expected": money(np.rint(expected * (100 / scale)))}
    columns |= {"is_count": np.full(len(table), is_count)}
    known = expected > 0
    estimates = {"ratio": ratio, "se": se, "lower": lower, "upper": upper}
    columns |= {name: pa.array(one, mask=~known) for name, one in estimates.items()}
    for name, column in columns.items():
        table = table.append_column(name, column if isinstance(column, pa.Array) else pa.array(column))
    return table.replace_schema_metadata({"left_out": str(found.left_out), "own": str(own)})


def _limits(
    sums: tuple[Integers, Vector | Integers], estimates: tuple[Vector, Vector], *, is_count: bool, confidence: float
) -> tuple[Vector, Vector]:
    """Return the limits of the ratios; where nothing is expected they mean nothing."""
    (observed, expected), (ratio, se) = sums, estimates
    if is_count:
        lower, upper = poisson_limits(observed, confidence)
        base = np.where(expected > 0, expected, np.nan)
        return lower / base, upper / base
    reach = np.exp(stats.norm.ppf((1 + confidence) / 2) * se)
    return ratio / reach, ratio * reach


class _Pairs:
    """Sums by hospital over its cells; all (H,)."""

    def __init__(self, found: Cells, values: Integers, *, own: bool) -> None:
        size, kinds = len(found.hospitals), len(found.names)
        pair, place, number, total = _paired(found, values)
        hospital, cell = place
        in_cell, sum_of_cell = np.bincount(found.cell, minlength=kinds)[cell], totals(found.cell, values, kinds)[cell]
        rest = in_cell if own else in_cell - number
        # A cell of one hospital alone says nothing about it once the hospital is not among its peers.
        used = rest > 0
        mean = (sum_of_cell if own else sum_of_cell - total) / np.where(used, rest, 1)
        share = -number / in_cell if own else number / np.where(used, rest, 1)
        s2 = spread_within(values, found.cell, kinds)[cell]
        self.stays = np.bincount(found.hospital, minlength=size)
        self.alone = totals(hospital, np.where(used, 0, number), size)
        self.observed = totals(hospital, np.where(used, total, 0), size)
        self.expected = np.bincount(hospital, weights=np.where(used, number * mean, 0.0), minlength=size)
        self.variance = np.bincount(hospital, weights=np.where(used, number * s2 * (1 + share), 0.0), minlength=size)


def _paired(found: Cells, values: Integers) -> tuple[Integers, tuple[Integers, Integers], Integers, Integers]:
    """Return each stay's pair of hospital and cell, the pairs' places, their numbers of stays and sums."""
    pair, rows = coded(pa.table({"hospital": found.hospital, "cell": found.cell}), "hospital", "cell")
    place = (rows["hospital"].to_numpy(), rows["cell"].to_numpy())
    return pair, place, np.bincount(pair, minlength=len(rows)), totals(pair, values, len(rows))


def spread_within(values: Integers, cell: Integers, kinds: int) -> Vector:
    """Return the (kinds,) variances within cells; a cell of few stays has the common coefficient of variation."""
    number = np.bincount(cell, minlength=kinds)
    mean = np.bincount(cell, weights=values, minlength=kinds) / np.maximum(number, 1)
    squares = np.bincount(cell, weights=(values - mean[cell]) ** 2, minlength=kinds)
    several = (number > 1) & (mean > 0)
    freedom = (number[several] - 1).sum()
    cv2 = (squares[several] / mean[several] ** 2).sum() / freedom if freedom else 0.0
    return np.where(number >= _OWN_VARIANCE, squares / np.maximum(number - 1, 1), cv2 * mean**2)


def poisson_limits(count: Integers, confidence: float = 0.95) -> tuple[Vector, Vector]:
    """Return the exact limits of Poisson means given their counts (Garwood 1936).

    >>> [round(float(one), 3) for one in poisson_limits(np.array(10))]
    [4.795, 18.39]
    """
    tail = (1 - confidence) / 2
    lower = np.where(count > 0, stats.chi2.ppf(tail, 2 * np.maximum(count, 1)) / 2, 0.0)
    return lower, np.asarray(stats.chi2.ppf(1 - tail, 2 * (count + 1)) / 2)
