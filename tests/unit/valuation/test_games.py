"""The oracles' closed forms agree with brute force over all orders of arrival."""

from itertools import permutations

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


@pytest.mark.parametrize("name", ORACLES)
def test_closed_form(name):
    np.testing.assert_allclose(ORACLES[name].shapley(), by_orders(ORACLES[name]), atol=1e-12)


weights = st.lists(st.floats(-5, 5), min_size=1, max_size=5).map(tuple)
costs = st.lists(st.floats(0, 5), min_size=1, max_size=5).map(tuple)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(weights, costs, st.integers(2, 5), st.integers(1, 5))
def test_closed_forms_of_any_size(some_weights, some_costs, size, carriers):
    games = [Additive(some_weights), Square(some_weights), Airport(some_costs), Glove(size), Majority(size)]
    for game in (*games, Unanimity(max(size, carriers), carriers)):
        np.testing.assert_allclose(game.shapley(), by_orders(game), atol=1e-9)
