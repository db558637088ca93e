r"""What a stay costs: a log-linear law with right-skewed noise, and what becomes of it in sources of other quality.

.. math::

    \log c = a + \alpha_{level} + \beta_{disease} + \gamma_{1} + .4 \sum_{k>1} \gamma_k + .17 z + .003 (age - 50)
             + .75 \log\frac{1 + days}{10} + .10\,[emergency] + .2\,[death] + .06\,[employee] + .02\,t + \epsilon

where :math:`\gamma_k` are the effects of the operations in descending order, z is the hidden severity and t counts
years. The noise :math:`\epsilon = .24 N(0, 1) + .16 (E(1) - 1)` is skewed to the right. The intercept is set so that
the region's mean lies near 11 000 yuan a stay and 1 200 yuan a day, the means of Chinese hospitals that the National
Health Commission published for 2021 (11 002.9 and 1 191.7 yuan).
"""

from dataclasses import dataclass

import numpy as np

from headwater.simulation.hospitals import Regime
from headwater.simulation.reference import diseases, operations
from headwater.simulation.stays import Place, Stays, copied_block, draw
from headwater.simulation.streams import Part
from headwater.types import Vector

__all__ = ["NOISE_VARIANCE", "REGION_LAW", "Law", "costs", "expected"]


@dataclass(frozen=True)
class Law:
    """Coefficients of the logarithm of cost in yuan.

    Parameters
    ----------
    levels : added for hospitals of level 1, 2, 3
    disease, operation : factors of the reference's effects
    turned : the effect of a disease is that of the disease so many rows further on
    """

    intercept: float = 8.75
    levels: tuple[float, float, float] = (-0.75, -0.30, 0.15)
    disease: float = 1.15
    turned: int = 0
    operation: float = 1.0
    severity: float = 0.17
    age: float = 0.003
    days: float = 0.75


REGION_LAW = Law()
"""The law of the region, which good sources follow."""

NOISE_VARIANCE = 0.0832
"""Variance of the logarithm of a good source's costs around the law."""

_OTHER_LAW = Law(
    intercept=9.1, levels=(0.0, 0.0, 0.0), disease=1.6, turned=67, operation=0.15, severity=-0.1, age=-0.012, days=0.15
)
_NOISE_FACTOR: dict[Regime, float] = {"noisy": 4.0}
_FURTHER_OPERATIONS = 0.4
_NORMAL, _TAIL = 0.24, 0.16
_COPYING = 0.01
_CENTRE, _SPREAD = 8.9, 0.95


def expected(place: Place, stays: Stays, law: Law = REGION_LAW) -> Vector:
    """Return the expected logarithm of cost in yuan, (n,), under ``law``; copied stays cost what they cost there."""
    place = copied_block(place) or place
    effect = np.where(stays.operations >= 0, operations().effect[stays.operations], 0.0)
    work = effect[:, 0] + _FURTHER_OPERATIONS * effect[:, 1:].sum(axis=1)
    year = place.region.month(place.month).year - 2025
    return np.asarray(
        law.intercept
        + law.levels[place.hospital.level - 1]
        + law.disease * np.roll(diseases().effect, law.turned)[stays.disease]
        + law.operation * work
        + law.severity * stays.severity
        + law.age * (stays.age - 50)
        + law.days * np.log((1 + stays.days) / 10)
        + 0.10 * stays.emergency
        + 0.20 * (stays.way == 5)
        + 0.06 * stays.employee
        + 0.02 * year
    )


def costs(place: Place, stays: Stays) -> Vector:
    """Return what the stays should cost in yuan, (n,), by the hospital's regime in this month."""
    rng, n = place.rng(Part.COSTS), len(stays)
    normal, tail = rng.standard_normal(n), rng.standard_exponential(n)
    original = copied_block(place)
    if original is not None:
        return costs(original, draw(original))[stays.original] * np.exp(_COPYING * normal)
    regime = place.hospital.regime(place.month)
    if regime == "irrelevant":
        return np.exp(_CENTRE + _SPREAD * normal)
    noise = _NORMAL * normal + _TAIL * (tail - 1)
    factor = _NOISE_FACTOR.get(regime, 1.0)
    # More noise alone would raise the mean; what is left is its lack of information.
    shift = 0.5 * (1 - factor**2) * NOISE_VARIANCE
    law = _OTHER_LAW if regime == "biased" else REGION_LAW
    return np.exp(expected(place, stays, law) + factor * noise + shift)
