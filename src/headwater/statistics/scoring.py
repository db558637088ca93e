r"""Generalised linear models from one sum a round: score and information at the coefficients asked about.

.. math:: \beta' = \beta + (X^T W X + \lambda D)^{-1} (X^T W (z - X\beta) - \lambda D \beta)

with working weights W and responses z, and :math:`D` the identity but 0 for the intercept. At the end the inverse of
the summed information gives the standard errors of the records of all sources, exactly.
Source: McCullagh and Nelder 1989, section 2.5 (iterated weighted least squares).
"""

from dataclasses import dataclass, field

import numpy as np

from headwater.errors import Message, Refusal
from headwater.statistics.fixed_point import FixedPoint
from headwater.statistics.statistic import STATISTICS, Statistic
from headwater.types import Vector

__all__ = ["Scores", "Scoring"]


@dataclass(frozen=True)
class Scores:
    """A decoded statistic: ``information`` (dim, dim), ``score`` (dim,), ``misfit`` Pearson's χ², ``n`` records."""

    information: Vector
    score: Vector
    misfit: float
    n: float


@dataclass(frozen=True)
class Scoring:
    """The statistic of a generalised linear model in ``dim`` features, the first of them the constant 1.

    Layout: upper triangle of XᵀWX by rows, Xᵀr, Pearson's χ², n: in all dim(dim+1)/2 + dim + 2 values.
    """

    dim: int
    encoding: FixedPoint = field(default_factory=lambda: FixedPoint(fraction_bits=32))

    kind = "scoring"

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError("dim must be at least 1")

    @property
    def length(self) -> int:
        """Number of values in the statistic."""
        return self.dim * (self.dim + 1) // 2 + self.dim + 2

    def statistic(self, x: Vector, weights: Vector, residuals: Vector, *, misfit: float) -> Statistic:
        """Return the statistic of records with features ``x`` (n, dim).

        Parameters
        ----------
        weights : (n,) working weights, >= 0
        residuals : (n,) working weight · (working response - linear predictor asked about)
        misfit : sum of squared Pearson residuals
        """
        if x.ndim != 2 or x.shape[1] != self.dim or not x.shape[0] == weights.size == residuals.size:
            raise ValueError(f"x must be (n, {self.dim}), weights and residuals (n,)")
        upper = (x.T @ (x * weights[:, None]))[np.triu_indices(self.dim)]
        values = np.concatenate([upper, x.T @ residuals, [misfit, float(len(x))]])
        return Statistic(self.kind, (self.dim,), self.encoding.encode(values))

    def scores(self, statistic: Statistic) -> Scores:
        """Decode ``statistic``."""
        values = self.encoding.decode(self._own(statistic).values)
        upper, (rows, columns) = self.dim * (self.dim + 1) // 2, np.triu_indices(self.dim)
        information = np.empty((self.dim, self.dim))
        information[rows, columns] = information[columns, rows] = values[:upper]
        return Scores(information, values[upper:-2], float(values[-2]), float(values[-1]))

    def records(self, statistic: Statistic) -> int:
        """Return the number of records in ``statistic``."""
        return round(self.scores(statistic).n)

    def solve(self, parameters: Vector, statistic: Statistic, *, ridge: float = 0.0) -> Vector:
        """Return the (dim,) coefficients after one step from ``parameters`` (dim,), the intercept left free."""
        told, penalty = self.scores(statistic), np.full(self.dim, ridge)
        penalty[0] = 0.0
        try:
            factor = np.linalg.cholesky(told.information + np.diag(penalty))
        except np.linalg.LinAlgError as error:
            raise _singular() from error
        step = np.linalg.solve(factor.T, np.linalg.solve(factor, told.score - penalty * parameters))
        return np.asarray(parameters + step, dtype=np.float64)

    def check(self, statistic: Statistic) -> None:
        """Refuse what no records can give: a wrong form, a false count, information or misfit below nothing."""
        told = self.scores(statistic)
        spectrum = np.linalg.eigvalsh(told.information)
        slack = 1e-9 * max(float(spectrum[-1]), 0.0) + self.encoding.resolution * (self.dim + 1)
        if told.n < 0 or told.n != round(told.n) or spectrum[0] < -slack or told.misfit < 0:
            raise Refusal(
                "E-SCORING-IMPOSSIBLE",
                Message("没有任何记录能得出这个信息阵。", "No records can give this information."),
                Message("请核查该来源的计算。", "Examine how the source computed it."),
            )

    def sample(self, rng: np.random.Generator) -> Statistic:
        """Return the statistic of 50 records at random."""
        x, residuals = rng.normal(size=(50, self.dim)), rng.normal(size=50)
        return self.statistic(x, rng.random(50), residuals, misfit=float(residuals @ residuals))

    def _own(self, statistic: Statistic) -> Statistic:
        if (statistic.kind, statistic.shape, statistic.values.size) != (self.kind, (self.dim,), self.length):
            raise Refusal(
                "E-STATISTIC-FORM",
                Message(
                    f"不是 {self.dim} 维的信息阵：{statistic.kind} {statistic.shape}。",
                    f"No information about {self.dim} coefficients: {statistic.kind} {statistic.shape}.",
                ),
                Message("请核对问题与回答。", "Check the question against the answer."),
            )
        return statistic


STATISTICS.register(Scoring.kind)(Scoring(dim=4))


def _singular() -> Refusal:
    return Refusal(
        "E-SCORING-SINGULAR",
        Message("信息阵奇异，系数没有唯一解。", "The information is singular: no unique coefficients."),
        Message("请增大 ridge、去掉重复特征或增加记录。", "Use a ridge, drop repeated features, or add records."),
    )
