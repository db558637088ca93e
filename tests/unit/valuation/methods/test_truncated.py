"""Orders that are left early cost less and keep what they share out."""

from dataclasses import dataclass

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation.games import Airport, Glove, Unanimity
from headwater.valuation.methods import truncated


def names(size: int) -> list[str]:
    return [f"h{place}" for place in range(size)]


@dataclass(frozen=True)
class Tolerant:
    """A game that says how little is too little."""

    game: Airport
    tolerance: float

    def __call__(self, coalitions):
        return self.game(coalitions)


GAME = Airport((1.0, 2.0, 3.0, 5.0, 8.0, 9.0))


def test_intervals_cover_as_often_as_they_say():
    covered, trials = 0, 200
    for seed in range(trials):
        found = truncated(GAME, names(6), rng=np.random.default_rng(seed))
        covered += int(((found.low <= GAME.shapley()) & (GAME.shapley() <= found.high)).sum())
    assert 0.90 <= covered / (6 * trials) <= 0.99


def test_truncation_spares_evaluations_and_misses_no_more_than_its_tolerance():
    rare = [truncated(Tolerant(GAME, t), names(6), rng=np.random.default_rng(0), budget=130) for t in (0.0, 1.0)]
    assert rare[1].evaluations < rare[0].evaluations
    assert rare[0].values.sum() == pytest.approx(9.0)
    assert abs(rare[1].values.sum() - 9.0) <= 1.0


def test_nothing_to_gain_is_nothing_to_walk_for():
    found = truncated(Tolerant(GAME, 10.0), names(6), rng=np.random.default_rng(0))
    assert found.evaluations == 2
    np.testing.assert_array_equal(found.values, 0.0)


def test_everyone_leads_once_a_block():
    seen = []

    def game(coalitions):
        seen.extend(coalitions[coalitions.sum(axis=1) == 1])
        return Unanimity(5, 5)(coalitions)

    truncated(game, names(5), rng=np.random.default_rng(0), budget=42)
    assert len({row.tobytes() for row in seen}) == 5


def test_one_player_and_the_smallest_budget():
    assert truncated(Airport((3.0,)), ["h"], rng=np.random.default_rng(0)).values.tolist() == [3.0]
    with pytest.raises(Refusal, match="E-VALUE-BUDGET"):
        truncated(Glove(5), names(5), rng=np.random.default_rng(0), budget=41)
