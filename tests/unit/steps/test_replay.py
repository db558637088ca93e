"""The replay of months on a region in which one source turns bad and one falls silent."""

import dataclasses
from datetime import date

import numpy as np
import pytest

from headwater.adapters import features, lake
from headwater.evolution import Policy
from headwater.statistics import Statistic
from headwater.steps.replay import History, follow
from headwater.steps.value import ridge_of


@pytest.fixture(scope="module")
def history(region_home):
    learner = ridge_of(region_home, "stay_cost")
    with lake.connect(region_home) as connection:
        snapshot = lake.snapshot(connection)
        return History.ask(features.read(connection, learner, snapshot=snapshot, region="演", min_stays=50), learner)


@pytest.fixture(scope="module")
def states(history):
    return list(follow(history, seed=3, policy=Policy()))


def test_the_grown_model_equals_a_refit_from_the_records_bit_for_bit(history, states):
    for state in states:
        assert history.refit(state) == state.growth.total
        assert set(state.growth.members) == state.tick.active
        assert np.array_equal(state.coefficients["evolving"], history.learner.solve(history.refit(state)))


def test_a_delivery_of_no_positive_value_never_enters_the_model(states):
    for state in states:
        for source in state.growth.members:
            entered = state.memory[source]
            worth = {s.tick.month: s.tick.values[source] for s in states}
            assert all(worth[month] > 0 for month in entered if month in worth)


def test_windows_follow_the_length_and_the_size_of_the_data(history):
    assert (history.window, history.span, history.memory) == (4, 2, 24)
    assert dataclasses.replace(history, months=history.months[:4]).window == 1
    assert history.delivered("H06", date(2025, 1, 1), last=2) == (date(2024, 8, 1), date(2025, 1, 1))
    whole = Statistic.total(history.train.values())
    assert history.own(history.train, history.months[-1]) == whole


def test_what_was_known_in_a_month_does_not_depend_on_later_months(history, states):
    cut = history.months[10]
    first = history.months[0]

    def forged(known):
        return {month: known[first] if month >= cut else content for month, content in known.items()}

    changed = {name: forged(getattr(history, name)) for name in ("said", "train", "valid", "unseen")}
    others = list(follow(dataclasses.replace(history, **changed), seed=3, policy=Policy()))
    before = [state for state in states if state.tick.month < cut]
    assert len(before) == 7
    for state, other in zip(before, others, strict=False):
        assert state.tick == other.tick
        assert state.growth.total == other.growth.total
    assert states[-1].tick.values != others[-1].tick.values


def test_the_error_of_the_next_month_is_that_of_its_records(history, states):
    state, following = states[2], states[3].tick.month
    gram = history.learner.gram
    expected = np.sqrt(gram.loss(history.unseen[following], state.coefficients["evolving"]))
    assert state.errors["evolving"] == pytest.approx(expected, abs=1e-12)
    assert states[-1].errors == {}
    assert all(np.array_equal(s.coefficients["static"], states[0].coefficients["evolving"]) for s in states)
