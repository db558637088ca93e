r"""Linear models from one sum: the Gram matrix and the moment.

.. math:: \hat\beta = (X^T X + \lambda D)^{-1} X^T y

with :math:`D` the identity, but 0 for the intercept. Losses on other records follow from *their* statistic alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from headwater.errors import Message, Refusal
from headwater.statistics.fixed_point import FixedPoint
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.types import Fixed, Vector

__all__ = ["Gram", "Moments"]

_CHUNK_ROWS = 1 << 15
"""Up to here a float64 sum of products of grid values below 32 is exact: 2**15 * 2**10 * 2**28 = 2**53."""


@dataclass(frozen=True)
class Moments:
    """A decoded Gram statistic: ``xx`` (dim, dim), ``xy`` (dim,), ``yy`` = Σy², ``y`` = Σy, ``n`` records."""

    xx: Vector
    xy: Vector
    yy: float
    y: float
    n: float


@dataclass(frozen=True)
class Gram:
    """The statistic of a linear model in ``dim`` features.

    Layout: upper triangle of XᵀX by rows, Xᵀy, yᵀy, Σy, n: in all dim(dim+1)/2 + dim + 3 values.
    Over features and targets on the grid (see ``on_grid``) the statistic of a set of records is
    bit for bit the sum of the statistics of any partition of it.

    Parameters
    ----------
    dim : number of features, the intercept included
    intercept : the first feature is constant 1 and is not shrunk by the ridge
    """

    dim: int
    intercept: bool = True
    encoding: FixedPoint = field(default_factory=FixedPoint)

    kind = "gram"

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError("dim must be at least 1")

    @property
    def length(self) -> int:
        """Number of values in the statistic."""
        return self.dim * (self.dim + 1) // 2 + self.dim + 3

    def statistic(self, x: Vector, y: Vector) -> Statistic:
        """Return the statistic of records with features ``x`` (n, dim) and targets ``y`` (n,); n may be 0."""
        if x.ndim != 2 or x.shape[1] != self.dim or y.shape != (x.shape[0],):
            raise ValueError(f"x must be (n, {self.dim}) and y (n,), not {x.shape} and {y.shape}")
        total = np.zeros(self.length, dtype=np.uint64)
        for start in range(0, x.shape[0], _CHUNK_ROWS):
            total += self._encode_chunk(x[start : start + _CHUNK_ROWS], y[start : start + _CHUNK_ROWS])
        self.encoding.encode(self.encoding.decode(total))
        return Statistic(self.kind, (self.dim,), total)

    def moments(self, statistic: Statistic) -> Moments:
        """Decode ``statistic`` into matrices."""
        values = self.encoding.decode(self._own(statistic).values)
        upper = self.dim * (self.dim + 1) // 2
        rows, columns = _triangle(self.dim)
        xx = np.empty((self.dim, self.dim))
        xx[rows, columns] = values[:upper]
        xx[columns, rows] = values[:upper]
        yy, y, n = values[-3:].tolist()
        return Moments(xx, values[upper:-3], yy, y, n)

    def stacked(self, statistics: Iterable[Statistic]) -> Fixed:
        """Return the values of statistics of this family as (statistics, length)."""
        return np.array([self._own(one).values for one in statistics], dtype=np.uint64).reshape(-1, self.length)

    def systems(self, values: Fixed) -> Vector:
        """Decode ``values`` (statistics, length) into XᵀX and Xᵀy side by side, (statistics, dim, dim + 1)."""
        upper = self.dim * (self.dim + 1) // 2
        rows, columns = _triangle(self.dim)
        decoded = self.encoding.decode(values)
        found = np.empty((len(values), self.dim, self.dim + 1))
        found[:, rows, columns] = found[:, columns, rows] = decoded[:, :upper]
        found[:, :, self.dim] = decoded[:, upper : upper + self.dim]
        return found

    def records(self, statistic: Statistic) -> int:
        """Return the number of records in ``statistic``."""
        return round(float(self.encoding.decode(self._own(statistic).values[-1:])[0]))

    def penalty(self, ridge: float) -> Vector:
        """Return the (dim,) diagonal that the ridge adds to XᵀX."""
        if not ridge >= 0:
            raise ValueError("ridge must be at least 0")
        diagonal = np.full(self.dim, ridge)
        if self.intercept:
            diagonal[0] = 0.0
        return diagonal

    def solve(self, statistic: Statistic, *, ridge: float) -> Vector:
        """Return the (dim,) coefficients that minimise squared error + ridge · ‖β‖², the intercept left free."""
        moments = self.moments(statistic)
        try:
            factor = np.linalg.cholesky(moments.xx + np.diag(self.penalty(ridge)))
        except np.linalg.LinAlgError as error:
            raise _singular() from error
        half = np.linalg.solve(factor, moments.xy)
        return np.asarray(np.linalg.solve(factor.T, half), dtype=np.float64)

    def loss(self, statistic: Statistic, coefficients: Vector) -> float:
        """Return the mean squared error of ``coefficients`` over the records of ``statistic``."""
        moments = self.moments(statistic)
        if moments.n < 1:
            raise _no_records()
        squared = moments.yy - 2 * coefficients @ moments.xy + coefficients @ moments.xx @ coefficients
        return float(squared / moments.n)

    def r2(self, statistic: Statistic, coefficients: Vector) -> float:
        """Return the share of the target's variance explained over the records of ``statistic``."""
        moments = self.moments(statistic)
        variance = moments.yy / moments.n - (moments.y / moments.n) ** 2 if moments.n >= 1 else 0.0
        if variance <= self.encoding.resolution:
            raise _no_records()
        return 1.0 - self.loss(statistic, coefficients) / variance

    def check(self, statistic: Statistic) -> None:
        """Refuse what no set of records can give: a wrong form, a false count, a negative square, an overflow."""
        moments = self.moments(statistic)
        self.encoding.encode(self.encoding.decode(statistic.values))
        whole = np.block([[moments.xx, moments.xy[:, None]], [moments.xy[None, :], np.array([[moments.yy]])]])
        spectrum = np.linalg.eigvalsh(whole)
        slack = 1e-9 * max(float(spectrum[-1]), 0.0) + self.encoding.resolution * (self.dim + 1) * (moments.n + 1)
        spread = moments.y**2 - moments.n * moments.yy
        if not self._counts(moments) or spectrum[0] < -slack or spread > slack * (moments.n + 1):
            raise _impossible()

    def _counts(self, moments: Moments) -> bool:
        """Tell whether n is a count, and the one that the constant feature gives too."""
        is_count = moments.n >= 0 and moments.n == round(moments.n)
        if not self.intercept:
            return is_count
        return is_count and float(moments.xx[0, 0]) == moments.n and float(moments.xy[0]) == moments.y

    def sample(self, rng: np.random.Generator) -> Statistic:
        """Return the statistic of 50 standard normal records."""
        x = rng.normal(size=(50, self.dim))
        x[:, 0] = 1.0
        return self.statistic(x, x @ rng.normal(size=self.dim) + rng.normal(size=50))

    def _own(self, statistic: Statistic) -> Statistic:
        if (statistic.kind, statistic.shape, statistic.values.size) != (self.kind, (self.dim,), self.length):
            raise Refusal(
                "E-STATISTIC-FORM",
                Message(
                    f"不是 {self.dim} 维 Gram 统计量：{statistic.kind} {statistic.shape}。",
                    f"Not a Gram statistic of {self.dim} features: {statistic.kind} {statistic.shape}.",
                ),
                Message("请核对问题与回答。", "Check the question against the answer."),
            )
        return statistic

    def _encode_chunk(self, x: Vector, y: Vector) -> Fixed:
        rows, columns = _triangle(self.dim)
        tail = np.array([y @ y, y.sum(), float(len(y))])
        return self.encoding.encode(np.concatenate([(x.T @ x)[rows, columns], x.T @ y, tail]))


STATISTICS.register(Gram.kind)(Gram(dim=4))


@cache
def _triangle(dim: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the upper triangle, which takes longer to find than to use."""
    rows, columns = np.triu_indices(dim)
    rows.flags.writeable = columns.flags.writeable = False
    return rows, columns


def _singular() -> Refusal:
    return Refusal(
        "E-GRAM-SINGULAR",
        Message("方程组无唯一解。", "The equations have no unique solution."),
        Message("请增大 ridge 或增加记录。", "Use a larger ridge, or more records."),
    )


def _no_records() -> Refusal:
    return Refusal(
        "E-GRAM-EMPTY",
        Message("统计量没有记录，或目标没有差异。", "The statistic has no records, or its target does not vary."),
        Message("请扩大评估样本。", "Use a larger evaluation sample."),
    )


def _impossible() -> Refusal:
    return Refusal(
        "E-GRAM-IMPOSSIBLE",
        Message(
            "没有任何记录能得出这个统计量（非半正定或计数有误）。",
            "No records can give this statistic (not positive semidefinite, or a false count).",
        ),
        Message("请核查该来源的计算。", "Examine how the source computed it."),
    )
