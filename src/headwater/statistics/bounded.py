r"""Squares of whole records no longer than a radius: how far one of them can move their sum is known exactly.

Of a record :math:`z` the matrix :math:`zz^T` is told, products of two coordinates in seven steps a unit and squares in
five. Squares stand once in the matrix and products twice, so that for two records

.. math:: 25 \sum_i D_{ii}^2 + 49 \sum_{i<j} D_{ij}^2 \le 25 \lVert D \rVert_F^2, \qquad D = zz^T - z'z'^T

and :math:`\lVert D \rVert_F^2 = \lVert z \rVert^4 + \lVert z' \rVert^4 - 2 (z^T z')^2 \le 2 R^4`. At seven to five,
just below √2, noise that is the same in every step is shared among the entries as in a symmetric Gaussian matrix:
products get 1/√2 of what squares get. The number of records is public and does not travel.
"""

import math
from dataclasses import dataclass

import numpy as np

from headwater.errors import Message, Refusal
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.types import Vector

__all__ = ["BoundedSquares", "PRODUCT_STEPS", "SQUARE_STEPS"]

PRODUCT_STEPS, SQUARE_STEPS = 7, 5
"""Steps of the grid for a unit of a product of two coordinates, and of a square: 7/5 is just below √2."""


@dataclass(frozen=True)
class BoundedSquares:
    """The statistic of records of ``dim`` whole numbers, each of a norm of at most ``radius``.

    Layout: upper triangle of the matrix by rows, in all dim(dim+1)/2 values.
    """

    dim: int
    radius: int

    kind = "bounded_squares"

    def __post_init__(self) -> None:
        if self.dim < 1 or self.radius < 1:
            raise ValueError("dim and radius must be at least 1")

    @property
    def length(self) -> int:
        """Number of values in the statistic."""
        return self.dim * (self.dim + 1) // 2

    @property
    def l2(self) -> float:
        """By how many steps (L2) one record exchanged for another can move the statistic, at the most."""
        return math.sqrt(2) * SQUARE_STEPS * self.radius**2

    def bounds(self, records: int) -> tuple[int, int]:
        """Return the steps between which every value over so many records lies."""
        square = self.radius**2
        return -records * (PRODUCT_STEPS * square // 2), records * SQUARE_STEPS * square

    def statistic(self, z: Vector) -> Statistic:
        """Return the statistic of records ``z`` (n, dim); one that is no whole numbers or too long is refused."""
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(f"z must be (n, {self.dim}), not {z.shape}")
        whole = z.astype(np.int64)
        outside = (whole != z).any(axis=1) | (np.square(whole).sum(axis=1) > self.radius**2)
        if outside.any():
            raise _outside(int(outside.sum()), self.radius)
        squares = (whole.T @ whole) * self._steps().astype(np.int64)
        return Statistic(self.kind, self._shape, squares[np.triu_indices(self.dim)].view(np.uint64))

    def matrix(self, statistic: Statistic) -> Vector:
        """Return the (dim, dim) sum of zzᵀ, with whatever noise is in it."""
        if (statistic.kind, statistic.shape, statistic.values.size) != (self.kind, self._shape, self.length):
            raise Refusal(
                "E-STATISTIC-FORM",
                Message(
                    f"不是 {self.dim} 维、半径 {self.radius} 的平方和：{statistic.kind} {statistic.shape}。",
                    f"No squares of {self.dim} numbers within {self.radius}: {statistic.kind} {statistic.shape}.",
                ),
                Message("请核对问题与回答。", "Check the question against the answer."),
            )
        rows, columns = np.triu_indices(self.dim)
        found = np.empty((self.dim, self.dim))
        found[rows, columns] = found[columns, rows] = statistic.values.view(np.int64)
        return np.asarray(found / self._steps())

    def check(self, statistic: Statistic) -> None:
        """Refuse what no records could give: another form, or squares that add up to less than nothing."""
        matrix = self.matrix(statistic)
        lowest = float(np.linalg.eigvalsh(matrix).min())
        # Sums of squares are whole numbers, known exactly; their eigenvalues to rounding.
        if lowest < -1e-9 * max(1.0, float(np.trace(matrix))):
            raise Refusal(
                "E-STATISTIC-IMPOSSIBLE",
                Message(
                    f"平方和为负（{lowest:.3g}）：没有记录能给出它。", f"Squares add up to {lowest:.3g}: no records do."
                ),
                Message("请检查该来源的计算。", "Examine how the source computes it."),
            )

    def sample(self, rng: np.random.Generator) -> Statistic:
        """Return the statistic of 50 records."""
        reach = int(self.radius / math.sqrt(self.dim))
        return self.statistic(rng.integers(-reach, reach, (50, self.dim), endpoint=True).astype(np.float64))

    @property
    def _shape(self) -> tuple[int, int]:
        return self.dim, self.radius

    def _steps(self) -> Vector:
        steps = np.full((self.dim, self.dim), float(PRODUCT_STEPS))
        np.fill_diagonal(steps, SQUARE_STEPS)
        return steps


STATISTICS.register(BoundedSquares.kind)(BoundedSquares(dim=4, radius=16))


def _outside(count: int, radius: int) -> Refusal:
    return Refusal(
        "E-BOUNDED-RECORD",
        Message(
            f"{count} 条记录不是整数，或长度超过 {radius}。",
            f"{count} records are no whole numbers, or longer than {radius}.",
        ),
        Message("请先截断并取整每条记录。", "Clip every record and round it first."),
    )
