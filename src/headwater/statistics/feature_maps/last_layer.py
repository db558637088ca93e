"""The last hidden layer of small networks that the target starts, and trains where its own records suffice."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa

from headwater.statistics.feature_maps.lifted import FEATURE_MAPS, LARGEST, WEIGHT_UNIT, as_json, coarse, in_units
from headwater.statistics.features import FeatureMap
from headwater.statistics.network import Network
from headwater.types import Vector

__all__ = ["LastLayer"]

_HIDDEN = 16

_FEW = 500
"""Below so many records training narrows the layer to what those records show: its start predicts others better."""


@FEATURE_MAPS.register("last_layer")
@dataclass(frozen=True)
class LastLayer:
    """The base features, then rectified sums of them: max(0, w·x), at most ``LARGEST``.

    Parameters
    ----------
    weights : (base.dim, units) integers in units of 2**-10, the bias's row first; they travel in the question
    """

    base: FeatureMap
    weights: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if len(self.weights) != self.base.dim or len({len(row) for row in self.weights}) != 1:
            raise ValueError(f"weights must be ({self.base.dim}, units)")

    @property
    def units(self) -> int:
        """Number of hidden units."""
        return len(self.weights[0])

    @property
    def dim(self) -> int:
        """Number of features, bias included."""
        return self.base.dim + self.units

    @property
    def names(self) -> tuple[str, ...]:
        """The base names, then ``unit#number``."""
        return (*self.base.names, *(f"unit#{number}" for number in range(self.units)))

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features."""
        features = self.base.transform(table)
        return coarse(np.hstack([features, np.clip(features @ self._matrix, 0.0, LARGEST)]))

    def to_json(self) -> str:
        """Return the recipe as canonical JSON."""
        return as_json("last_layer", self.base, {"weights": self.weights})

    @classmethod
    def fit(cls, base: FeatureMap, x: Vector, y: Vector, *, dim: int, seed: int) -> Self:
        """Take as many networks as fill ``dim``, each from its own start, and scale units to a mean square of 1."""
        room = max(1, dim - base.dim)
        steps = 0 if len(y) < _FEW else 150
        seeds = range(seed, seed - (-room // _HIDDEN))
        first = [Network.fit(x, y, hidden=_HIDDEN, seed=one, steps=steps).first for one in seeds]
        weights = np.hstack(first)[:, :room]
        size = np.sqrt((np.maximum(x @ weights, 0.0) ** 2).mean(axis=0))
        return cls(base, in_units(weights / np.maximum(size, 0.05)))

    @cached_property
    def _matrix(self) -> Vector:
        return np.array(self.weights, dtype=np.float64) * WEIGHT_UNIT
