"""Everyone's marginal at a few coalitions: unbiased, efficient, and the same where marginals are known at once."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.statistics import Gram
from headwater.valuation import METHODS, GramUtility
from headwater.valuation.games import Airport, Square

MEAN_FIELD = METHODS["mean_field"]


def _value(game, size, **options):
    names = [f"h{place:03d}" for place in range(size)]
    return MEAN_FIELD(game, names, rng=np.random.default_rng(options.pop("seed", 0)), **options)


def test_estimates_scatter_about_the_known_values():
    game = Airport((1.0, 1.0, 2.0, 5.0, 8.0, 3.0))
    found = np.array([_value(game, 6, seed=seed, budget=300).values for seed in range(60)])
    error = found.mean(axis=0) - game.shapley()
    assert (np.abs(error) <= 4 * found.std(axis=0, ddof=1) / np.sqrt(60) + 1e-12).all()


def test_a_game_that_knows_its_marginals_is_valued_alike():
    rng, gram = np.random.default_rng(3), Gram(3)

    def statistic(rows, noise=1.0):
        x = rng.normal(size=(rows, 3))
        x[:, 0] = 1
        return gram.statistic(x, x @ [1.0, 0.5, -0.5] + noise * rng.normal(size=rows))

    sources = {f"h{place:03d}": statistic(20, 1 + place % 3) for place in range(12)}
    game = GramUtility(statistic(10), sources, statistic(200), gram, 1.0)
    assert _value(game, 12).values == pytest.approx(_value(lambda masks: game(masks), 12).values, abs=1e-6)


def test_the_sum_is_a_control_variate():
    game = Square(tuple(np.linspace(0.5, 2, 40)))
    valuation = _value(game, 40, budget=1_000)
    assert valuation.values.sum() == pytest.approx(float(game(np.ones((1, 40), dtype=bool))[0]))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_few_players(size):
    game = Square(tuple(float(place + 1) for place in range(size)))
    assert _value(game, size).values == pytest.approx(game.shapley(), rel=0.2)


def test_a_budget_below_two_coalitions_a_stretch_is_refused():
    with pytest.raises(Refusal, match="E-VALUE-BUDGET"):
        _value(Square((1.0,) * 10), 10, budget=40)
