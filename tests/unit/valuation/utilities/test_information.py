"""Information grows with records, shrinks with noise, and returns diminish."""

from itertools import product

import numpy as np

from headwater.statistics import Gram, on_grid
from headwater.valuation import exact
from headwater.valuation.utilities import LogDeterminant

GRAM = Gram(4)


def part(count: int, seed: int, *, noise: float = 1.0, sign: float = 1.0):
    rng = np.random.default_rng(seed)
    x = on_grid(rng.normal(size=(count, 4)))
    x[:, 0] = 1.0
    return GRAM.statistic(x, on_grid(sign * x.sum(axis=1) + noise * rng.normal(size=count)))


SOURCES = {
    "small": part(10, 1),
    "large": part(100, 2),
    "noisy": part(100, 3, noise=9.0),
    "turned": part(100, 4, sign=-1.0),
}
GAME = LogDeterminant(part(30, 0), SOURCES, GRAM, 1.0)
COALITIONS = np.array(list(product([False, True], repeat=4)))


def test_equals_the_gain_in_entropy_of_the_coefficients():
    game = LogDeterminant(part(30, 0), {"alike": part(30, 0)}, GRAM, 2.0)
    own = GRAM.moments(part(30, 0)).xx
    shrunk = own + 2.0 * np.eye(4)
    expected = 0.5 * np.log(np.linalg.det(shrunk + own) / np.linalg.det(shrunk))
    assert abs(float(game(np.array([[True]]))[0]) - expected) < 1e-12


def test_noise_and_other_relations_inform_less():
    found = exact(GAME, GAME.players, rng=np.random.default_rng(0))
    assert found.ranked()[0] == "large"
    assert min(found.values) > 0
    assert found.of("noisy") < found.of("small")
    assert found.of("turned") < found.of("large")


def test_more_never_informs_less_and_returns_diminish():
    table = {tuple(row): gain for row, gain in zip(COALITIONS.tolist(), GAME(COALITIONS).tolist(), strict=True)}
    assert table[(False,) * 4] == 0.0
    for coalition in table:
        for player in range(4):
            for other in set(range(4)) - {player}:
                if not (coalition[player] or coalition[other]):
                    one, two = list(coalition), list(coalition)
                    one[player], two[other] = True, True
                    both = list(one)
                    both[other] = True
                    alone = table[tuple(one)] - table[coalition]
                    assert alone >= table[tuple(both)] - table[tuple(two)] - 1e-12
                    assert alone >= 0
