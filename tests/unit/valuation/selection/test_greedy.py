"""Greedy selection takes the best next source and stops before harm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.valuation import greedy
from headwater.valuation.games import Additive, Airport, Unanimity


def names(size: int) -> list[str]:
    return [f"h{place}" for place in range(size)]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9), st.integers(1, 10))
def test_takes_the_largest_positive_weights(weights, budget):
    selection = greedy(Additive(tuple(map(float, weights))), names(len(weights)), budget=budget)
    best = sorted((w for w in weights if w > 0), reverse=True)[:budget]
    assert list(selection.gains) == best
    assert selection.utility == sum(best)
    assert [weights[int(name[1:])] for name in selection.chosen] == best


def test_stops_when_nothing_is_added():
    selection = greedy(Airport((1.0, 8.0, 3.0)), names(3), budget=3)
    assert selection.chosen == ("h1",)
    assert selection.utility == 8.0


def test_harmful_sources_are_left_out():
    assert greedy(Additive((-1.0, -2.0)), names(2), budget=2).chosen == ()


def test_a_start_above_nothing_counts():
    selection = greedy(lambda coalitions: 5.0 + coalitions.sum(axis=1).astype(float), names(2), budget=1)
    assert (selection.gains, selection.utility) == ((1.0,), 6.0)


def test_complements_are_not_seen():
    assert greedy(Unanimity(3, 2), names(3), budget=3).chosen == ()


def test_few_evaluations():
    counted = []

    def game(coalitions):
        counted.append(len(coalitions))
        return Additive((1.0, 2.0, 3.0, 4.0))(coalitions)

    greedy(game, names(4), budget=2)
    assert sum(counted) == 1 + 4 + 3


@pytest.mark.parametrize(("players", "budget", "code"), [(["a"], 0, "E-SELECT-BUDGET"), ([], 1, "E-VALUE-PLAYERS")])
def test_refusals(players, budget, code):
    with pytest.raises(Refusal) as caught:
        greedy(Additive((1.0,)), players, budget=budget)
    assert caught.value.code == code


def test_equal_gains_go_to_the_earlier():
    assert greedy(lambda c: np.minimum(c.sum(axis=1), 1).astype(float), names(4), budget=4).chosen == ("h0",)
