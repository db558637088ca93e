r"""What a hospital's stays say of it once they are grouped: case mix, use of money and time, deaths of low risk.

- **Case-mix index**: mean weight of grouped stays.
- **Consumption indices**: :math:`\sum_d n_{hd} (\bar x_{hd} / \bar X_d) / \sum_d n_{hd}`, the mean over a hospital's
  stays of its DRG mean relative to the region's; 1 is the region's mean. Money and days alike.
- **Low-risk mortality**: DRGs are scored 0 to 4 by their mortality in a region: 0 nobody died; otherwise by the
  z-score of its logarithm among the DRGs with deaths: 1 below -1, 2 below 0, 3 up to 1, 4 above 1. Low risk is score
  1; the mortality of these stays is the indicator.

Sources: National Health Commission, Handbook of performance assessment of tertiary public hospitals
(国家三级公立医院绩效考核操作手册), indicators on DRGs; CN-DRG grouping plan 2014, risk scores; Fetter et
al 1980 on case mix.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.comparing.cells import Integers, coded, exact, totals
from headwater.types import Vector

__all__ = ["LOW_RISK", "case_mix_index", "consumption_index", "low_risk_mortality", "risk_scores"]

LOW_RISK = (1,)
_REGION = ("region", "currency")


def case_mix_index(stays: pa.Table, weights: pa.Table) -> pa.Table:
    """Return every hospital's mean weight.

    Parameters
    ----------
    stays : hospital_id, drg
    weights : drg, weight (decimal or float)

    Returns
    -------
    pyarrow.Table
        hospital_id, stays (with a weight), unweighted (without one, left out), case_mix_index (null without any)
    """
    hospital, table = coded(stays, "hospital_id")
    known = dict(zip(weights["drg"].to_pylist(), weights["weight"].cast(pa.float64()).to_pylist(), strict=True))
    weight = np.array([known.get(drg, np.nan) for drg in stays["drg"].to_pylist()], dtype=float)
    has = ~np.isnan(weight)
    number = np.bincount(hospital[has], minlength=len(table))
    missing = np.bincount(hospital[~has], minlength=len(table))
    return _with(table, number, {"unweighted": missing}, {"case_mix_index": (_sums(hospital[has], weight[has], table))})


def consumption_index(stays: pa.Table, measure: str, *, within: Sequence[str] = _REGION) -> pa.Table:
    """Return every hospital's index of cost or time.

    Parameters
    ----------
    stays : hospital_id, drg, the measure (decimal or integer) and the columns of ``within``
    within : what a mean is taken over beside the DRG

    Returns
    -------
    pyarrow.Table
        hospital_id, stays (grouped, of DRGs whose mean is above zero), index
    """
    stays = stays.filter(stays["drg"].is_valid())
    hospital, table = coded(stays, "hospital_id")
    group, groups = coded(stays, *within, "drg")
    values, _ = exact(stays[measure], measure)
    mean = totals(group, values, len(groups)) / np.bincount(group, minlength=len(groups))
    used = mean[group] > 0
    # A hospital's mean times its stays is its sum: each stay adds its own ratio.
    ratio = values[used] / mean[group[used]]
    number = np.bincount(hospital[used], minlength=len(table))
    return _with(table, number, {}, {"index": _sums(hospital[used], ratio, table)})


def risk_scores(stays: pa.Table) -> pa.Table:
    """Score DRGs by their mortality.

    Parameters
    ----------
    stays : drg, is_dead, of the region and period that define the risk

    Returns
    -------
    pyarrow.Table
        drg, stays, deaths, z (null without deaths), score (0 to 4); z-scores count every DRG once, with the standard
        deviation of them all; where all DRGs with deaths are alike, or there is one, z is 0
    """
    stays = stays.filter(stays["drg"].is_valid())
    group, table = coded(stays, "drg")
    deaths = totals(group, exact(stays["is_dead"], "is_dead")[0], len(table))
    number = np.bincount(group, minlength=len(table))
    died = deaths > 0
    logs = np.log(deaths[died] / number[died])
    spread = logs.std() if len(logs) > 1 else 0.0
    z = np.full(len(table), np.nan)
    z[died] = (logs - logs.mean()) / spread if spread > 0 else 0.0
    score = np.select([~died, z < -1, z < 0, z <= 1], [0, 1, 2, 3], 4)
    columns = {"stays": number, "deaths": deaths, "z": pa.array(z, mask=~died), "score": score.astype(np.int64)}
    for name, column in columns.items():
        table = table.append_column(name, column if isinstance(column, pa.Array) else pa.array(column))
    return table


def low_risk_mortality(stays: pa.Table, scores: pa.Table, *, low: Sequence[int] = LOW_RISK) -> pa.Table:
    """Return every hospital's mortality in DRGs of low risk.

    Parameters
    ----------
    stays : hospital_id, drg, is_dead
    scores : as `risk_scores` returns, of the same period or another one
    low : the scores that are of low risk

    Returns
    -------
    pyarrow.Table
        hospital_id, stays and deaths of low risk, mortality (null without such stays)
    """
    hospital, table = coded(stays, "hospital_id")
    chosen = scores.filter(pc.is_in(scores["score"], pa.array(list(low), type=scores["score"].type)))["drg"]
    is_low = np.asarray(pc.is_in(stays["drg"], chosen.combine_chunks()))
    dead, _ = exact(stays["is_dead"], "is_dead")
    number = np.bincount(hospital[is_low], minlength=len(table))
    deaths = totals(hospital[is_low], dead[is_low], len(table))
    return _with(table, number, {"deaths": deaths}, {"mortality": deaths.astype(float)})


def _sums(place: Integers, values: Vector, table: pa.Table) -> Vector:
    return np.asarray(np.bincount(place, weights=values, minlength=len(table)), dtype=np.float64)


def _with(table: pa.Table, number: Integers, counts: dict[str, Integers], sums: dict[str, Vector]) -> pa.Table:
    """Append a number of stays, counts, and means: sums over this number, null where it is 0."""
    table = table.append_column("stays", pa.array(number))
    for name, values in counts.items():
        table = table.append_column(name, pa.array(values))
    for name, sum_ in sums.items():
        table = table.append_column(name, pa.array(sum_ / np.maximum(number, 1), mask=number == 0))
    return table
