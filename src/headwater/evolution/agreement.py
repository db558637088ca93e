r"""Whether records agree with others, from Gram statistics alone: the evidence of a Bayesian linear model.

With :math:`Z = \begin{pmatrix} X^T X & X^T y \\ y^T X & y^T y \end{pmatrix}` of n records, :math:`L L^T = Z` and d
features, coefficients and variance under Jeffreys' prior are integrated out:

.. math:: \log p = -\sum_{j \le d} \log L_{jj} - n \log L_{d+1,d+1} + \tfrac{n}{2} \log 2 + \log\Gamma(\tfrac n2)
          - \tfrac n2 \log 2\pi

The evidence of records D after others R is :math:`\log p(R + D) - \log p(R)`, so scale and noise are learnt from both.
A few records' worth of all that was ever said makes every sum proper: the unit-information prior.

Source: O'Hagan 1994, ch. 9 (normal inverse gamma); Kass and Wasserman 1995 (unit information).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["Sums", "log_evidence"]


@dataclass(frozen=True, eq=False)
class Sums:
    """A decoded Gram statistic as one matrix that can be added and scaled.

    Parameters
    ----------
    matrix : (dim + 1, dim + 1) sums of products of features and target, the target last
    records : how many; not whole once scaled
    """

    matrix: Vector
    records: float

    @staticmethod
    def of(gram: Gram, statistic: Statistic) -> "Sums":
        """Decode a statistic."""
        moments = gram.moments(statistic)
        matrix = np.empty((gram.dim + 1, gram.dim + 1))
        matrix[:-1, :-1], matrix[-1, -1] = moments.xx, moments.yy
        matrix[:-1, -1] = matrix[-1, :-1] = moments.xy
        return Sums(matrix, moments.n)

    @staticmethod
    def nothing(gram: Gram) -> "Sums":
        """Return the sums of no records."""
        return Sums(np.zeros((gram.dim + 1, gram.dim + 1)), 0.0)

    def __add__(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(self.matrix + other.matrix, self.records + other.records)

    def __sub__(self, other: "Sums") -> "Sums":
        """Return the sums without ``other``."""
        return Sums(self.matrix - other.matrix, self.records - other.records)

    def worth(self, records: float) -> "Sums":
        """Return the sums scaled down to at most so many records."""
        share = min(1.0, records / self.records) if self.records > 0 else 1.0
        return Sums(share * self.matrix, share * self.records)

    def coefficients(self, ridge: float) -> Vector:
        """Return the (dim,) ridge solution, every coefficient shrunk."""
        system = self.matrix[:-1, :-1] + ridge * np.eye(len(self.matrix) - 1)
        return np.asarray(np.linalg.solve(system, self.matrix[:-1, -1]), dtype=np.float64)

    def squares(self, models: Vector) -> Vector:
        """Return the (m,) sums of squared errors of coefficients (m, dim)."""
        xx, xy, yy = self.matrix[:-1, :-1], self.matrix[:-1, -1], self.matrix[-1, -1]
        return np.asarray(yy - 2 * models @ xy + np.einsum("mi,ij,mj->m", models, xx, models), dtype=np.float64)


def log_evidence(matrices: Vector, records: Vector) -> Vector:
    """Return the (m,) evidences of sums (m, dim + 1, dim + 1) that are positive definite, of (m,) records > 0."""
    diagonals = np.log(np.diagonal(np.linalg.cholesky(matrices), axis1=-2, axis2=-1))
    half = records / 2
    fit = -diagonals[:, :-1].sum(axis=1) - records * diagonals[:, -1]
    return np.asarray(fit + half * np.log(2) + gammaln(half) - half * np.log(2 * np.pi), dtype=np.float64)
