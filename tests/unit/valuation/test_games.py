"""The oracles' closed forms agree with brute force over all orders of arrival."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.valuation.games import ORACLES, Additive, Airport, Glove, Majority, Square, Unanimity


def by_orders(game) -> np.ndarray:
    orders = list(permutations(range(game.size)))
    values = np.zeros(game.size)
    for order in orders:
        inside = np.zeros((game.size + 1, game.size), dtype=bool)
        for place, player in enumerate(order):
            inside[place + 1 :, player] = True
        values[list(order)] += np.diff(game(inside))
    return values / len(orders)


def by_coalitions(game) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean marginals over all coalitions of the others, and those to all of the others."""
    coalitions = np.array(list(product([False, True], repeat=game.size)))
    utilities = {tuple(coalition): utility for coalition, utility in zip(coalitions, game(coalitions), strict=True)}
    mean, last = np.zeros(game.size), np.zeros(game.size)
    for player in range(game.size):
        gains = [
            utilities[(*others[:player], True, *others[player:])]
            - utilities[(*others[:player], False, *others[player:])]
            for others in product([False, True], repeat=game.size - 1)
        ]
        mean[player], last[player] = np.mean(gains), gains[-1]
    return mean, last


def assert_closed_forms(game, atol):
    np.testing.assert_allclose(game.shapley(), by_orders(game), atol=atol)
    mean, last = by_coalitions(game)
    np.testing.assert_allclose(game.banzhaf(), mean, atol=atol)
    np.testing.assert_allclose(game.leave_one_out(), last, atol=atol)


@pytest.mark.parametrize("name", ORACLES)
def test_closed_form(name):
    assert_closed_forms(ORACLES[name], 1e-12)


weights = st.lists(st.floats(-5, 5), min_size=1, max_size=5).map(tuple)
costs = st.lists(st.floats(0, 5), min_size=1, max_size=5).map(tuple)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(weights, costs, st.integers(2, 5), st.integers(1, 5))
def test_closed_forms_of_any_size(some_weights, some_costs, size, carriers):
    games = [Additive(some_weights), Square(some_weights), Airport(some_costs), Glove(size), Majority(size)]
    for game in (*games, Unanimity(max(size, carriers), carriers)):
        assert_closed_forms(game, 1e-9)
