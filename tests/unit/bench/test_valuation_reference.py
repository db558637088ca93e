"""The reference of very many sources meets known values, and is computed once."""

import numpy as np
import pytest

from headwater.bench.valuation_reference import cached, reference
from headwater.bench.valuation_scale import ridge_game
from headwater.valuation.games import Airport


def _marginals(game):
    def of(coalitions):
        flips = np.eye(game.size, dtype=bool)
        joined, left = coalitions[:, None] | flips, coalitions[:, None] & ~flips
        gained = game(joined.reshape(-1, game.size)) - game(left.reshape(-1, game.size))
        return gained.reshape(len(coalitions), game.size)

    return of


def test_meets_known_values():
    game = Airport((1.0, 1.0, 2.0, 5.0, 8.0, 3.0, 4.0))
    found = reference(_marginals(game), game.size, permutations=960, rng=np.random.default_rng(0))
    assert found.values == pytest.approx(game.shapley(), abs=0.15)
    assert found.reliability > 0.9


def test_meets_the_values_beyond_the_hundredth_position():
    """Late positions are looked at in one order of eight, and weigh eight times as much: an additive game tells."""
    weights = np.linspace(-1, 2, 240)
    found = reference(
        lambda masks: np.tile(weights, (len(masks), 1)), 240, permutations=640, rng=np.random.default_rng(0)
    )
    assert found.values == pytest.approx(weights, abs=0.35)
    assert np.polyfit(weights, found.values, 1)[0] == pytest.approx(1, abs=0.03)


def test_a_number_of_orders_that_would_be_biased_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        reference(lambda masks: masks * 1.0, 3, permutations=100, rng=np.random.default_rng(0))


def test_is_computed_once(tmp_path):
    game, computed = Airport((1.0, 2.0, 3.0)), []

    def compute():
        computed.append(1)
        return reference(_marginals(game), 3, permutations=32, rng=np.random.default_rng(0))

    first, second = (cached(b"one game", compute, folder=tmp_path) for _ in range(2))
    assert len(computed) == 1
    assert (second.values == first.values).all()
    assert (second.reliability, second.permutations, second.seconds) == (
        first.reliability,
        first.permutations,
        first.seconds,
    )


def test_the_game_is_frozen():
    game = ridge_game(6, 0)
    assert game.sources["h000000"].digest == ridge_game(6, 0).sources["h000000"].digest
    assert game.sources["h000000"] != ridge_game(6, 1).sources["h000000"]
