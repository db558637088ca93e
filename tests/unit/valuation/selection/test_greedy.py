"""Greedy choices take the best next source for its cost, stop before harm, and agree where returns diminish."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.valuation.games import Additive, Airport, Unanimity
from headwater.valuation.selection import Budget, Problem, greedy, lazy, stochastic


def names(size: int) -> list[str]:
    return [f"h{place}" for place in range(size)]


def problem(game, size, budget):
    return Problem.of(game, names(size), budget)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9), st.integers(1, 10))
def test_takes_the_largest_positive_weights(weights, budget):
    chosen = greedy(problem(Additive(tuple(map(float, weights))), len(weights), budget))
    best = sorted((w for w in weights if w > 0), reverse=True)[:budget]
    assert sorted(np.array(weights)[chosen], reverse=True) == best


def test_stops_when_nothing_is_added():
    assert greedy(problem(Airport((1.0, 8.0, 3.0)), 3, 3)).tolist() == [False, True, False]


def test_harmful_sources_are_left_out():
    assert not greedy(problem(Additive((-1.0, -2.0)), 2, 2)).any()


def test_complements_are_not_seen():
    assert not greedy(problem(Unanimity(3, 2), 3, 3)).any()


def test_equal_gains_go_to_the_earlier():
    chosen = greedy(problem(lambda c: np.minimum(c.sum(axis=1), 1).astype(float), 4, 4))
    assert chosen.tolist() == [True, False, False, False]


def test_costs_count():
    costs = Budget(10.0, {"h0": 10.0, "h1": 5.0, "h2": 5.0}, unit="money")
    assert greedy(problem(Additive((10.0, 7.0, 7.0)), 3, costs)).tolist() == [False, True, True]
    # One dear source can beat the best by gain per cost.
    costs = Budget(10.0, {"h0": 10.0, "h1": 1.0, "h2": 9.5}, unit="money")
    assert greedy(problem(Additive((10.0, 2.0, 1.0)), 3, costs)).tolist() == [True, False, False]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.sets(st.integers(0, 12), max_size=5), min_size=1, max_size=8), st.integers(1, 5))
def test_lazy_and_sampled_choices_cover_as_much_as_greedy(sets, budget):
    covers = np.array([[float(item in one) for item in range(13)] for one in sets])

    def covered(coalitions):
        return (coalitions.astype(float) @ covers > 0).sum(axis=1).astype(float)

    given_ = problem(covered, len(sets), budget)
    best = given_.utility(greedy(given_))
    assert given_.utility(lazy(given_)) == best
    assert given_.utility(stochastic(given_, np.random.default_rng(0))) >= (1 - 1 / np.e - 0.35) * best


def test_lazy_asks_less():
    counted = []

    def game(coalitions):
        counted.append(len(coalitions))
        return Additive(tuple(float(20 - place) for place in range(20)))(coalitions)

    lazy(problem(game, 20, 5))
    asked, counted[:] = sum(counted), []
    greedy(problem(game, 20, 5))
    assert asked < sum(counted) / 2


@pytest.mark.parametrize(
    ("players", "budget", "code"),
    [
        (["a"], 0, "E-SELECT-BUDGET"),
        (["a"], Budget(float("nan")), "E-SELECT-BUDGET"),
        (["a"], Budget(5.0, {"a": 0.0}), "E-SELECT-COST"),
        (["a"], Budget(5.0, {}), "E-SELECT-COST"),
        ([], 1, "E-VALUE-PLAYERS"),
        (["a", "a"], 1, "E-VALUE-PLAYERS"),
    ],
)
def test_refusals(players, budget, code):
    with pytest.raises(Refusal) as caught:
        Problem.of(Additive((1.0,)), players, budget)
    assert caught.value.code == code
