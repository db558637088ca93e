"""Real numbers as integers modulo 2**64, so that sums are exact and their order does not matter."""

from dataclasses import dataclass

import numpy as np

from headwater.errors import Message, Refusal
from headwater.types import Fixed, Vector

__all__ = ["FixedPoint", "GRID_BITS", "on_grid"]

GRID_BITS = 14
"""Features and targets are multiples of 2**-14, so each of their products is a multiple of 2**-28."""


@dataclass(frozen=True)
class FixedPoint:
    """Two's complement fixed point in 64 bits.

    Parameters
    ----------
    fraction_bits : bits after the point; the resolution is 2**-fraction_bits
    headroom_bits : 2**headroom_bits encoded numbers can be added before the sign bit is reached

    >>> code = FixedPoint()
    >>> code.decode(code.encode(np.array([1.5, -0.25])))
    array([ 1.5 , -0.25])
    """

    fraction_bits: int = 28
    headroom_bits: int = 10

    def __post_init__(self) -> None:
        if self.fraction_bits < 0 or self.headroom_bits < 0 or self.fraction_bits + self.headroom_bits > 62:
            raise ValueError("fraction_bits and headroom_bits must be >= 0 and leave at least one bit for the number")

    @property
    def limit(self) -> float:
        """What magnitudes must stay below, by at least one step of the resolution."""
        return float(2.0 ** (63 - self.fraction_bits - self.headroom_bits))

    @property
    def resolution(self) -> float:
        """The distance between neighbouring encodable numbers."""
        return float(2.0**-self.fraction_bits)

    def encode(self, values: Vector) -> Fixed:
        """Round ``values`` to the nearest multiple of the resolution; too large or not finite is refused."""
        real = np.asarray(values, dtype=np.float64)
        if not np.isfinite(real).all():
            raise _not_finite(int(np.count_nonzero(~np.isfinite(real))))
        largest = float(np.abs(real).max(initial=0.0))
        if largest >= self.limit or largest > self.limit - self.resolution:
            raise _too_large(largest, self.limit)
        scaled = np.rint(real * 2.0**self.fraction_bits)
        return scaled.astype(np.int64).view(np.uint64)

    def decode(self, values: Fixed) -> Vector:
        """Return the real numbers that ``values`` stand for, the upper half of the range being negative."""
        signed = np.asarray(values, dtype=np.uint64).view(np.int64)
        return np.asarray(signed * self.resolution, dtype=np.float64)


def on_grid(values: Vector, *, bits: int = GRID_BITS) -> Vector:
    """Round to multiples of ``2**-bits``, so that sums of products are exact and independent of the rows' order.

    >>> on_grid(np.array([0.1]))
    array([0.09997559])
    """
    scale = 2.0**bits
    return np.asarray(np.rint(np.asarray(values, dtype=np.float64) * scale) / scale, dtype=np.float64)


def _not_finite(count: int) -> Refusal:
    return Refusal(
        "E-FIXED-FINITE",
        Message(f"有 {count} 个数不是有限数。", f"{count} numbers are not finite."),
        Message("请先处理缺失值和无穷大。", "Treat missing and infinite values first."),
    )


def _too_large(largest: float, limit: float) -> Refusal:
    return Refusal(
        "E-FIXED-RANGE",
        Message(
            f"数值 {largest:g} 超出定点范围 ±{limit:g}。", f"{largest:g} is outside the fixed-point range ±{limit:g}."
        ),
        Message("请减小量纲或分批。", "Use a smaller unit, or split the records."),
    )
