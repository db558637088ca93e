"""Comparison: two models on the same stays, and whether one is better beyond what other stays might have shown."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import stdtrit

from headwater.errors import Message
from headwater.types import Vector

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """By how much a model does better than its opponent on the same held-out stays.

    The interval is that of a mean of paired differences: what both models find hard cancels. Stays of one hospital go
    together, so it is as wide as hospitals differ.

    Parameters
    ----------
    opponent : label of the version, None for the bureau's records alone
    metric : ``r2_log`` or ``mae``, the first metric of the model
    rows : held-out stays
    difference, low, high : positive where better, with 95 % interval, in R² or in the region's currency
    """

    opponent: str | None
    metric: str
    rows: int
    difference: float
    low: float
    high: float

    @property
    def is_better(self) -> bool:
        """Whether it is better beyond its interval; equal is not better."""
        return self.low > 0.0

    @property
    def told(self) -> Message:
        """What was compared and what came of it."""
        zh, en = self.opponent or "仅医保局自有数据的模型", self.opponent or "the bureau's records alone"
        interval = f"{self.low:+.4g} … {self.high:+.4g}"
        return Message(
            f"与“{zh}”在同样的 {self.rows:,} 例留出住院上比较 {self.metric}：差 {self.difference:+.4g}，"
            f"95% 区间 {interval}，{'优于' if self.is_better else '未超出区间地优于'}对方。",
            f"Compared with {en} on the same {self.rows:,} held-out stays by {self.metric}: {self.difference:+.4g}, "
            f"95 % interval {interval}: {'better' if self.is_better else 'not better beyond its interval'}.",
        )

    def to_dict(self) -> Mapping[str, object]:
        """Return everything as JSON-safe values."""
        return asdict(self)


def compare(
    ours: Vector, theirs: Vector, table: pa.Table, *, target: str, metric: str, opponent: str | None
) -> Comparison:
    """Compare two models' predictions of ln(cost), (rows,), on the stays of ``table``.

    Parameters
    ----------
    table : the target, ``cost``, and by whom: ``source_id`` and ``hospital``
    metric : ``r2_log``: squared errors of ln(cost) over its variance; ``mae``: absolute errors of the cost
    """
    actual, cost = (np.asarray(table.column(name).to_numpy(), dtype=np.float64) for name in (target, "cost"))
    if metric == "mae":
        gained = np.abs(np.exp(theirs) - cost) - np.abs(np.exp(ours) - cost)
    else:
        gained = ((actual - theirs) ** 2 - (actual - ours) ** 2) / float(actual.var())
    mean, half = float(gained.mean()), _half_width(gained, table)
    return Comparison(opponent, metric, len(gained), mean, mean - half, mean + half)


def _half_width(gained: Vector, table: pa.Table) -> float:
    """Return half the 95 % interval of the mean of (rows,) differences, infinite of a single hospital.

    Source: Liang and Zeger 1986 (the spread of sums by hospital); Cameron and Miller 2015, section VI (few of them:
    Student's t, G / (G - 1)).
    """
    named = pc.binary_join_element_wise(table["source_id"], table["hospital"], ":")
    places = pc.dictionary_encode(named.combine_chunks()).indices.to_numpy(zero_copy_only=False)
    sums = np.bincount(places, weights=gained - gained.mean())
    count = len(sums)
    if count < 2:
        return float("inf")
    spread = math.sqrt(count / (count - 1) * float(sums @ sums)) / len(gained)
    return float(stdtrit(count - 1, 0.975)) * spread
