"""Bins of the features and corners where two of them meet: for trees, which see records by cuts alone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.statistics.feature_maps.lifted import FEATURE_MAPS, as_json
from headwater.statistics.features import FeatureMap
from headwater.statistics.fixed_point import GRID_BITS
from headwater.types import Vector

__all__ = ["Histogram"]

_QUANTILES = (0.2, 0.4, 0.6, 0.8)


@FEATURE_MAPS.register("histogram")
@dataclass(frozen=True)
class Histogram:
    """Bias, then 1 where a feature lies above a cut and 0 elsewhere, then 1 where two of these are 1.

    Parameters
    ----------
    cuts : place of a base feature, bias excluded, and the cut in units of 2**-14
    corners : places of two cuts
    """

    base: FeatureMap
    cuts: tuple[tuple[int, int], ...]
    corners: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if any(not 0 <= place < self.base.dim - 1 for place, _ in self.cuts):
            raise ValueError("a cut names a feature that the base map does not have")
        if any(not 0 <= place < len(self.cuts) for corner in self.corners for place in corner):
            raise ValueError("a corner names a cut that there is not")

    @property
    def dim(self) -> int:
        """Number of features, bias included."""
        return 1 + len(self.cuts) + len(self.corners)

    @property
    def names(self) -> tuple[str, ...]:
        """``bias``, then ``name>cut``, then ``first&second``."""
        own = [f"{self.base.names[1 + place]}>{cut * 2.0**-GRID_BITS:g}" for place, cut in self.cuts]
        return ("bias", *own, *(f"{own[first]}&{own[second]}" for first, second in self.corners))

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features."""
        above = self._above(self.base.transform(table))
        first, second = self._sides
        return np.hstack([np.ones((len(above), 1)), above, above[:, first] * above[:, second]])

    def to_json(self) -> str:
        """Return the recipe as canonical JSON."""
        return as_json("histogram", self.base, {"cuts": self.cuts, "corners": self.corners})

    @classmethod
    def fit(cls, base: FeatureMap, x: Vector, y: Vector, *, dim: int, seed: int) -> Self:
        """Cut at the target's own quintiles; keep the corners that say most of what single cuts leave of the labels."""
        cuts = _quintiles(x)
        if len(cuts) >= dim:
            return cls(base, tuple(cuts[place] for place in _telling(cls(base, tuple(cuts))._above(x), y)[: dim - 1]))
        single = cls(base, tuple(cuts))
        above = single._above(x)
        pairs = [(i, j) for i in range(len(cuts)) for j in range(i) if cuts[i][0] != cuts[j][0]]
        first, second = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
        design = np.hstack([np.ones((len(x), 1)), above])
        shrunk = design.T @ design + np.diag([1e-6, *[3.0] * len(cuts)])
        rest = y - design @ np.linalg.solve(shrunk, design.T @ y)
        order = _telling(above[:, first] * above[:, second], rest)[: dim - single.dim]
        return cls(base, tuple(cuts), tuple(sorted(pairs[place] for place in order)))

    def _above(self, features: Vector) -> Vector:
        places = [1 + place for place, _ in self.cuts]
        limits = np.array([cut for _, cut in self.cuts], dtype=np.float64) * 2.0**-GRID_BITS
        return (features[:, places] > limits).astype(np.float64)

    @cached_property
    def _sides(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        first, second = (np.array([corner[side] for corner in self.corners], dtype=np.int64) for side in (0, 1))
        return first, second


def _quintiles(x: Vector) -> list[tuple[int, int]]:
    """Return the distinct cuts, each of which leaves records on both sides."""
    cuts = []
    for place in range(x.shape[1] - 1):
        column = x[:, place + 1]
        limits = np.unique(np.quantile(column, _QUANTILES, method="lower"))
        cuts += [(place, round(limit * 2**GRID_BITS)) for limit in limits.tolist() if limit < column.max()]
    return cuts


def _telling(indicators: Vector, y: Vector) -> list[int]:
    """Return the places of the columns by falling share in ``y``, shrunk so that rare ones come late."""
    centred = indicators - indicators.mean(axis=0)
    score = np.abs(centred.T @ y) / np.sqrt((centred**2).sum(axis=0) + 2.0)
    return [int(place) for place in np.argsort(-score, kind="stable")]
