r"""How much ε a tally costs, by dp-accounting's privacy loss distributions.

Gaussian releases alone have a closed form (``statistics.gaussian``). Everything else becomes a distribution of the
privacy loss on a grid, never below the truth ("connect the dots", Doroshenko et al. 2022); distributions of single
events are kept, and those of all events are convolved.

What is known by its Rényi divergence τ(α) only (Skellam, discrete Gaussian, concentrated) is first added up in τ, then
turned into the profile

.. math:: δ(ε) = \inf_α \exp((α-1)(τ(α)-ε)) \, (1-1/α)^α / (α-1)

(Canonne, Kamath and Steinke 2020, proposition 12), whose convex hull in :math:`e^ε` bounds the true profile, and which
therefore is the profile of a distribution that dominates (Zhu, Dong and Wang 2022).
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from dp_accounting.pld import pld_pmf
from dp_accounting.pld.common import DifferentialPrivacyParameters
from dp_accounting.pld.privacy_loss_distribution import (
    PrivacyLossDistribution,
    from_gaussian_mechanism,
    from_laplace_mechanism,
    from_privacy_parameters,
    identity,
)
from dp_accounting.privacy_accountant import NeighboringRelation

from headwater.errors import Message, Refusal
from headwater.security.divergence import ORDERS, skellam
from headwater.security.events import Approximate, Event, Gaussian, Laplace, Skellam, Subsampled
from headwater.security.tally import Tally
from headwater.statistics.gaussian import epsilon_of
from headwater.types import Vector

__all__ = ["composed_by_library", "epsilon", "fits"]

_GRID = 1e-4
_COARSEST = 200_000
"""Steps of the grid for the largest loss of one event; wider losses get a wider grid."""
_TAIL = 1e-16
_POINTS = 4096
_WIDEST = 600.0
"""Largest loss whose exponential is still a number; what lies beyond counts as infinite."""
_MANY = 10**6


@lru_cache(maxsize=65_536)
def epsilon(tally: Tally, delta: float) -> float:
    """Return the ε ≥ 0 that what was released has cost at δ, never too small; infinity if a release had no noise.

    Raises
    ------
    Refusal
        ``E-ACCOUNT-DELTA`` unless 0 < δ < 1
    """
    if not 0 < delta < 1:
        raise Refusal(
            "E-ACCOUNT-DELTA",
            Message(f"δ = {delta} 不合法。", f"A delta of {delta} cannot be."),
            Message("应在 0 与 1 之间。", "It lies between 0 and 1."),
        )
    if tally.unbounded:
        return math.inf
    if not tally.others and not tally.concentrated:
        return epsilon_of(1 / tally.mu, delta) if tally.gaussian else 0.0
    grid = _grid(tally)
    losses = [_repeated(event, times, grid) for event, times in tally.others if not isinstance(event, Skellam)]
    if tally.gaussian:
        losses.append(from_gaussian_mechanism(1 / tally.mu, value_discretization_interval=grid))
    noise = tuple((event, times) for event, times in tally.others if isinstance(event, Skellam))
    if noise or tally.concentrated:
        losses.append(_of_divergence(tally.rho, noise, grid))
    found = losses[0]
    for one in losses[1:]:
        found = found.compose(one)
    return float(found.get_epsilon_for_delta(delta))


def fits(tally: Tally, event: Event, *, delta: float, cap: float) -> int:
    """Return how many more times an event fits under a cap on ε; at most 10**6."""
    low, high = 0, 1
    while high <= _MANY and epsilon(tally.plus(event, high), delta) <= cap:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if epsilon(tally.plus(event, middle), delta) <= cap else (low, middle)
    return min(low, _MANY)


def composed_by_library(events: Sequence[tuple[Gaussian | Approximate, int]], delta: float) -> float:
    """Return what the library's own composition of its own distributions says: what benches compare with."""
    found = identity()
    for event, times in events:
        if isinstance(event, Gaussian):
            one = from_gaussian_mechanism(event.noise)
        else:
            one = from_privacy_parameters(DifferentialPrivacyParameters(event.epsilon, event.delta))
        found = found.compose(one.self_compose(times))
    return float(found.get_epsilon_for_delta(delta))


def _grid(tally: Tally) -> float:
    """Return the step for all distributions of a tally."""
    widest = max([_pure(event) for event, _ in tally.others] + [tally.rho, tally.mu**2 / 2, 0.0])
    return _GRID * 2.0 ** max(0, math.ceil(math.log2(max(widest, 1e-9) / (_GRID * _COARSEST))))


def _pure(event: Event) -> float:
    if isinstance(event, Approximate):
        return event.epsilon
    return 1 / event.noise if isinstance(event, Laplace) else 0.0


@lru_cache(maxsize=256)
def _repeated(event: Event, times: int, grid: float) -> PrivacyLossDistribution:
    single = _single(event, grid)
    return single if times == 1 else single.self_compose(times)


@lru_cache(maxsize=256)
def _single(event: Event, grid: float) -> PrivacyLossDistribution:
    if isinstance(event, Laplace):
        return from_laplace_mechanism(event.noise, value_discretization_interval=grid)
    if isinstance(event, Approximate):
        return _randomised_response(event, grid)
    if isinstance(event, Subsampled):
        # One record exchanged for another: each moves the sum by half of what both together do.
        return from_gaussian_mechanism(
            event.event.noise,
            sensitivity=0.5,
            sampling_prob=event.rate,
            value_discretization_interval=grid,
            neighboring_relation=NeighboringRelation.REPLACE_ONE,
        )
    raise Refusal(
        "E-EVENT-UNKNOWN",
        Message(f"无法核算 {event} 的隐私损失。", f"Nobody can say what {event} costs."),
        Message("请改用可核算的机制。", "Use a mechanism that can be accounted for."),
    )


def _randomised_response(event: Approximate, grid: float) -> PrivacyLossDistribution:
    """Return what dominates everything that is (ε, δ)-private: the truth told with odds e^ε, and given away with δ."""
    top = math.ceil(event.epsilon / grid)
    losses = np.arange(-top, top + 1) * grid
    profile = np.clip(-np.expm1(losses - event.epsilon) / (1 + math.exp(-event.epsilon)), 0.0, None)
    low = losses <= -event.epsilon
    profile[low] = -np.expm1(losses[low])
    given = event.delta + (1 - event.delta) * profile
    return PrivacyLossDistribution(pld_pmf.create_pmf_pessimistic_connect_dots_fixed_gap(grid, -top, top, given))


def _of_divergence(rho: float, noise: tuple[tuple[Skellam, int], ...], grid: float) -> PrivacyLossDistribution:
    divergence = rho * ORDERS
    for event, times in noise:
        divergence = divergence + times * skellam(math.sqrt(event.variance), l2=event.l2, l1=event.l1)
    orders = ORDERS - 1
    factor = ORDERS * np.log1p(-1 / ORDERS) - np.log(orders)
    # Where the profile has fallen to what may be given away, the grid ends.
    top = float((divergence + (factor - math.log(_TAIL)) / orders).min())
    last = math.ceil(min(max(top, grid), _WIDEST) / grid)
    steps = np.unique(np.linspace(0, last, _POINTS).round().astype(np.int64))
    exponents = [float((orders * (divergence - step * grid) + factor).min()) for step in steps]
    upper = np.exp(np.minimum(exponents, 0.0))
    lower = -np.expm1(-steps * grid) + np.exp(-steps * grid) * upper
    steps, profile = np.concatenate([-steps[:0:-1], steps]), np.concatenate([lower[:0:-1], upper])
    kept = _hull(np.exp(steps * grid), np.minimum.accumulate(profile))
    return PrivacyLossDistribution(
        pld_pmf.create_pmf_pessimistic_connect_dots(grid, steps[kept], np.minimum.accumulate(profile)[kept])
    )


def _hull(x: Vector, y: Vector) -> list[int]:
    """Return which points lie on the lower convex hull; x rises."""
    kept: list[int] = []
    for place in range(len(x)):
        while len(kept) > 1:
            one, two = kept[-2], kept[-1]
            if (y[two] - y[one]) * (x[place] - x[two]) < (y[place] - y[two]) * (x[two] - x[one]):
                break
            kept.pop()
        kept.append(place)
    return kept
