"""Ask, value and account: what every source of a federation is worth to a target."""

import time
from dataclasses import dataclass, replace

import numpy as np

from headwater import __version__
from headwater.errors import Message, Refusal
from headwater.federation import Transport
from headwater.statistics.features import Features
from headwater.types import Vector
from headwater.valuation.choice import choose_features, own_features
from headwater.valuation.target import Target
from headwater.valuation.utilities.private_sums import PrivateSums
from headwater.valuation.utilities.statistics import Statistics
from headwater.valuation.utilities.sums import Sums, hidden
from headwater.valuation.utility import UTILITIES, Asked, Utility
from headwater.valuation.valuation import METHODS, Valuation, require_budget, require_rng

__all__ = ["Approach", "approaches", "value"]

_DRAWS = 1_000
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Approach:
    """A utility and the method that solves its game; ``auto`` leaves the method to the utility.

    Raises
    ------
    Refusal
        ``E-UNKNOWN-NAME``; ``E-COHORT-HIDDEN`` for a method that looks at coalitions where only sums leave
    """

    utility: Utility
    method: str = "auto"

    def __post_init__(self) -> None:
        if self.method == "auto":
            return
        METHODS[self.method]
        if self.method != "mean_field" and isinstance(self.utility, Sums | PrivateSums):
            raise hidden()

    @staticmethod
    def named(name: str) -> "Approach":
        """Read a name: ``auto``, a method (over ``statistics``), a utility, or ``utility/method``."""
        first, _, second = name.partition("/")
        if second:
            return Approach(UTILITIES[first], second)
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
    method: str | Approach | Utility = "auto",
    feature_map: str | Features = "auto",
    budget: int | None = None,
    rng: np.random.Generator,
) -> Valuation:
    """Tell what each source is worth to the target, how sure that is, and what it cost to know.

    Parameters
    ----------
    federation : reaches the sources by name
    method : a name, see ``Approach.named``, or an approach made of objects; a utility is one whose method is ``auto``
    feature_map : ``auto``: what stands for the target's learner where statistics are asked for, see
        ``choose_features``; ``linear``: the target's own features; or any features
    budget : largest number of coalitions to evaluate; None leaves it to the method

    Returns
    -------
    valuation : of the sources that could be used, the others named in ``refused``

    Raises
    ------
    Refusal
        ``E-VALUE-SOURCES`` when no source can be used, ``E-UNKNOWN-NAME``, ``E-VALUE-VALIDATION``, ``E-VALUE-TARGET``,
        ``E-VALUE-RNG``, ``E-VALUE-FINITE`` when the utility is no number, and what the method refuses
        (``E-VALUE-BUDGET`` …)
    """
    started = time.perf_counter()
    approach = _approach(method)
    _require_target(target)
    require_rng(rng)
    require_budget(budget, 1)
    features = _features(target, feature_map)
    utility = approach.utility
    if feature_map == "auto" and isinstance(utility, Statistics) and target.learner != "linear":
        utility = choose_features(target)
    play = utility.play(federation, target, features, rng=rng)
    asked, why = (play.features, play.why) if isinstance(play, Asked) else ((), None)
    if why is None and feature_map == "auto":
        why = own_features(target)
    solver = approach.utility.method(len(play.players)) if approach.method == "auto" else approach.method
    found = METHODS[solver](play, play.players, rng=rng, budget=budget)
    _require_finite(found)
    reach = play.reach if isinstance(play, Asked) and play.reach is not None else np.zeros(len(play.players))
    found = replace(found, low=found.low - reach, high=found.high + reach)
    ranks, stability = _ranks(found, rng)
    return replace(
        found,
        method=f"{_name(approach.utility)}/{found.method}",
        ranks=ranks,
        stability=stability,
        feature_map="\n".join(part.to_json() for part in asked or (features,)),
        why=why,
        version=__version__,
        exchange=play.exchange,
        seconds=time.perf_counter() - started,
        refused=play.refused,
    )


def _approach(method: str | Approach | Utility) -> Approach:
    if isinstance(method, Approach):
        return method
    if isinstance(method, str):
        return Approach.named(method)
    if hasattr(method, "play") and hasattr(method, "method") and not isinstance(method, type):
        return Approach(method)
    given = method.__name__ if isinstance(method, type) else type(method).__name__
    raise Refusal(
        "E-UNKNOWN-NAME",
        Message(f"{given} 不是估值方法。", f"{given} is no way of valuing."),
        Message(
            f"请给出名称（{'、'.join(approaches())}），或效用对象，如 Statistics()。",
            f"Give a name ({', '.join(approaches())}), or a utility, e.g. Statistics().",
        ),
    )


def _require_target(target: object) -> None:
    if isinstance(target, Target):
        return
    given = type(target).__name__
    raise Refusal(
        "E-VALUE-TARGET",
        Message(f"{given} 不是估值目标。", f"A {given} is no target."),
        Message(
            "请写 Target.of(表, label=要预测的列, rng=numpy.random.default_rng(0))。",
            "Write Target.of(table, label=column_to_predict, rng=numpy.random.default_rng(0)).",
        ),
    )


def _require_finite(found: Valuation) -> None:
    unknown = [player for player, known in zip(found.players, np.isfinite(found.values), strict=True) if not known]
    if not unknown:
        return
    raise Refusal(
        "E-VALUE-FINITE",
        Message(
            f"{len(unknown)} 个来源的价值不是有限的数，首个为“{unknown[0]}”。",
            f"The values of {len(unknown)} sources are no finite numbers, the first is {unknown[0]}.",
        ),
        Message("请检查效用或学习器给出的数。", "Examine what the utility or the learner returns."),
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


def _name(utility: Utility) -> str:
    return type(utility).__name__.lower()
