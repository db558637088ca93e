r"""Integer noise from a cryptographic generator: discrete Gaussian and Skellam, by tables of their cumulative sums.

A draw looks 64 unpredictable bits up among the thresholds :math:`\lfloor 2^{64} F(k) \rfloor`. Tables hold all but
:math:`2^{-66}` of the mass; what they are off by, ``variation``, is known and belongs to δ. Integers alone leave a sum,
so no attack on the spacing of floating-point numbers (Mironov 2012) applies.

Sources: Canonne, Kamath and Steinke 2020 (discrete Gaussian); Agarwal, Kairouz and Liu 2021 (Skellam, whose sums over
sources are Skellam again).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from headwater.errors import Message, Refusal
from headwater.security.identity import Entropy

__all__ = ["LARGEST", "Noise", "discrete_gaussian", "skellam"]

Integers: TypeAlias = npt.NDArray[np.int64]

LARGEST = 2.0**15
"""Largest standard deviation of a table, in steps of the grid; on a coarser grid the same noise takes fewer steps."""
_SMALLEST = 2.0**-3

_GUIDE_BITS = 16
_REACH = 9.6
"""Standard deviations on each side, beyond which a Gaussian has less than 2**-66 of its mass."""
_CHUNK = 1 << 16
_HUGE = np.longdouble(2.0) ** 8000


@dataclass(frozen=True, eq=False)
class Noise:
    """A distribution over integers around 0, ready to draw from.

    Parameters
    ----------
    deviation : standard deviation, in steps of the grid
    variation : most by which the distribution of one draw differs from the one named, in total variation
    thresholds : (2 * reach,) uint64, F(k) for k from -reach to reach - 1
    """

    deviation: float
    variation: float
    thresholds: npt.NDArray[np.uint64]
    guide: npt.NDArray[np.int32]

    @property
    def reach(self) -> int:
        """The largest integer that can be drawn; the smallest is its negative."""
        return len(self.thresholds) // 2

    def draw(self, size: int, entropy: Entropy) -> Integers:
        """Return (size,) independent draws; the stream is AES-128 in counter mode under a key of ``entropy``."""
        stream = Cipher(algorithms.AES(entropy(16)), modes.CTR(bytes(16))).encryptor()
        out, reach = np.empty(size, dtype=np.int64), self.reach
        for start in range(0, size, _CHUNK):
            part = out[start : start + _CHUNK]
            bits = np.frombuffer(stream.update(bytes(8 * len(part))), dtype=np.uint64)
            np.subtract(self._places(bits), reach, out=part)
        return out

    def _places(self, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Return how many thresholds are at or below each number: the leading bits tell most of them by themselves."""
        leading = (bits >> np.uint64(64 - _GUIDE_BITS)).astype(np.int64)
        places = self.guide[leading].astype(np.int64)
        open_ = np.flatnonzero(self.guide[leading + 1] != places)
        places[open_] = np.searchsorted(self.thresholds, bits[open_], side="right")
        return places


@lru_cache(maxsize=32)
def discrete_gaussian(deviation: float) -> Noise:
    """Return the distribution with mass proportional to exp(-k² / 2 deviation²) at every integer k.

    The standard deviation is the parameter's only where it is not small: from 1 on, to six digits.

    Raises
    ------
    Refusal
        ``E-NOISE-RANGE`` for a deviation above ``LARGEST`` or below an eighth
    """
    _require(deviation)
    steps = np.arange(_reach(deviation), dtype=np.longdouble)
    return _table(np.exp(-np.square(steps) / (2 * np.longdouble(deviation) ** 2)), deviation)


@lru_cache(maxsize=32)
def skellam(deviation: float) -> Noise:
    """Return the distribution of the difference of two Poisson numbers, both of mean deviation² / 2.

    Raises
    ------
    Refusal
        ``E-NOISE-RANGE`` as for the discrete Gaussian
    """
    _require(deviation)
    size, variance = 2 * _reach(deviation), np.longdouble(deviation) ** 2
    # Bessel functions by Miller's backward recurrence (DLMF 3.6): all terms are positive, so nothing cancels.
    mass = np.zeros(size + 2, dtype=np.longdouble)
    mass[size] = np.finfo(np.longdouble).tiny * 2.0**64
    for step in range(size, 0, -1):
        mass[step - 1] = mass[step + 1] + 2 * step / variance * mass[step]
        if mass[step - 1] > _HUGE:
            mass[step - 1 :] /= _HUGE
    return _table(mass, deviation)


def _reach(deviation: float) -> int:
    """Return how many integers from 0 hold all but 2**-66 of either mass; Skellam's tail is the longer one."""
    return int(np.ceil(_REACH * deviation)) + 40


def _table(mass: npt.NDArray[np.longdouble], deviation: float) -> Noise:
    """Return the table of a mass that is symmetric around 0, given up to a factor from 0 on."""
    tail = np.cumsum(mass[::-1])[::-1]
    total = tail[0] + tail[1]
    kept = int(np.searchsorted(-tail, -total * np.longdouble(2.0) ** -67))
    below = tail[1 : kept + 1][::-1] / total
    # F(-k) for k from the tail to 1; above 0 the table mirrors itself, so that the mean is exactly 0.
    lower = (below * np.longdouble(2.0) ** 64).astype(np.uint64)
    # What is rounded to nothing would be 2**64 on the other side, which no number of 64 bits is.
    lower = lower[lower > 0]
    thresholds = np.concatenate([lower, (~lower[::-1]) + np.uint64(1)])
    edges = np.arange(1 << _GUIDE_BITS, dtype=np.uint64) << np.uint64(64 - _GUIDE_BITS)
    guide = np.append(np.searchsorted(thresholds, edges, side="right"), len(thresholds)).astype(np.int32)
    # Rounding of each threshold down, and of each of the sums that lead to it.
    variation = len(thresholds) * (2.0**-64 + float(np.finfo(np.longdouble).eps)) + 2.0**-66
    return Noise(deviation, variation, thresholds, guide)


def _require(deviation: float) -> None:
    if not _SMALLEST <= deviation <= LARGEST:
        raise Refusal(
            "E-NOISE-RANGE",
            Message(
                f"噪声标准差 {deviation:g} 格不在 {_SMALLEST:g} 至 {LARGEST:g} 之间。",
                f"A standard deviation of {deviation:g} steps is not between {_SMALLEST:g} and {LARGEST:g}.",
            ),
            Message("请改用更粗（或更细）的定点网格。", "Use a coarser grid, or a finer one."),
        )
