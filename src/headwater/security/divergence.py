r"""How much noise on whole numbers a privacy takes, by its Rényi divergence τ(α) between two neighbouring vectors.

.. math:: ε = \min_α τ(α) + \frac{α \ln(1 - 1/α) - \ln(α - 1) - \ln δ}{α - 1}

Sound in any dimension and at any order, so a grid of orders is never too small (Canonne, Kamath and Steinke 2020,
proposition 12).
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.types import Fixed, Vector

__all__ = ["ORDERS", "TABLES", "epsilon_at", "gaussian", "least", "plus", "require_claim", "skellam"]

ORDERS: Vector = np.concatenate([np.geomspace(0.01, 10, 400), np.geomspace(10.1, 1e6, 800)]) + 1
"""The orders α at which divergences are known."""

TABLES = 0.1
"""Share of δ kept for what tables of noise are off by."""


def gaussian(deviation: float, *, l2: float) -> Vector:
    """Return τ at all orders of discrete Gaussian noise (the same, theorem 4)."""
    return ORDERS * (l2 / deviation) ** 2 / 2


def skellam(deviation: float, *, l2: float, l1: float) -> Vector:
    """Return τ at all orders of Skellam noise (Agarwal, Kairouz and Liu 2021, theorem 3.5).

    The theorem is of whole orders; (α − 1) τ is convex between them, from 0 at 1.
    """
    variance = deviation**2

    def whole(order: Vector) -> Vector:
        extra = np.minimum(((2 * order - 1) * l2**2 + 6 * l1) / (4 * variance**2), 3 * l1 / (2 * variance))
        return np.asarray((order - 1) * (order * l2**2 / (2 * variance) + extra))

    low = np.floor(ORDERS)
    share = ORDERS - low
    return np.asarray(((1 - share) * whole(low) + share * whole(low + 1)) / (ORDERS - 1))


def epsilon_at(divergence: Vector, delta: float) -> float:
    """Return ε at δ for τ at all orders."""
    less = ORDERS - 1
    return max(0.0, float((divergence + (ORDERS * np.log1p(-1 / ORDERS) - np.log(less * delta)) / less).min()))


def least(divergence: Callable[[float], Vector], *, epsilon: float, delta: float) -> float:
    """Return the least standard deviation that is (ε, δ)-private, a hair above; δ less what tables may take."""
    left = delta * (1 - TABLES)
    low = high = 1e-3
    while epsilon_at(divergence(high), left) > epsilon:
        low, high = high, 2 * high
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if epsilon_at(divergence(middle), left) > epsilon else (low, middle)
    return high


def plus(values: Fixed, drawn: npt.NDArray[np.int64]) -> Fixed:
    """Return the values with noise, modulo 2**64."""
    return np.asarray(values + drawn.view(np.uint64))


def require_claim(epsilon: float, delta: float, sensitivity: float | None) -> float:
    """Return the sensitivity; one that is not told, or a claim that cannot be, is refused."""
    if sensitivity is None or not 0 < sensitivity < math.inf:
        raise Refusal(
            "E-NOISE-SENSITIVITY",
            Message(f"敏感度 {sensitivity} 不合法。", f"A sensitivity of {sensitivity} cannot be."),
            Message(
                "请先截断每条记录，并给出一条记录最多改变多少格。",
                "Clip every record, and tell by how many steps one can move the vector.",
            ),
        )
    if not (0 < epsilon < math.inf and 0 < delta < 1):
        raise Refusal(
            "E-NOISE-CLAIM",
            Message(f"ε = {epsilon}，δ = {delta} 不合法。", f"An ε of {epsilon} at a δ of {delta} cannot be."),
            Message("ε 应为正数，δ 在 0 与 1 之间。", "ε is above 0, δ between 0 and 1."),
        )
    return sensitivity
