"""Valuations are complete, ranked, and choose their method by size."""

import numpy as np
import pytest

from headwater.errors import Refusal
from headwater.valuation import METHODS, Valuation, choose
from headwater.valuation.valuation import require_players


def make(values) -> Valuation:
    numbers = np.array(values, dtype=float)
    names = tuple(f"h{place}" for place in range(len(values)))
    return Valuation(names, numbers, numbers - 0.1, numbers + 0.1, 8, "exact")


def test_ranked_by_value_then_name():
    assert make([0.1, 0.3, 0.1, -1.0]).ranked() == ("h1", "h0", "h2", "h3")
    assert make([0.1, 0.3]).of("h1") == 0.3


def test_of_a_stranger_is_an_error():
    with pytest.raises(ValueError, match="not in"):
        make([0.1]).of("h9")


def test_one_number_per_player():
    with pytest.raises(ValueError, match="one number per player"):
        Valuation(("a", "b"), np.zeros(1), np.zeros(2), np.zeros(2), 1, "exact")


@pytest.mark.parametrize(("players", "method"), [(1, "exact"), (15, "exact"), (16, "mean_field"), (5000, "mean_field")])
def test_choice(players, method):
    assert choose(players) == method
    assert method in METHODS


@pytest.mark.parametrize("players", [[], ["a", "b", "a"]])
def test_players_are_distinct(players):
    with pytest.raises(Refusal, match="E-VALUE-PLAYERS"):
        require_players(players)
