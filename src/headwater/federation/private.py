r"""Answers with noise: squares of clipped records for a sum, and one number that adds up a clipped score a record.

Privacy is of one record exchanged for another, the number of records being public. A record :math:`z = (Wx, y)` is
scaled down to norm R; :math:`\sum zz^T` then moves by at most √2 R² (in the Frobenius norm), a sum of scores within
±C by at most 2C. Noise comes from the operating system's generator by the inverse normal distribution; it is rounded
to the fixed point like everything else.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from headwater.federation.source import GramQuestion
from headwater.federation.wire import AT_HOME, asks, travels
from headwater.statistics.features import numbers
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Vector

__all__ = ["Clipping", "NoisyScore", "NoisySquares", "normal"]


def normal(size: int, entropy: Callable[[int], bytes]) -> Vector:
    """Return (size,) standard normal numbers made of ``entropy``."""
    bits = np.frombuffer(entropy(8 * size), dtype=np.uint64) >> np.uint64(12)
    return np.asarray(ndtri((bits + 0.5) * 2.0**-52), dtype=np.float64)


@travels("clipping")
@dataclass(frozen=True, eq=False)
class Clipping:
    """Public constants that bound a record.

    Parameters
    ----------
    question : features and label
    whitening : (dim, dim) W, applied to the features so that no direction is much smaller than another
    radius : R, the largest norm of a record with its label
    """

    question: GramQuestion
    whitening: Vector
    radius: float

    @property
    def nbytes(self) -> int:
        """Bytes of telling it."""
        return self.question.nbytes + self.whitening.nbytes + 8

    def records(self, table: pa.Table) -> tuple[Vector, Vector]:
        """Return (n, dim) features and (n,) labels, each record scaled down to the radius."""
        x = self.question.feature_map.transform(table) @ self.whitening.T
        y = (numbers(table, self.question.target) - self.question.center) / self.question.scale
        scale = np.minimum(1.0, self.radius / np.maximum(np.sqrt(np.square(x).sum(axis=1) + y**2), 1e-12))
        return x * scale[:, None], y * scale


@asks("noisy_squares")
@dataclass(frozen=True, eq=False)
class NoisySquares:
    """Ask for the squares of clipped records with a share of the noise.

    Parameters
    ----------
    noise : standard deviation that this source adds to a square; products of two coordinates get 1/√2 of it, because
        they stand twice in the matrix
    """

    clipping: Clipping
    noise: float
    entropy: Callable[[int], bytes] = field(default=secrets.token_bytes, metadata=AT_HOME)

    @property
    def months(self) -> tuple[date, ...] | None:
        """As in the question itself."""
        return self.clipping.question.months

    @property
    def family(self) -> Gram:
        """The layout of the answer; the sum of labels and the number of records are left 0."""
        return self.clipping.question.family

    @property
    def nbytes(self) -> int:
        """Bytes of the question."""
        return self.clipping.nbytes + 8

    def of(self, table: pa.Table) -> Statistic:
        """Return XᵀX, Xᵀy and yᵀy with noise."""
        x, y = self.clipping.records(table)
        dim = x.shape[1]
        squares = np.column_stack([x, y]).T @ np.column_stack([x, y])
        drawn = normal((dim + 1) ** 2, self.entropy).reshape(dim + 1, dim + 1)
        squares = squares + self.noise * (drawn + drawn.T) / 2
        values = np.concatenate(
            [squares[:dim, :dim][np.triu_indices(dim)], squares[:dim, dim], [squares[dim, dim], 0, 0]]
        )
        return Statistic(self.family.kind, (dim,), self.family.encoding.encode(values))


@asks("noisy_score")
@dataclass(frozen=True, eq=False)
class NoisyScore:
    r"""Ask for :math:`\sum \mathrm{clip}_C\bigl(\sum_k (c_k^T x)(y - b_k^T x)\bigr)` over the records, with noise.

    Parameters
    ----------
    weights, solutions : (k, dim) c and b
    clip : C
    noise : standard deviation, in the unit of the score
    """

    clipping: Clipping
    weights: Vector
    solutions: Vector
    clip: float
    noise: float
    entropy: Callable[[int], bytes] = field(default=secrets.token_bytes, metadata=AT_HOME)

    @property
    def months(self) -> tuple[date, ...] | None:
        """As in the question itself."""
        return self.clipping.question.months

    @property
    def nbytes(self) -> int:
        """Bytes of the question."""
        return self.clipping.nbytes + self.weights.nbytes + self.solutions.nbytes + 16

    def scores(self, table: pa.Table) -> Vector:
        """Return the (n,) scores of the records, not clipped."""
        x, y = self.clipping.records(table)
        return np.asarray(((x @ self.weights.T) * (y[:, None] - x @ self.solutions.T)).sum(axis=1))

    def of(self, table: pa.Table) -> Statistic:
        """Return the bits of one float32."""
        total = np.clip(self.scores(table), -self.clip, self.clip).sum() + self.noise * normal(1, self.entropy)[0]
        return Statistic("value", (1,), np.array([np.float32(total).view(np.uint32)], dtype=np.uint64))
