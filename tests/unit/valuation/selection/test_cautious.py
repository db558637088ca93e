"""A target of few records chooses sources that help its population, not its sample."""

import numpy as np
import pytest

from headwater.bench.valuation_selection import federation, population_r2
from headwater.valuation import cautious, select
from headwater.valuation.selection import Problem, guided

ROWS = 200


@pytest.fixture(scope="module")
def made():
    return federation(np.random.default_rng(11), sources=1_500, rows=ROWS, signal=0.1)


def inside_of(made, selection):
    return np.isin(made.game.players, selection.chosen)


def test_held_out_the_choice_is_better_than_all_and_the_hasty_one_is_not(made):
    """The second half is the guard's broken twin: the same choice by the validation records alone falls behind."""
    careful = select(cautious(made.game), made.game.players, budget=60, rng=np.random.default_rng(0))
    hasty = select(made.game, made.game.players, budget=60, rng=np.random.default_rng(0))
    everyone = population_r2(made, np.ones(1_500, dtype=bool))
    assert population_r2(made, inside_of(made, careful)) > everyone
    assert population_r2(made, inside_of(made, hasty)) < everyone
    assert careful.algorithm == "guided"
    assert 0.8 < careful.share <= 1.0
    assert not careful.certificate.conditional


def test_who_has_another_relation_is_named(made):
    game = cautious(made.game)
    assert (made.bad & ~game.allowed).sum() > 0.8 * made.bad.sum()
    assert (~made.bad & ~game.allowed).sum() < 0.2 * (~made.bad).sum()
    selection = select(game, made.game.players, budget=60, rng=np.random.default_rng(0))
    barred = made.game.players[int(np.flatnonzero(~game.allowed)[0])]
    assert "differs from the target's" in selection.reasons[barred].en


def test_a_target_of_many_records_judges_for_itself():
    rng = np.random.default_rng(3)
    lone = federation(rng, sources=20, rows=20_000, signal=0.5, bad=1.0)
    few = federation(rng, sources=20, rows=ROWS, signal=0.5, bad=0.0)
    assert cautious(lone.game).weight > 0.9
    assert cautious(few.game).weight < 0.2
    assert not cautious(lone.game).allowed.any()


def test_additions_slopes_and_parts_agree_with_utilities(made):
    game = cautious(made.game)
    inside = np.zeros(1_500, dtype=bool)
    inside[::50] = True
    places = np.array([1, 2, 77])
    more = np.repeat(inside[None], 3, axis=0)
    more[np.arange(3), places] = True
    np.testing.assert_allclose(game.additions(inside, places), game(more), atol=1e-12)
    weights, step = inside * 0.5, 1e-5
    base = game._gains((game._sum(weights)).ravel()[None])[0]
    for place in places:
        moved = weights.astype(float).copy()
        moved[place] += step
        slope = (game._gains((game._sum(moved)).ravel()[None])[0] - base) / step
        assert game.slopes(weights)[place] == pytest.approx(slope, rel=1e-3, abs=1e-9)
    kept = np.flatnonzero(inside)
    part = game.among(kept)
    assert part(np.ones((1, len(kept)), dtype=bool))[0] == pytest.approx(game(inside[None])[0])
    assert game(np.zeros((1, 1_500), dtype=bool))[0] == pytest.approx(0.0)
    assert game(more).max() <= game.ceiling


def test_guided_choice_is_as_good_as_trying_everyone():
    made = federation(np.random.default_rng(5), sources=150, rows=ROWS, signal=0.3)
    game = cautious(made.game)
    problem = Problem.of(game, made.game.players, 10)
    from headwater.valuation.selection import greedy

    assert problem.utility(guided(problem)) >= 0.98 * problem.utility(greedy(problem))
