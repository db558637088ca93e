"""A source that goes and comes back is recognised by what it says, whenever one asks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.evolution import Recurring, Turn
from headwater.statistics import Gram, on_grid

GRAM = Gram(4)
LAWS = np.random.default_rng(4).normal(size=(3, 4))


def answers(laws, *, seed=0, records=40):
    """Return one answer a month, the law of each by its number."""
    rng, found = np.random.default_rng(seed), []
    for month, law in enumerate(laws):
        x = rng.normal(size=(records, 4))
        found.append(
            (float(month), GRAM.statistic(on_grid(x), on_grid(x @ LAWS[law] + 0.5 * rng.normal(size=records))))
        )
    return found


def told(said):
    recurring = Recurring(GRAM)
    return [recurring.turn("a", said[:count]) for count in range(1, len(said) + 1)]


def back(turns):
    return [turn and turn.regime for turn in turns]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_back_is_told_for_as_long_as_a_change_reaches(seed):
    said = answers([0] * 8 + [1] * 5 + [0] * 12, seed=seed)
    assert back(told(said)) == [None] * 13 + [0] * 8 + [None] * 4
    assert {turn.since for turn in told(said)[13:] if turn} == {13.0}


@pytest.mark.parametrize("laws", [[0] * 20, [0] * 10 + [1] * 10, [0] * 6 + [1] * 6 + [2] * 6])
def test_nothing_is_back_where_nothing_returned(laws):
    assert set(back(told(answers(laws)))) == {None}


@pytest.mark.parametrize("seed", range(5))
def test_what_is_new_is_told_since_its_first_answer_for_as_long_as_a_change_reaches(seed):
    found = told(answers([0] * 10 + [1] * 12, seed=seed))
    assert found == [None] * 10 + [Turn(10.0)] * 8 + [None] * 4


def test_the_answers_of_a_regime_are_those_that_were_said_under_it():
    said, recurring = answers([0] * 6 + [1] * 5 + [0] * 3), Recurring(GRAM)
    assert recurring.times("a", 0, said) == {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 11.0, 12.0, 13.0}
    assert recurring.times("a", 1, said) == {6.0, 7.0, 8.0, 9.0, 10.0}


def test_one_source_says_nothing_about_another():
    said, recurring = answers([0] * 8 + [1] * 5 + [0] * 2), Recurring(GRAM)
    assert recurring.turn("b", answers([1] * 15)) is None
    assert recurring.turn("a", said) == Turn(13.0, 0)


@settings(max_examples=15)
@given(
    laws=st.lists(st.integers(0, 2), min_size=3, max_size=18),
    asked=st.sets(st.integers(1, 18)),
)
def test_when_one_asks_makes_no_difference(laws, asked):
    said, recurring = answers(laws), Recurring(GRAM)
    for count in sorted(count for count in asked if count < len(said)):
        recurring.turn("a", said[:count])
    assert recurring.turn("a", said) == Recurring(GRAM).turn("a", said)
