"""Black boxes are asked many times what they say of two tables that differ in one record, and held to what they claim.

Whoever tells the tables apart by a threshold errs with some probability either way. Both rates are bounded from above
with 95 % confidence (Clopper and Pearson 1934), and give the least μ for which a Gaussian release of sensitivity μ
could have been so hard to tell apart (Nasr et al. 2023), hence the least ε at the claimed δ. Above the claim, the claim
is wrong.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import ndtri
from scipy.stats import beta

from headwater.bench.figures import Size
from headwater.federation import GramQuestion
from headwater.federation.private import Clipping, NoisyScore, NoisySquares
from headwater.statistics import FeatureMap, Numeric
from headwater.statistics.gaussian import epsilon_of, noise_for
from headwater.types import Vector

__all__ = ["audits", "least_epsilon"]

_SEED = 20260713
_EPSILON, _DELTA = 1.0, 1e-6
_ERROR = 0.025
_ASKED = {"ci": 2_500, "full": 40_000}
_LEARNT = 0.2
"""Share of the answers from which direction and threshold are found; the others are told apart."""


def audits(size: Size) -> dict[str, Any]:
    """Return the claim, the least ε that each mechanism must have had, and that of twins with half the noise."""
    found: dict[str, Any] = {"claim": _EPSILON, "asked": 2 * _ASKED[size]}
    for name, ask in (("squares", _squares), ("score", _score)):
        for twin, share in (("", 1.0), ("_half_noise", 0.5)):
            found[name + twin] = _audited(ask(share), _ASKED[size])
    return found


def _audited(ask: Callable[[bool], Vector], times: int) -> float:
    """Return the least ε by the direction between the means of the first answers, and the middle between them."""
    here, there = (np.array([ask(which) for _ in range(times)]) for which in (True, False))
    learnt = int(_LEARNT * times)
    direction = here[:learnt].mean(axis=0) - there[:learnt].mean(axis=0)
    scores = here @ direction, there @ direction
    middle = float((scores[0][:learnt].mean() + scores[1][:learnt].mean()) / 2)
    return least_epsilon(scores[0][learnt:], scores[1][learnt:], middle, _DELTA)


def least_epsilon(here: Vector, there: Vector, threshold: float, delta: float) -> float:
    """Return the least ε at δ with which answers of here, mostly above the threshold, and of there are compatible."""
    missed, false = (_at_most(int(errors.sum()), len(errors)) for errors in (here <= threshold, there > threshold))
    mu = float(ndtri(1 - missed) - ndtri(false))
    return epsilon_of(1 / mu, delta) if mu > 0 else 0.0


def _at_most(errors: int, times: int) -> float:
    """Return the upper bound of a probability by Clopper and Pearson."""
    return 1.0 if errors == times else float(beta.ppf(1 - _ERROR, errors + 1, times - errors))


def _tables(*records: tuple[float, float, float]) -> tuple[Clipping, list[pa.Table]]:
    """Return tables of two records, one of which is another in each."""
    features = FeatureMap(numeric=(Numeric("a", 0.0, 1.0), Numeric("b", 0.0, 1.0)))
    clipping = Clipping(GramQuestion(features, "y"), np.eye(features.dim), 1.0)
    return clipping, [pa.table({"a": [0.0, a], "b": [0.0, b], "y": [0.0, y]}) for a, b, y in records]


def _squares(share: float) -> Callable[[bool], Vector]:
    # Records of the largest norm at a right angle: their squares lie as far apart as two can.
    clipping, tables = _tables((0.0, 0.0, 1e3), (1e3, 0.0, 0.0))
    noise = share * 2**0.5 * clipping.radius**2 * noise_for(_EPSILON, _DELTA)
    asked = NoisySquares(clipping, noise, np.random.default_rng(_SEED).bytes)
    return lambda which: asked.family.encoding.decode(asked.of(tables[which]).values)


def _score(share: float) -> Callable[[bool], Vector]:
    # One record's score is clipped from above, the other's from below.
    clipping, tables = _tables((1.0, 0.0, 1.0), (1.0, 0.0, -1.0))
    clip = 1.0
    noise = share * 2 * clip * noise_for(_EPSILON, _DELTA)
    weights = 1e3 * np.eye(clipping.question.family.dim)[1:2]
    asked = NoisyScore(clipping, weights, 0 * weights, clip, noise, np.random.default_rng(_SEED).bytes)

    def ask(which: bool) -> Vector:
        values = asked.of(tables[which]).values
        return values.astype(np.uint32).view(np.float32).astype(np.float64)

    return ask
