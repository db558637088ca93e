r"""Trim points: beyond which cost a stay is extreme for its group, by the costs of like stays alone.

Three rules, all of which bureaus use:

- ``quantile``: below the ``low`` or above the ``high`` quantile of costs;
- ``log_iqr``: with quartiles of the logarithm, below :math:`q_1 - low \cdot (q_3 - q_1)` or above :math:`q_3 + high
  \cdot (q_3 - q_1)`; costs are skewed and their logarithms are not, so both ends are judged alike;
- ``multiple``: below ``low`` or above ``high`` times the mean.

A group of fewer stays than ``least`` has no points of its own: its stays are judged by the points of its ADRG, then of
its MDC, and are not judged where that is small too. Each stay is told by which group it was judged.

Sources: Tukey 1977 (fences); Cots et al 2003, Health Care Manag Sci 6:17 (trim points of DRGs); technical
specification of CHS-DRG (国家医疗保障疾病诊断相关分组技术规范, multiples of the mean).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from headwater.claims.comparing.cells import PEERS, Integers, by, coded, exact
from headwater.errors import Message, Refusal
from headwater.types import Vector

__all__ = ["BASES", "RULE", "Points", "Rule", "points"]

BASES = ("drg", "adrg", "mdc")
"""Groups by which a stay is judged, the narrowest first."""

_QUARTILES = (0.25, 0.75)


@dataclass(frozen=True)
class Rule:
    """How trim points are found; what ``low`` and ``high`` mean is the rule's.

    Raises
    ------
    Refusal
        ``E-EXTREME-RULE`` when the points could not stand apart
    """

    name: Literal["quantile", "log_iqr", "multiple"]
    low: float
    high: float
    least: int = 30

    def __post_init__(self) -> None:
        bounds = {"quantile": 0 <= self.low < self.high <= 1, "multiple": 0 <= self.low < 1 < self.high}
        if not bounds.get(self.name, self.low > 0 and self.high > 0) or self.least < 2:
            raise Refusal(
                "E-EXTREME-RULE",
                Message(f"截断规则 {self} 不成立。", f"The trim rule {self} makes no sense."),
                Message("下限须低于上限，例数至少为 2。", "Let low be below high, and least be 2 or more."),
            )

    @property
    def version(self) -> str:
        """The rule in one line."""
        return f"{self.name} {self.low:g} {self.high:g} least {self.least}"


RULE = Rule("log_iqr", 2.0, 2.0)
"""Of normal logarithms it calls 1 stay in 1,500 extreme."""


@dataclass(frozen=True, eq=False)
class Points:
    """Trim points of n stays.

    Parameters
    ----------
    basis : (n,) place in `BASES`, -1 where a stay is not judged
    cases : (n,) stays of the group by which it is judged
    low, usual, high : (n,) fen; usual is the median
    """

    basis: Integers
    cases: Integers
    low: Vector
    usual: Vector
    high: Vector


def points(stays: pa.Table, rule: Rule = RULE) -> Points:
    """Find the trim points of every stay among those of its region, level and currency.

    Parameters
    ----------
    stays : region, hosp_lv, currency, mdc, adrg, drg, medfee_sumamt (decimal); stays without amount or group are no
        like stays of others, and not judged
    """
    size = len(stays)
    fen, _ = exact(stays["medfee_sumamt"], "medfee_sumamt")
    has_amount = stays["medfee_sumamt"].is_valid().to_numpy()
    basis, cases = np.full(size, -1), np.zeros(size, dtype=np.int64)
    found = {name: np.full(size, np.nan) for name in ("low", "usual", "high")}
    for place, name in enumerate(BASES):
        known = np.flatnonzero(has_amount & stays[name].is_valid().to_numpy())
        group, groups = coded(stays.take(pa.array(known)), *PEERS, name)
        for rows in by(group, len(groups)):
            mine = known[rows]
            open_ = mine[basis[mine] < 0]
            if len(mine) < rule.least or not len(open_):
                continue
            basis[open_], cases[open_] = place, len(mine)
            for column, value in zip(found.values(), _found(fen[mine], rule), strict=True):
                column[open_] = value
    return Points(basis, cases, **found)


def _found(fen: Integers, rule: Rule) -> tuple[float, float, float]:
    """Return low, usual and high of one group."""
    usual = float(np.median(fen))
    if rule.name == "quantile":
        low, high = np.quantile(fen, (rule.low, rule.high))
    elif rule.name == "multiple":
        low, high = rule.low * fen.mean(), rule.high * fen.mean()
    else:
        # A stay of no cost has no logarithm; that it is below one of a fen is all that is asked.
        first, third = np.quantile(np.log(np.maximum(fen, 1)), _QUARTILES)
        width = third - first
        low, high = np.exp((first - rule.low * width, third + rule.high * width))
    return float(low), usual, float(high)
