"""What a chosen source costs, and how sure a target could be of it, in closed form: held against records drawn."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.bench.valuation_selection import federation, harm, population_r2

DRAWN = 200_000


@pytest.fixture(scope="module")
def made():
    return federation(np.random.default_rng(5), sources=8, rows=300, signal=0.4)


def squared_errors(made, inside, x, y):
    system = made.game.systems[0] + made.game.systems[1:][inside].sum(axis=0)
    return (y - x @ np.linalg.solve(system[:, :-1], system[:, -1])) ** 2


@pytest.mark.parametrize("place", [0, 3, 7])
def test_the_cost_and_its_interval_are_those_of_records(made, place):
    inside, without = np.ones(8, dtype=bool), np.arange(8) != place
    cost, reach = harm(made, inside, place)
    assert cost == pytest.approx(population_r2(made, without) - population_r2(made, inside), abs=1e-12)
    rng = np.random.default_rng(place)
    x = rng.normal(size=(DRAWN, len(made.beta)))
    x[:, 0] = 1.0
    y = x @ made.beta + np.sqrt(made.noise) * rng.normal(size=DRAWN)
    lost = squared_errors(made, inside, x, y) - squared_errors(made, without, x, y)
    scale = np.var(y)
    assert cost == pytest.approx(lost.mean() / scale, abs=4 * lost.std() / scale / np.sqrt(DRAWN))
    assert reach == pytest.approx(1.96 * lost.std() / scale / np.sqrt(made.rows), rel=0.05)


def test_four_times_the_records_know_twice_as_well(made):
    inside = np.ones(8, dtype=bool)
    assert harm(replace(made, rows=4 * made.rows), inside, 0)[1] == pytest.approx(harm(made, inside, 0)[1] / 2)


def test_whose_labels_are_turned_harms_beyond_its_interval():
    made = federation(np.random.default_rng(0), sources=12, rows=600, signal=0.6, bad=0.0)
    system = made.game.systems.copy()
    system[1, :, -1] *= -1
    object.__setattr__(made.game, "_parts", system.reshape(len(system), -1))
    cost, reach = harm(made, np.arange(12) < 3, 0)
    assert cost > reach
