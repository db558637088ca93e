"""Products of two features: for learners that see interactions; the pairs that matter to the target are screened."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from headwater.statistics.feature_maps.lifted import FEATURE_MAPS, LARGEST, as_json, coarse
from headwater.statistics.features import FeatureMap
from headwater.types import Vector

__all__ = ["Degree2"]

_CLIP = LARGEST**0.5


@FEATURE_MAPS.register("degree2")
@dataclass(frozen=True)
class Degree2:
    """The base features, then products of pairs of them (a square where both are the same).

    Parameters
    ----------
    pairs : places of two base features, bias excluded, counted from 0; clipped, so that products stay bounded

    >>> from headwater.statistics import Numeric
    >>> Degree2(FeatureMap((Numeric("age", 60, 20),)), ((0, 0),)).transform(pa.table({"age": [100.0]}))
    array([[1., 2., 4.]])
    """

    base: FeatureMap
    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if any(not 0 <= place < self.base.dim - 1 for pair in self.pairs for place in pair):
            raise ValueError("a pair names a feature that the base map does not have")

    @property
    def dim(self) -> int:
        """Number of features, bias included."""
        return self.base.dim + len(self.pairs)

    @property
    def names(self) -> tuple[str, ...]:
        """The base names, then ``first*second``."""
        own = self.base.names[1:]
        return (*self.base.names, *(f"{own[i]}*{own[j]}" for i, j in self.pairs))

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features."""
        features = self.base.transform(table)
        return coarse(np.hstack([features, _products(features, self.pairs)]))

    def to_json(self) -> str:
        """Return the recipe as canonical JSON."""
        return as_json("degree2", self.base, {"pairs": self.pairs})

    @classmethod
    def fit(cls, base: FeatureMap, x: Vector, y: Vector, *, dim: int, seed: int) -> Self:
        """Keep the products that correlate most with what a linear model leaves of the labels."""
        width = base.dim - 1
        every = [(i, j) for i in range(width) for j in range(i, width)]
        rest = y - x @ np.linalg.solve(x.T @ x + np.eye(base.dim), x.T @ y)
        products = _products(x, tuple(every))
        products = products - products.mean(axis=0)
        score = np.abs(products.T @ rest) / (np.sqrt((products**2).sum(axis=0)) + 1.0)
        chosen = np.argsort(-score, kind="stable")[: max(0, dim - base.dim)]
        return cls(base, tuple(sorted(every[place] for place in chosen.tolist() if score[place] > 0)))


def _products(features: Vector, pairs: tuple[tuple[int, int], ...]) -> Vector:
    own = np.clip(features[:, 1:], -_CLIP, _CLIP)
    first, second = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    return np.asarray(own[:, first] * own[:, second], dtype=np.float64)
