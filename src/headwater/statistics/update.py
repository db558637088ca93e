r"""Networks from one sum: parameters weighted by records.

.. math:: \theta = \sum_i n_i \theta_i / \sum_i n_i

Source: McMahan et al. 2017, algorithm 1 (federated averaging).
"""

from dataclasses import dataclass, field

import numpy as np

from headwater.errors import Message, Refusal
from headwater.statistics.fixed_point import FixedPoint
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.types import Vector

__all__ = ["Update"]


@dataclass(frozen=True)
class Update:
    """The statistic of ``dim`` network parameters: ``records · parameters``, then ``records``."""

    dim: int
    encoding: FixedPoint = field(default_factory=FixedPoint)

    kind = "update"

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError("dim must be at least 1")

    @property
    def length(self) -> int:
        """Number of values in the statistic."""
        return self.dim + 1

    def statistic(self, parameters: Vector, *, records: int) -> Statistic:
        """Return the statistic of ``parameters`` (dim,) learnt on ``records`` >= 0 records."""
        if parameters.shape != (self.dim,) or records < 0:
            raise ValueError(f"parameters must be ({self.dim},) and records >= 0")
        values = np.concatenate([parameters * records, [float(records)]])
        return Statistic(self.kind, (self.dim,), self.encoding.encode(values))

    def records(self, statistic: Statistic) -> int:
        """Return the number of records in ``statistic``."""
        return round(float(self.encoding.decode(self._own(statistic).values[-1:])[0]))

    def solve(self, statistic: Statistic) -> Vector:
        """Return the (dim,) mean of the parameters, each weighted by its records."""
        values = self.encoding.decode(self._own(statistic).values)
        if values[-1] < 1:
            raise Refusal(
                "E-UPDATE-EMPTY",
                Message("更新不含任何记录。", "The update has no records."),
                Message("请至少选择一个有记录的来源。", "Choose at least one source with records."),
            )
        return np.asarray(values[:-1] / values[-1], dtype=np.float64)

    def check(self, statistic: Statistic) -> None:
        """Refuse a wrong form and a count that is no count."""
        count = float(self.encoding.decode(self._own(statistic).values[-1:])[0])
        if count < 0 or count != round(count):
            raise Refusal(
                "E-UPDATE-IMPOSSIBLE",
                Message(f"记录数 {count:g} 不是计数。", f"{count:g} is no number of records."),
                Message("请核查该来源的计算。", "Examine how the source computed it."),
            )

    def sample(self, rng: np.random.Generator) -> Statistic:
        """Return the statistic of standard normal parameters over up to 100 records."""
        return self.statistic(rng.normal(size=self.dim), records=int(rng.integers(1, 100)))

    def _own(self, statistic: Statistic) -> Statistic:
        if (statistic.kind, statistic.shape, statistic.values.size) != (self.kind, (self.dim,), self.length):
            raise Refusal(
                "E-STATISTIC-FORM",
                Message(
                    f"不是 {self.dim} 个参数的更新：{statistic.kind} {statistic.shape}。",
                    f"Not an update of {self.dim} parameters: {statistic.kind} {statistic.shape}.",
                ),
                Message("请核对问题与回答。", "Check the question against the answer."),
            )
        return statistic


STATISTICS.register(Update.kind)(Update(dim=4))
