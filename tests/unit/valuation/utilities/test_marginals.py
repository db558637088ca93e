"""Marginals of all sources at once equal those of solving each coalition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.statistics import Gram
from headwater.valuation import GramUtility

DIM, SOURCES = 4, 7


def _game(seed, scale=1.0):
    rng, gram = np.random.default_rng(seed), Gram(DIM)

    def statistic(rows):
        x = np.round(rng.normal(size=(rows, DIM)) * [1, 1, scale, 1 / scale], 3)
        x[:, 0] = 1
        return gram.statistic(x, x @ [0.5, 1, 0.2 / scale, -1 * scale] + rng.normal(size=rows))

    sources = {f"h{place}": statistic(int(rng.integers(2, 60))) for place in range(SOURCES)}
    return GramUtility(statistic(12), sources, statistic(80), gram, 1.0)


def _solved(game, coalitions):
    flips = np.eye(SOURCES, dtype=bool)
    joined, left = coalitions[:, None] | flips, coalitions[:, None] & ~flips
    return (game(joined.reshape(-1, SOURCES)) - game(left.reshape(-1, SOURCES))).reshape(len(coalitions), SOURCES)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 8.0]))
def test_equal_those_of_solving_every_coalition(seed, scale):
    game = _game(seed, scale)
    coalitions = np.random.default_rng(seed).random((4, SOURCES)) < 0.5
    coalitions[0], coalitions[1] = False, True
    expected = _solved(game, coalitions)
    assert game.marginals(coalitions) == pytest.approx(expected, rel=2e-4, abs=2e-5 * np.abs(expected).max())


def test_a_source_without_records_adds_nothing():
    game, gram = _game(1), Gram(DIM)
    nothing = gram.statistic(np.zeros((0, DIM)), np.zeros(0))
    extended = GramUtility(game.target, {**game.sources, "empty": nothing}, game.validation, gram, 1.0)
    assert (extended.marginals(np.ones((1, SOURCES + 1), dtype=bool))[:, -1] == 0).all()
