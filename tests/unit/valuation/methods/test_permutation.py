"""Sampled Shapley values: efficient, covered by their intervals, better with more."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation import permutation
from headwater.valuation.games import Airport, Glove, Majority, Square


def names(size: int) -> list[str]:
    return [f"h{place}" for place in range(size)]


def test_intervals_cover_as_often_as_they_say():
    game, covered, trials = Airport((1.0, 2.0, 3.0, 5.0, 8.0, 9.0)), 0, 200
    for seed in range(trials):
        valuation = permutation(game, names(6), rng=np.random.default_rng(seed), budget=6 * 64)
        covered += int(((valuation.low <= game.shapley()) & (game.shapley() <= valuation.high)).sum())
    assert 0.90 <= covered / (6 * trials) <= 0.99


def test_antithetic_pairs_are_exact_where_interactions_are_pairwise():
    game = Square((1.0, -2.0, 0.5, 3.0, 0.0))
    valuation = permutation(game, names(5), rng=np.random.default_rng(0), budget=20)
    np.testing.assert_allclose(valuation.values, game.shapley(), atol=1e-12)


def test_more_budget_narrows_the_interval():
    widths = []
    for budget in (400, 40_000):
        valuation = permutation(Glove(10), names(10), rng=np.random.default_rng(1), budget=budget)
        widths.append(float((valuation.high - valuation.low).mean()))
    assert widths[1] < widths[0] / 5


def test_repeated_coalitions_are_evaluated_once():
    seen = []

    def game(coalitions):
        seen.append(len(np.unique(coalitions, axis=0)) == len(coalitions))
        return Majority(4)(coalitions)

    valuation = permutation(game, names(4), rng=np.random.default_rng(0))
    assert all(seen)
    assert valuation.evaluations <= 2**4 * len(seen)


def test_many_players():
    weights = tuple(np.linspace(-1, 1, 300))
    valuation = permutation(Square(weights), names(300), rng=np.random.default_rng(0), budget=4 * 300)
    np.testing.assert_allclose(valuation.values, Square(weights).shapley(), atol=1e-9)


def test_chunks_do_not_change_what_is_estimated(monkeypatch):
    from headwater.valuation.methods import permutation as function

    monkeypatch.setitem(function.__globals__, "_COALITIONS_AT_ONCE", 1)
    valuation = permutation(Glove(5), names(5), rng=np.random.default_rng(3))
    assert valuation.values.sum() == pytest.approx(1.0)
    assert (np.abs(valuation.values - Glove(5).shapley()) <= valuation.high - valuation.low).all()


@pytest.mark.parametrize("budget", [0, 19])
def test_fewer_than_two_pairs_are_refused(budget):
    with pytest.raises(Refusal) as caught:
        permutation(Glove(5), names(5), rng=np.random.default_rng(0), budget=budget)
    assert caught.value.code == "E-VALUE-BUDGET"


def test_the_smallest_budget_works():
    assert permutation(Glove(5), names(5), rng=np.random.default_rng(0), budget=20).evaluations <= 20
