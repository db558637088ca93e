r"""The slopes of a small network by its weights: for learners that are networks and move far from where they start.

.. math:: x \mapsto (\max(0, z_h), \; a_h 1[z_h > 0] \, x)_h, \quad z = W^T x

A linear model in them is the network to first order (Jacot et al. 2018). They are many, so they travel projected on
random signs, which keeps their inner products (Achlioptas 2003).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa

from headwater.statistics.feature_maps.lifted import FEATURE_MAPS, LARGEST, WEIGHT_UNIT, as_json, bits, coarse, in_units
from headwater.statistics.features import FeatureMap
from headwater.statistics.fixed_point import on_grid
from headwater.statistics.network import Network
from headwater.types import Vector

__all__ = ["Ntk"]

_HIDDEN, _STEPS = 8, 30
_GRID = 8


@FEATURE_MAPS.register("ntk")
@dataclass(frozen=True)
class Ntk:
    """The base features, then projected slopes of a network.

    Parameters
    ----------
    first : (base.dim, hidden) weights of the hidden layer, integers in units of 2**-10; they travel in the question
    last : (hidden,) weights of the output, in the same unit
    slopes : number of projected slopes
    divisor : power of two by which the projection is divided, so that slopes are near 1
    seed : of the signs
    """

    base: FeatureMap
    first: tuple[tuple[int, ...], ...]
    last: tuple[int, ...]
    slopes: int
    divisor: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.first) != self.base.dim or {len(row) for row in self.first} != {len(self.last)}:
            raise ValueError(f"first must be ({self.base.dim}, {len(self.last)})")
        if self.slopes < 0 or self.divisor < 1 or self.divisor & (self.divisor - 1):
            raise ValueError("slopes must be at least 0 and the divisor a power of two")

    @property
    def dim(self) -> int:
        """Number of features, bias included."""
        return self.base.dim + self.slopes

    @property
    def names(self) -> tuple[str, ...]:
        """The base names, then ``slope#number``."""
        return (*self.base.names, *(f"slope#{number}" for number in range(self.slopes)))

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features."""
        features = self.base.transform(table)
        projected = self._gradients(features) @ self._signs / float(self.divisor)
        return coarse(np.hstack([features, np.clip(projected, -LARGEST, LARGEST)]))

    def to_json(self) -> str:
        """Return the recipe as canonical JSON."""
        constants = {"first": self.first, "last": self.last, "slopes": self.slopes}
        return as_json("ntk", self.base, {**constants, "divisor": self.divisor, "seed": self.seed})

    @classmethod
    def fit(cls, base: FeatureMap, x: Vector, y: Vector, *, dim: int, seed: int) -> Self:
        """Train a network for a few steps: one that knows its few records by heart says nothing of others."""
        network = Network.fit(x, y, hidden=_HIDDEN, seed=seed, steps=_STEPS)
        last = in_units(network.last[None, :])[0]
        raw = cls(base, in_units(network.first), last, max(0, dim - base.dim), 1, seed)
        size = np.sqrt(((raw._gradients(x) @ raw._signs) ** 2).mean()) if raw.slopes else 1.0
        return cls(base, raw.first, last, raw.slopes, 2 ** max(0, round(float(np.log2(max(size, 1.0))))), seed)

    def _gradients(self, features: Vector) -> Vector:
        """Return (rows, hidden + hidden · base.dim) slopes on a coarse grid, on which sums over them are exact."""
        summed = features @ (np.array(self.first, dtype=np.float64) * WEIGHT_UNIT)
        gates = (summed > 0) * (np.array(self.last, dtype=np.float64) * WEIGHT_UNIT)
        inner = (gates[:, :, None] * features[:, None, :]).reshape(len(features), len(self.last) * self.base.dim)
        return on_grid(np.hstack([np.maximum(summed, 0.0), inner]), bits=_GRID)

    @cached_property
    def _signs(self) -> Vector:
        rows = len(self.last) * (1 + self.base.dim)
        return np.where(bits(self.seed, rows * self.slopes) < 0.5, -1.0, 1.0).reshape(rows, self.slopes)
