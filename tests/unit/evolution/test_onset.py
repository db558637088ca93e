"""Where a change lies."""

import numpy as np
import pytest

from headwater.evolution.onset import values_since


@pytest.mark.parametrize("since", [1, 3, 20])
def test_a_clear_step_is_placed_exactly(since):
    values = np.random.default_rng(1).normal(size=80)
    values[-since:] += 8.0
    assert values_since(values, most=100) == since


def test_it_looks_no_further_back_than_allowed():
    values = np.concatenate([np.zeros(50), np.ones(30)]) + 1e-3 * (np.arange(80) % 2)
    assert values_since(values, most=100) == 30
    assert values_since(values, most=20) <= 20


def test_equal_values_are_placed_too():
    assert values_since(np.array([0.1] * 12 + [0.5] * 5), most=100) == 5
    assert 1 <= values_since(np.ones(10), most=100) <= 9
