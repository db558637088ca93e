"""Values that sources give themselves are nearer to the game's own where small coalitions vary as their members do."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from headwater.bench.valuation_scale import ridge_game, ridge_tables
from headwater.federation import InProcess
from headwater.valuation import METHODS, Approach, value
from headwater.valuation.averaging import _Coalitions
from headwater.valuation.utilities import Sums

SOURCES, SEEDS = 50, range(5, 9)


def by_sums(seed):
    target, tables = ridge_tables(SOURCES, seed)
    rng = np.random.default_rng(seed)
    return value(InProcess.of(tables), target, method=Approach(Sums()), rng=rng).values


def by_game(seed):
    game = ridge_game(SOURCES, seed)
    return METHODS["mean_field"](game, game.players, rng=np.random.default_rng(seed), budget=80_000).values


def test_scaled_cohorts_vary_more_nearly_as_their_members_do(monkeypatch):
    truths = [by_game(seed) for seed in SEEDS]

    def misses():
        pairs = zip(SEEDS, truths, strict=True)
        return np.array([1 - spearmanr(by_sums(seed), truth).statistic for seed, truth in pairs])

    lifted = misses()
    monkeypatch.setattr(_Coalitions, "lift", property(lambda self: np.ones(int(self.scaled.sum()))))
    assert lifted.mean() < 0.9 * misses().mean()
    assert lifted.max() < 0.03


def test_a_cohort_scaled_down_is_lifted_by_the_root_of_its_size():
    weights = np.array([[1.0, 0.0], [0.2, 0.0], [0.0, 3 / 6]])
    coalitions = _Coalitions(weights, np.zeros((3, 1)), weights @ [5.0, 6.0], np.array([False, True, True]))
    assert coalitions.lift == pytest.approx([np.sqrt(5 / 1), np.sqrt(6 / 3)])
