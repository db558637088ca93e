"""Banzhaf values: exact where all coalitions are seen, covered by their intervals where not."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation.games import ORACLES, Additive, Airport, Glove, Square
from headwater.valuation.methods import banzhaf


def names(size: int) -> list[str]:
    return [f"h{place}" for place in range(size)]


@pytest.mark.parametrize("name", ORACLES)
def test_equals_the_closed_form(name):
    game = ORACLES[name]
    found = banzhaf(game, names(game.size), rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, game.banzhaf(), atol=1e-12)
    np.testing.assert_array_equal(found.low, found.high)
    assert (found.evaluations, found.concept) == (2**game.size, "banzhaf")


def test_intervals_cover_as_often_as_they_say():
    costs = (1.0, 2.0, 3.0, 5.0, 8.0, 9.0, 4.0, 6.0)
    game, covered, trials = Airport(costs), 0, 200
    for seed in range(trials):
        found = banzhaf(game, names(8), rng=np.random.default_rng(seed), budget=100)
        covered += int(((found.low <= game.banzhaf()) & (game.banzhaf() <= found.high)).sum())
        assert found.evaluations == 100
    assert 0.90 <= covered / (8 * trials) <= 0.99


@pytest.mark.parametrize("game", [Additive(tuple(np.linspace(-1, 2, 40))), Square(tuple(np.linspace(-1, 2, 40)))])
def test_a_few_pairs_are_exact_where_interactions_are_pairwise(game):
    found = banzhaf(game, names(40), rng=np.random.default_rng(0), budget=100)
    np.testing.assert_allclose(found.values, game.banzhaf(), atol=1e-9)


def test_more_budget_narrows_the_interval():
    widths = []
    for budget in (200, 20_000):
        found = banzhaf(Glove(24), names(24), rng=np.random.default_rng(1), budget=budget)
        widths.append(float((found.high - found.low).mean()))
    assert widths[1] < widths[0] / 5


def test_fewer_pairs_than_players_are_refused():
    with pytest.raises(Refusal, match="E-VALUE-BUDGET"):
        banzhaf(Glove(24), names(24), rng=np.random.default_rng(0), budget=51)
    assert banzhaf(Glove(24), names(24), rng=np.random.default_rng(0), budget=52).evaluations == 52
