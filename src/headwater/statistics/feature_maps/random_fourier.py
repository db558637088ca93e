r"""Random Fourier features: a Gram statistic of them is that of a Gaussian kernel.

.. math:: x \mapsto \sqrt 2 \cos(2\pi (w^T x + b)), \quad w \sim N(0, I / (2\pi h)^2)

Source: Rahimi and Recht 2007. Frequencies follow from a seed, so only the bandwidth and the seed travel.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa

from headwater.statistics.feature_maps.lifted import FEATURE_MAPS, as_json, bits, coarse, normals
from headwater.statistics.features import FeatureMap
from headwater.statistics.fixed_point import on_grid
from headwater.types import Vector

__all__ = ["RandomFourier"]

_BANDWIDTHS = 2.0
"""In medians of the distance between two records of the target: few features do better on smooth functions."""


@FEATURE_MAPS.register("random_fourier")
@dataclass(frozen=True)
class RandomFourier:
    """The base features, then waves in random directions.

    Parameters
    ----------
    waves : number of waves
    bandwidth : of the Gaussian kernel, in standardised units
    seed : of the directions
    """

    base: FeatureMap
    waves: int
    bandwidth: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.waves < 0 or not self.bandwidth > 0:
            raise ValueError("waves must be at least 0 and the bandwidth above 0")

    @property
    def dim(self) -> int:
        """Number of features, bias included."""
        return self.base.dim + self.waves

    @property
    def names(self) -> tuple[str, ...]:
        """The base names, then ``wave#number``."""
        return (*self.base.names, *(f"wave#{number}" for number in range(self.waves)))

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features."""
        features = self.base.transform(table)
        return coarse(np.hstack([features, np.sqrt(2.0) * _cosine(features @ self._directions)]))

    def to_json(self) -> str:
        """Return the recipe as canonical JSON."""
        constants = {"waves": self.waves, "bandwidth": self.bandwidth, "seed": self.seed}
        return as_json("random_fourier", self.base, constants)

    @classmethod
    def fit(cls, base: FeatureMap, x: Vector, y: Vector, *, dim: int, seed: int) -> Self:
        """Take the bandwidth from the distances between the target's own records."""
        squares = (x**2).sum(axis=1)
        distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0.0))
        apart = distances[distances > 1e-6]
        bandwidth = _BANDWIDTHS * float(np.median(apart)) if apart.size else 1.0
        return cls(base, max(0, dim - base.dim), round(bandwidth, 3), seed)

    @cached_property
    def _directions(self) -> Vector:
        """(base.dim, waves) turns a unit, the phases in the bias's row; on the grid, so that sums are exact."""
        turns = normals(self.seed, self.base.dim, self.waves) / (2 * np.pi * self.bandwidth)
        turns[:1] = bits(self.seed + 1, self.waves)
        return on_grid(np.clip(turns, -4.0, 4.0))


def _cosine(turns: Vector) -> Vector:
    """Return cos(2π turns) by additions and multiplications alone, the same on every machine, to 1e-9.

    >>> _cosine(np.array([0.0, 0.5, 1.25])).round(9) + 0.0
    array([ 1., -1.,  0.])
    """
    half = np.pi * (turns - np.rint(turns))
    square = half * half
    sine = np.ones_like(half)
    for order in range(16, 1, -2):
        sine = 1.0 - square / float(order * (order + 1)) * sine
    sine = sine * half
    return np.asarray(1.0 - 2.0 * sine * sine)
