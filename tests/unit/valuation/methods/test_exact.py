"""Exact Shapley values: to rounding, quickly, and no larger than promised."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headwater.errors import Refusal
from headwater.statistics import Gram, on_grid
from headwater.valuation import GramUtility, exact
from headwater.valuation.games import ORACLES, Majority, Square
from headwater.valuation.methods.exact import shapley_of_table

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ORACLES)
def test_equals_the_closed_form(name):
    game = ORACLES[name]
    valuation = exact(game, [str(place) for place in range(game.size)], rng=RNG)
    np.testing.assert_allclose(valuation.values, game.shapley(), atol=1e-12)
    np.testing.assert_array_equal(valuation.low, valuation.high)
    assert (valuation.evaluations, valuation.method) == (2**game.size, "exact")


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 6).flatmap(lambda n: arrays(np.float64, 2**n, elements=st.floats(-10, 10))))
def test_any_table_is_shared_out_linearly(table):
    values = shapley_of_table(table)
    assert values.sum() == pytest.approx(table[-1] - table[0], abs=1e-9)
    np.testing.assert_allclose(shapley_of_table(3 * table + 1), 3 * values, atol=1e-9)


def test_more_coalitions_than_one_chunk():
    game = Square(tuple(np.linspace(-1, 2, 16)))
    np.testing.assert_allclose(exact(game, [str(p) for p in range(16)], rng=RNG).values, game.shapley(), atol=1e-9)


@pytest.mark.parametrize(("players", "budget", "code"), [(21, None, "E-VALUE-EXACT"), (6, 63, "E-VALUE-BUDGET")])
def test_what_takes_too_long_is_refused(players, budget, code):
    with pytest.raises(Refusal) as caught:
        exact(Majority(players), [str(p) for p in range(players)], rng=RNG, budget=budget)
    assert caught.value.code == code


@pytest.mark.parametrize("players", [10, 13])
def test_a_coalition_costs_little_more_than_its_equations(players):
    gram, rng = Gram(60), np.random.default_rng(1)

    def part(count):
        x = on_grid(rng.normal(size=(count, 60)))
        x[:, 0] = 1.0
        return gram.statistic(x, on_grid(x.sum(axis=1) + 9 * rng.normal(size=count)))

    sources = {f"h{place}": part(200) for place in range(players)}
    game = GramUtility(part(80), sources, part(300), gram, 1.0)
    seconds, alone, system = [], [], np.eye(60) + 1.0
    for _ in range(3):
        start = time.process_time()
        valuation = exact(game, game.players, rng=RNG)
        seconds.append(time.process_time() - start)
        start = time.process_time()
        for _ in range(1_024):
            np.linalg.solve(system, system[0])
        alone.append((time.process_time() - start) * 2**players / 1_024)
    assert min(seconds) < 4 * min(alone)
    everyone = np.ones((1, players), dtype=bool)
    assert valuation.values.sum() == pytest.approx(float(game(everyone)[0]), abs=1e-9)
