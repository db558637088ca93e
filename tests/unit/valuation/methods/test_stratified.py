"""Shapley values on circles: everyone meets every size equally often."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation.games import Airport, Glove, Majority, Square
from headwater.valuation.methods import permutation, stratified


def names(size: int) -> list[str]:
    return [f"h{place}" for place in range(size)]


def test_intervals_cover_as_often_as_they_say():
    game, covered, trials = Airport((1.0, 2.0, 3.0, 5.0, 8.0, 9.0)), 0, 200
    for seed in range(trials):
        found = stratified(game, names(6), rng=np.random.default_rng(seed), budget=12 * 32)
        covered += int(((found.low <= game.shapley()) & (game.shapley() <= found.high)).sum())
    assert 0.90 <= covered / (6 * trials) <= 0.99


def test_games_of_sizes_alone_are_solved_by_any_circles():
    found = stratified(Majority(9), names(9), rng=np.random.default_rng(0), budget=2 * 74)
    np.testing.assert_allclose(found.values, Majority(9).shapley(), atol=1e-12)
    np.testing.assert_allclose(found.low, found.high, atol=1e-12)


def test_errors_are_smaller_than_those_of_as_many_free_orders():
    game = Airport(tuple(np.linspace(1, 5, 12) ** 2))
    budget, errors = 134 * 4, {stratified: 0.0, permutation: 0.0}
    for seed in range(30):
        for method in errors:
            found = method(game, names(12), rng=np.random.default_rng(seed), budget=budget)
            errors[method] += float(((found.values - game.shapley()) ** 2).sum())
    assert errors[stratified] < errors[permutation]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_few_players(size):
    game = Square((2.0, -1.0, 0.5)[:size])
    found = stratified(game, names(size), rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, game.shapley(), atol=1e-12)


def test_chunks_do_not_show(monkeypatch):
    whole = stratified(Glove(7), names(7), rng=np.random.default_rng(0)).values
    monkeypatch.setitem(stratified.__globals__, "_AT_ONCE", 5)
    np.testing.assert_array_equal(stratified(Glove(7), names(7), rng=np.random.default_rng(0)).values, whole)


def test_below_two_circles_is_refused():
    with pytest.raises(Refusal, match="E-VALUE-BUDGET"):
        stratified(Glove(5), names(5), rng=np.random.default_rng(0), budget=43)
    assert stratified(Glove(5), names(5), rng=np.random.default_rng(0), budget=44).evaluations == 44
