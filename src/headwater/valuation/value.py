"""Ask, value and account: what every source of a federation is worth to a target."""

import time
from dataclasses import dataclass, replace

import numpy as np

from headwater import __version__
from headwater.errors import Message, Refusal
from headwater.federation import Transport
from headwater.statistics.features import Features
from headwater.types import Vector
from headwater.valuation.choice import choose_features
from headwater.valuation.target import Target
from headwater.valuation.utilities.statistics import Statistics
from headwater.valuation.utility import UTILITIES, Asked, Utility
from headwater.valuation.valuation import METHODS, Valuation

__all__ = ["Approach", "approaches", "value"]

_DRAWS = 1_000
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Approach:
    """A utility and the method that solves its game; ``auto`` leaves the method to the utility."""

    utility: Utility
    method: str = "auto"

    @staticmethod
    def named(name: str) -> "Approach":
        """Read a name: ``auto``, a method (over ``statistics``), a utility, or ``utility/method``."""
        first, _, second = name.partition("/")
        if second:
            return Approach(UTILITIES[first], _known(second))
        if first in UTILITIES:
            return Approach(UTILITIES[first])
        if first == "auto" or first in METHODS:
            return Approach(UTILITIES["statistics"], first)
        raise Refusal(
            "E-UNKNOWN-NAME",
            Message(f"没有名为“{name}”的估值方法。", f"There is no valuation method named {name!r}."),
            Message(f"可用：{'、'.join(approaches())}。", f"Known: {', '.join(approaches())}."),
        )


def approaches() -> tuple[str, ...]:
    """Return the short names that ``value`` takes: ``auto``, every utility and every method."""
    return ("auto", *sorted({*UTILITIES, *METHODS}))


def value(
    federation: Transport,
    target: Target,
    *,
    method: str | Approach = "auto",
    feature_map: str | Features = "auto",
    budget: int | None = None,
    rng: np.random.Generator,
) -> Valuation:
    """Tell what each source is worth to the target, how sure that is, and what it cost to know.

    Parameters
    ----------
    federation : reaches the sources by name
    method : a name, see ``Approach.named``, or an approach made of objects
    feature_map : ``auto``: what stands for the target's learner where statistics are asked for, see
        ``choose_features``; ``linear``: the target's own features; or any features
    budget : largest number of coalitions to evaluate; None leaves it to the method

    Returns
    -------
    valuation : of the sources that could be used, the others named in ``refused``

    Raises
    ------
    Refusal
        ``E-VALUE-SOURCES`` when no source can be used, ``E-UNKNOWN-NAME``, ``E-VALUE-VALIDATION``, and what the
        method refuses (``E-VALUE-BUDGET`` …)
    """
    started = time.perf_counter()
    approach = Approach.named(method) if isinstance(method, str) else method
    features = _features(target, feature_map)
    utility = approach.utility
    told = features.to_json()
    if feature_map == "auto" and isinstance(utility, Statistics) and target.learner != "linear":
        utility = choose_features(target)
        told = "\n".join(part.features.to_json() for part in utility.parts)
    play = utility.play(federation, target, features, rng=rng)
    solver = approach.utility.method(len(play.players)) if approach.method == "auto" else approach.method
    found = METHODS[solver](play, play.players, rng=rng, budget=budget)
    reach = play.reach if isinstance(play, Asked) and play.reach is not None else np.zeros(len(play.players))
    found = replace(found, low=found.low - reach, high=found.high + reach)
    ranks, stability = _ranks(found, rng)
    return replace(
        found,
        method=f"{_name(approach.utility)}/{found.method}",
        ranks=ranks,
        stability=stability,
        feature_map=told,
        version=__version__,
        exchange=play.exchange,
        seconds=time.perf_counter() - started,
        refused=play.refused,
    )


def _features(target: Target, chosen: str | Features) -> Features:
    if not isinstance(chosen, str):
        return chosen
    if chosen in ("auto", "linear"):
        return target.features
    raise Refusal(
        "E-UNKNOWN-NAME",
        Message(f"没有名为“{chosen}”的特征映射。", f"There is no feature map named {chosen!r}."),
        Message("可用：auto、linear。", "Known: auto, linear."),
    )


def _ranks(found: Valuation, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Return the (players, 2) 95 % interval of each rank and the (players,) probability of the rank itself.

    Values are drawn from normal distributions as wide as their intervals; equal values are told apart by their place.
    """
    spread = (found.high - found.low) / (2 * _NORMAL_95)
    draws = found.values + spread * rng.normal(size=(_DRAWS, len(spread)))
    drawn, own = _rank(draws), _rank(found.values[None, :])
    ends = np.quantile(drawn, [0.025, 0.975], axis=0, method="closest_observation").T
    return np.asarray(ends, dtype=np.float64), np.asarray((drawn == own).mean(axis=0), dtype=np.float64)


def _rank(values: Vector) -> Vector:
    """Return (draws, players) ranks from 1, the largest value first."""
    return np.asarray(np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1) + 1.0)


def _known(method: str) -> str:
    if method != "auto":
        METHODS[method]
    return method


def _name(utility: Utility) -> str:
    return type(utility).__name__.lower()
