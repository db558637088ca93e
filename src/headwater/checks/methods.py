"""What every valuation method must do: meet the oracles of its concept, share out what it promises, keep its budget."""

from dataclasses import dataclass

import numpy as np

from headwater.checks.suite import Suite, refused, require
from headwater.types import Masks, Vector
from headwater.valuation.games import ORACLES, Additive, Glove, Majority, Oracle, Square
from headwater.valuation.valuation import Game, Method, Valuation

__all__ = ["METHOD_SUITE"]

_SEED = 7
_SLACK = 1e-9


def _value(method: Method, game: Oracle, *, seed: int = _SEED, budget: int | None = None) -> Valuation:
    return method(game, _names(game.size), rng=np.random.default_rng(seed), budget=budget)


def _known(game: Oracle, valuation: Valuation) -> Vector:
    """Return the values of the concept that the method says it estimates."""
    return {"shapley": game.shapley, "banzhaf": game.banzhaf, "leave_one_out": game.leave_one_out}[valuation.concept]()


def _names(size: int) -> list[str]:
    return [f"source-{place:02d}" for place in range(size)]


def check_meets_the_oracles(method: Method) -> None:
    """Require that on every game the known value lies within twice the interval around the estimate."""
    for name, game in ORACLES.items():
        valuation = _value(method, game)
        reach = (valuation.high - valuation.low) + _SLACK
        known = _known(game, valuation)
        require(bool((np.abs(valuation.values - known) <= reach).all()), f"{name}: far from the known values")


def check_shares_out_everything(method: Method) -> None:
    """Require that Shapley values sum to the gain of all players (efficiency), others to what their concept says."""
    for name, game in ORACLES.items():
        valuation = _value(method, game)
        reach = 0.0 if valuation.concept == "shapley" else float((valuation.high - valuation.low).sum())
        missing = abs(float(valuation.values.sum() - _known(game, valuation).sum()))
        require(missing <= reach + _SLACK, f"{name}: shares out another sum")


def check_nothing_for_null_players(method: Method) -> None:
    """Require that a player that never changes anything is worth nothing, without doubt."""
    valuation = _value(method, Square((2.0, 0.0, 1.0)))
    numbers = np.array([valuation.values[1], valuation.low[1], valuation.high[1]])
    require(float(np.abs(numbers).max()) <= _SLACK, "a null player has a value")


def check_alike_players_alike(method: Method) -> None:
    """Require that interchangeable players get values whose intervals meet."""
    valuation = _value(method, Majority(6))
    require(float(valuation.low.max()) <= float(valuation.high.min()) + _SLACK, "alike players differ")


def check_names_do_not_matter(method: Method) -> None:
    """Require that reordering the players reorders an additive game's values and nothing else."""
    forward = _value(method, Additive((1.0, 2.0, -3.0))).values
    backward = _value(method, Additive((-3.0, 2.0, 1.0))).values
    require(bool(np.allclose(forward, backward[::-1], atol=_SLACK)), "the order of the players shows")


def check_same_seed_same_values(method: Method) -> None:
    """Require that the answer depends on the game and the generator, and on nothing else."""
    first, second = _value(method, Glove(5)), _value(method, Glove(5))
    require(first.values.tobytes() == second.values.tobytes(), "not reproducible")


def check_interval_holds_the_value(method: Method) -> None:
    """Require that every value lies within its interval."""
    for game in ORACLES.values():
        valuation = _value(method, game)
        inside = (valuation.low <= valuation.values) & (valuation.values <= valuation.high)
        require(bool(inside.all()), "a value lies outside its interval")


@dataclass
class _Counting:
    """A game that remembers the coalitions it was asked about."""

    game: Game
    seen: int = 0

    def __call__(self, coalitions: Masks) -> Vector:
        self.seen += len(coalitions)
        return self.game(coalitions)


def check_counts_evaluations(method: Method) -> None:
    """Require that the number of evaluations reported is the number made, and never above the budget."""
    budget, counting = 64, _Counting(Majority(6))
    valuation = method(counting, _names(6), rng=np.random.default_rng(_SEED), budget=budget)
    require(valuation.evaluations == counting.seen, "evaluations are miscounted")
    require(counting.seen <= budget, "over budget")


def check_tiny_budget_refused(method: Method) -> None:
    """Require that a budget that cannot give an answer is refused rather than stretched."""
    refused(lambda: _value(method, Majority(6), budget=1), "E-VALUE-BUDGET")


def check_no_players_refused(method: Method) -> None:
    """Require that no player, or one twice, is refused."""
    rng = np.random.default_rng(_SEED)
    refused(lambda: method(Majority(2), [], rng=rng), "E-VALUE-PLAYERS")
    refused(lambda: method(Majority(2), ["a", "a"], rng=rng), "E-VALUE-PLAYERS")


METHOD_SUITE: Suite[Method] = Suite(
    "valuation method",
    (
        check_meets_the_oracles,
        check_shares_out_everything,
        check_nothing_for_null_players,
        check_alike_players_alike,
        check_names_do_not_matter,
        check_same_seed_same_values,
        check_interval_holds_the_value,
        check_counts_evaluations,
        check_tiny_budget_refused,
        check_no_players_refused,
    ),
)
