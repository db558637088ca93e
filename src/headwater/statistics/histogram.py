r"""Trees from one sum a level: gradients, curvatures and records by node, feature and bin.

Wherever a node may be split, the sums on both sides are sums of bins: the best split of the records of all sources
follows from their summed histograms alone. Source: Chen and Guestrin 2016, section 3.3.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.statistics.fixed_point import FixedPoint, on_grid
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.types import Vector

__all__ = ["Histogram", "Places"]

Places = npt.NDArray[np.int64]

_EXACT_BITS = 52
"""A float64 holds sums exactly that stay below 2**52 steps of the grid."""


@dataclass(frozen=True)
class Histogram:
    """The statistic of records in ``nodes`` groups, each of ``features`` features in ``bins`` bins.

    Layout: (nodes, features, bins, 3) by rows: sum of gradients, sum of curvatures, number of records. Gradients and
    curvatures are rounded to the resolution record by record, so that the statistic of a set of records is bit for bit
    the sum of the statistics of any partition of it.
    """

    nodes: int
    features: int
    bins: int
    encoding: FixedPoint = field(default_factory=lambda: FixedPoint(fraction_bits=38, headroom_bits=8))

    kind = "histogram"

    def __post_init__(self) -> None:
        if min(self.nodes, self.features, self.bins) < 1:
            raise ValueError("nodes, features and bins must be at least 1")

    @property
    def length(self) -> int:
        """Number of values in the statistic."""
        return self.nodes * self.features * self.bins * 3

    def statistic(self, binned: Places, node: Places, gradients: Vector, curvatures: Vector) -> Statistic:
        """Return the statistic of n >= 0 records.

        Parameters
        ----------
        binned : (n, features) bin of each feature, from 0
        node : (n,) group of each record, -1 for none
        gradients, curvatures : (n,) first and second derivative of the loss in the prediction
        """
        if (
            binned.shape != (len(node), self.features)
            or gradients.shape != node.shape
            or curvatures.shape != node.shape
        ):
            raise ValueError(f"binned must be (n, {self.features}), the others (n,)")
        bits, inside = self.encoding.fraction_bits, node >= 0
        weights = [on_grid(one[inside], bits=bits) for one in (gradients, curvatures, np.ones(len(node)))]
        largest = max((float(np.abs(one).max(initial=1.0)) for one in weights), default=1.0)
        rows = max(1, int(2.0 ** (_EXACT_BITS - bits) / largest))
        cells = (node[inside, None] * self.features + np.arange(self.features)) * self.bins + binned[inside]
        total, rough = np.zeros(self.length, dtype=np.uint64), np.zeros(self.length)
        for start in range(0, len(cells), rows):
            told = self._chunk(cells[start : start + rows], [one[start : start + rows] for one in weights])
            total += (told / self.encoding.resolution).astype(np.int64).view(np.uint64)
            rough += told
        # Integers wrap silently; what is too large for them is refused by its real sum.
        self.encoding.encode(rough)
        return Statistic(self.kind, self._shape, total)

    def sums(self, statistic: Statistic) -> Vector:
        """Return (nodes, features, bins, 3): gradients, curvatures, records."""
        decoded = self.encoding.decode(self._own(statistic).values)
        return np.asarray(decoded.reshape(self.nodes, self.features, self.bins, 3))

    def records(self, statistic: Statistic) -> int:
        """Return the number of records in ``statistic``, those of no node left out."""
        return round(float(self.sums(statistic)[:, 0, :, 2].sum()))

    def check(self, statistic: Statistic) -> None:
        """Refuse what no records can give: a wrong form, a false count, features that tell of other records."""
        sums = self.sums(statistic)
        counts, totals = sums[..., 2], sums.sum(axis=2)
        sound = bool((counts >= 0).all() and (counts == np.rint(counts)).all() and (sums[..., 1] >= 0).all())
        if not sound or not bool((totals == totals[:, :1]).all()) or bool(sums[counts == 0].any()):
            raise _impossible()

    def sample(self, rng: np.random.Generator) -> Statistic:
        """Return the statistic of 50 records at random."""
        binned = rng.integers(self.bins, size=(50, self.features))
        return self.statistic(binned, rng.integers(self.nodes, size=50), rng.normal(size=50), rng.random(50))

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.nodes, self.features, self.bins

    def _chunk(self, cells: Places, weights: list[Vector]) -> Vector:
        """Return (length,) sums of so few records that float64 adds them up exactly."""
        size, flat = self.length // 3, cells.ravel()
        told = [np.bincount(flat, np.repeat(one, self.features), minlength=size) for one in weights]
        return np.asarray(np.stack(told, axis=1).ravel(), dtype=np.float64)

    def _own(self, statistic: Statistic) -> Statistic:
        if (statistic.kind, statistic.shape, statistic.values.size) != (self.kind, self._shape, self.length):
            raise Refusal(
                "E-STATISTIC-FORM",
                Message(
                    f"不是 {self._shape}（节点、特征、箱）的直方图：{statistic.kind} {statistic.shape}。",
                    f"No histogram of {self._shape} nodes, features, bins: {statistic.kind} {statistic.shape}.",
                ),
                Message("请核对问题与回答。", "Check the question against the answer."),
            )
        return statistic


STATISTICS.register(Histogram.kind)(Histogram(nodes=2, features=3, bins=4))


def _impossible() -> Refusal:
    return Refusal(
        "E-HISTOGRAM-IMPOSSIBLE",
        Message(
            "没有任何记录能得出这个直方图（计数有误，或各特征的总和不同）。",
            "No records can give this histogram (a false count, or features that sum to different totals).",
        ),
        Message("请核查该来源的计算。", "Examine how the source computed it."),
    )
