"""What the ledger's accounting says, over what is exactly true where that has a closed form.

Gaussian releases compose to one Gaussian release (Balle and Wang 2018); pure ones to a binomial mixture, of equal ε
(Kairouz, Oh and Viswanath 2015) or of any (Murtagh and Vadhan 2016, here summed over all 2^n answers); both together to
the mixture of shifted Gaussian profiles. The baselines are the sum of all ε and dp-accounting's own composition.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from headwater.adapters.accounting import composed_by_library, epsilon
from headwater.bench.figures import Size
from headwater.security.events import Approximate, Gaussian
from headwater.security.tally import NOTHING
from headwater.statistics.gaussian import delta_of, epsilon_of, noise_for
from headwater.types import Vector

__all__ = ["ratios"]

_DELTA = 1e-6
_SEED = 20260712
Released: TypeAlias = Sequence[tuple[Gaussian | Approximate, int]]
Case: TypeAlias = tuple[str, Released, Callable[[], float]]


def ratios(size: Size) -> dict[str, Any]:
    """Return the worst ratio of what is accounted to what is true, that of the baselines, and every case."""
    cases = [_told(*case) for case in _cases(size)]
    return {
        "worst": max(case["ratio"] for case in cases),
        "least": min(case["ratio"] for case in cases),
        "worst_naive_sum": max(case["naive"] for case in cases),
        "worst_library": max(case["library"] for case in cases),
        "cases": cases,
    }


def _told(name: str, events: Released, exact: Callable[[], float]) -> dict[str, Any]:
    tally = NOTHING
    for event, times in events:
        tally = tally.plus(event, times)
    started = time.perf_counter()
    found = epsilon(tally, _DELTA)
    seconds = time.perf_counter() - started
    truth = exact()
    naive = math.fsum(times * epsilon(NOTHING.plus(event), _DELTA) for event, times in events)
    library = composed_by_library(events, _DELTA)
    told = {"case": name, "exact": truth, "ratio": found / truth, "naive": naive / truth, "library": library / truth}
    return told | {"seconds": round(seconds, 4)}


def _cases(size: Size) -> list[Case]:
    rng = np.random.default_rng(_SEED)
    many = (1, 12, 52, 365) if size == "ci" else (1, 12, 52, 365, 3_650)
    found: list[Case] = []
    for each in (0.1, 1.0):
        noise = noise_for(each, _DELTA)
        for times in many:
            exact = _gaussian(times / noise**2)
            found.append((f"{times} Gaussian of epsilon {each}", [(Gaussian(noise), times)], exact))
    noises = rng.uniform(3, 60, 40).tolist()
    exact = _gaussian(math.fsum(noise**-2 for noise in noises))
    found.append(("40 Gaussian of any noise", [(Gaussian(noise), 1) for noise in noises], exact))
    for each, times in ((0.1, 52), (0.0123456, 365), (1.0, 10), (0.00137, 3_650)):
        losses, chances = _equal(each, times)
        exact = _solved(_pure(losses, chances), each * times)
        found.append((f"{times} pure of epsilon {each}", [(Approximate(each), times)], exact))
    various = rng.uniform(0.02, 0.4, 12 if size == "ci" else 18).tolist()
    losses, chances = _any(various)
    exact = _solved(_pure(losses, chances), math.fsum(various))
    found.append((f"{len(various)} pure of any epsilon", [(Approximate(each), 1) for each in various], exact))
    for each, times, repeated in ((0.2, 20, 12), (0.05, 100, 52)):
        noise = noise_for(0.5, _DELTA)
        exact = _solved(_mixed(*_equal(each, times), noise / repeated**0.5), each * times + 60)
        events: Released = [(Approximate(each), times), (Gaussian(noise), repeated)]
        found.append((f"{times} pure of {each} and {repeated} Gaussian of 0.5", events, exact))
    return found


def _gaussian(squares: float) -> Callable[[], float]:
    return lambda: epsilon_of(squares**-0.5, _DELTA)


def _solved(profile: Callable[[float], float], high: float) -> Callable[[], float]:
    return lambda: float(brentq(lambda value: profile(value) - _DELTA, 0.0, high, xtol=1e-13))


def _equal(each: float, times: int) -> tuple[Vector, Vector]:
    """Return the losses of that many answers told with odds e^each, and their probabilities."""
    told = np.arange(times + 1, dtype=np.float64)
    chances = binom.pmf(told, times, 1 / (1 + math.exp(-each)))
    return np.asarray(each * (2 * told - times)), np.asarray(chances, dtype=np.float64)


def _any(each: Sequence[float]) -> tuple[Vector, Vector]:
    losses, chances = np.zeros(1), np.ones(1)
    for one in each:
        share = 1 / (1 + math.exp(-one))
        losses = np.concatenate([losses + one, losses - one])
        chances = np.concatenate([chances * share, chances * (1 - share)])
    return losses, chances


def _pure(losses: Vector, chances: Vector) -> Callable[[float], float]:
    return lambda value: float((chances * np.clip(-np.expm1(value - losses), 0, None)).sum())


def _mixed(losses: Vector, chances: Vector, noise: float) -> Callable[[float], float]:
    kept = chances > 1e-18
    pairs = list(zip(losses[kept].tolist(), chances[kept].tolist(), strict=True))
    return lambda value: math.fsum(chance * delta_of(value - loss, noise) for loss, chance in pairs)
