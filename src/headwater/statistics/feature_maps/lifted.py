"""What all lifted feature maps share: a recipe fitted to the target's own records, computed alike at every source.

The bits must not depend on the machine or on which rows stand together. So the constants are integers in units of a
grid on which every sum of products is exact in float64 in any order, and what follows is one rounded operation after
another, never a library's sine or tangent.
"""

import json
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa

from headwater.registry import Registry
from headwater.statistics.features import FeatureMap
from headwater.statistics.fixed_point import on_grid
from headwater.types import Vector

__all__ = ["FEATURE_MAPS", "LARGEST", "Lifted", "WEIGHT_UNIT", "as_json", "bits", "coarse", "in_units", "normals"]

LARGEST = 8.0
"""No feature is larger: Gram sums of 2**15 records of features below 32 are exact."""

_COARSE_BITS = 3
"""Features are told in eighths: sums of their products are whole sixty-fourths, which travel in a byte and a half."""

WEIGHT_UNIT = 2.0**-10
"""Weights are multiples of it and below 32: 256 products with features of 2**-14 are summed exactly."""


class Lifted(Protocol):
    """Features computed from those of a base map by public constants; satisfies ``Features``."""

    @property
    def base(self) -> FeatureMap:
        """The map that is lifted."""
        ...

    @property
    def dim(self) -> int:
        """Number of features, the bias included."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """One name per feature; the first is ``bias``."""
        ...

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features, multiples of 2**-3, none above ``LARGEST``, the first of them 1."""
        ...

    def to_json(self) -> str:
        """Return all constants as canonical JSON: they travel in the question."""
        ...

    @classmethod
    def fit(cls, base: FeatureMap, x: Vector, y: Vector, *, dim: int, seed: int) -> Self:
        """Return the map of at most ``dim`` features for a target.

        Parameters
        ----------
        x : (rows, base.dim) features of the target's own training records
        y : (rows,) their labels, standardised
        """
        ...


FEATURE_MAPS: Registry[type[Lifted]] = Registry("feature map")
"""Lifted feature maps by the stem of their file."""


def as_json(kind: str, base: FeatureMap, constants: dict[str, Any]) -> str:
    """Return the canonical JSON of a lifted map."""
    whole = {"kind": kind, "base": json.loads(base.to_json()), **constants}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def coarse(features: Vector) -> Vector:
    """Round to the grid on which lifted features are told, see ``Statistic.to_bytes``.

    >>> coarse(np.array([0.3, 1.0]))
    array([0.25, 1.  ])
    """
    return on_grid(features, bits=_COARSE_BITS)


def bits(seed: int, count: int) -> Vector:
    """Return ``count`` numbers in [0, 1), multiples of 2**-16; NumPy keeps this stream for ever, unlike its normals.

    >>> bits(7, 2).tolist() == bits(7, 3)[:2].tolist()
    True
    """
    raw = np.random.PCG64(seed).random_raw(count)
    return np.asarray(raw >> np.uint64(48), dtype=np.float64) * 2.0**-16


def normals(seed: int, rows: int, columns: int) -> Vector:
    """Return (rows, columns) nearly normal numbers, each the sum of twelve uniform ones."""
    return np.asarray(bits(seed, 12 * rows * columns).reshape(rows, columns, 12).sum(axis=2) - 6.0)


def in_units(weights: Vector) -> tuple[tuple[int, ...], ...]:
    """Return (rows, columns) weights as integers, in ``WEIGHT_UNIT``."""
    units = np.clip(np.rint(weights / WEIGHT_UNIT), -(2**15) + 1, 2**15 - 1).astype(np.int64)
    return tuple(tuple(row) for row in units.tolist())
