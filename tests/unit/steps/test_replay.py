"""The replay of months on a region in which one source turns bad and one falls silent."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.adapters.features import DataSeen, Region, Target
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.evolution import Budgets
from headwater.federation import TableSource
from headwater.statistics import Statistic
from headwater.steps.evolve import policy_of, watch_of
from headwater.steps.history import History
from headwater.steps.replay import best_weight, follow, refit, weighted


def region_of(table: pa.Table) -> Region:
    """Return what the platform reads of a feature mart."""

    def part(name: str) -> pa.Table:
        return table.filter(pc.equal(table["split"], name))

    theirs = part("source")
    names = sorted(set(theirs["hospital"].to_pylist()))
    sources = tuple(TableSource(name, theirs.filter(pc.equal(theirs["hospital"], name))) for name in names)
    return Region(
        name="r",
        currency="CNY",
        origins=("synthetic",),
        data=DataSeen("marts.feat_stay_cost", 1, "d", table.num_rows),
        sources=sources,
        cities=dict.fromkeys(names, "c"),
        stays={source.source_id: source.table.num_rows for source in sources},
        small={},
        target=Target(part("target_train"), part("target_valid"), part("target_test")),
        pooled=TableSource("pooled", theirs),
    )


@pytest.fixture(scope="module")
def learner(request) -> Ridge:
    return Ridge(models.load(request.config.rootpath / "models", "stay_cost_ridge"))


@pytest.fixture(scope="module")
def region(make_region) -> Region:
    return region_of(make_region())


@pytest.fixture(scope="module")
def history(region, learner):
    return History.of(region, learner, fewest=50)


@pytest.fixture(scope="module")
def states(history):
    return list(follow(history, seed=3, watch=watch_of(history)))


def test_the_grown_model_equals_a_refit_from_the_records_bit_for_bit(history, states):
    for state in states:
        assert refit(history, state) == state.growth.total == state.growth.rebuilt()
        assert set(state.growth.members) == state.stand.tick.active
        assert np.array_equal(state.coefficients["evolving"], history.learner.solve(refit(history, state)))


def test_a_delivery_that_does_harm_never_enters_the_model(history, states):
    harm = policy_of(10).harm
    worth = {s.stand.tick.month: s.stand.tick.values for s in states}
    bad = {(month, source) for month, values in worth.items() for source, v in values.items() if v and v < harm}
    assert len(bad) > 10
    for state in states:
        entered = {(month, source) for source in state.growth.members for month in state.stand.memory[source]}
        assert not entered & bad


def test_months_before_the_fourth_open_the_replay(history, states):
    assert history.followed[0] == date(2024, 4, 1)
    assert [history.window(month) for month in history.months[:8]] == [1, 2, 3, 4, 5, 6, 6, 6]
    opened = history.hearing.until("H07", date(2024, 4, 1))
    assert opened == history.months[:4]
    assert history.hearing.until("H06", date(2025, 1, 1))[-2:] == (date(2024, 8, 1), date(2025, 1, 1))
    # Sixty stays a month and more: two months hold a hundred.
    assert len(history.hearing.newest("H07", date(2024, 8, 1), records=100, longest=6)) == 2
    assert history.hearing.news("H07", date(2025, 4, 1)) == ()


def test_the_bureaus_months_are_sums_of_all_its_records(history, region):
    question = history.learner.asked()
    assert history.train.until[history.months[-1]] == question.of(region.target.train)
    last = history.train.last(history.months[6], count=3)
    assert last == Statistic.total(history.train.by_month[month] for month in history.months[4:7])


def test_what_was_known_in_a_month_does_not_depend_on_later_months(make_region, learner, states):
    cut = date(2024, 11, 1)
    table = make_region()
    late = pc.greater_equal(table["month"], pa.scalar(cut))
    cost = pc.if_else(late, pc.add(pc.multiply(table["log_cost"], -1.0), 20.0), table["log_cost"])
    forged = table.set_column(table.column_names.index("log_cost"), "log_cost", cost)
    other = History.of(region_of(forged), learner, fewest=50)
    others = list(follow(other, seed=3, watch=watch_of(other)))
    before = [state for state in states if state.stand.tick.month < cut]
    assert len(before) == 7
    for state, changed in zip(before, others, strict=False):
        assert state.stand == changed.stand
        assert state.growth.total == changed.growth.total
    assert states[-1].stand.tick.values != others[-1].stand.tick.values


@pytest.mark.parametrize("share", [None, 0.35])
def test_a_replay_in_pieces_is_the_whole_one(region, learner, share):
    def opened(until=None):
        history = History.of(region, learner, fewest=50, until=until)
        bytes_ = history.hearing.cost("").bytes * 10 * share if share else float("inf")
        return history, watch_of(history, Budgets(bytes=bytes_))

    history, watched = opened()
    whole = list(follow(history, seed=3, watch=watched))
    past, blocks = [], {}
    for until in (date(2024, 5, 1), date(2024, 6, 1), date(2024, 10, 1), date(2025, 4, 1)):
        piece, watched = opened(until)
        piece.hearing.blocks = blocks
        for state in follow(piece, seed=3, watch=watched, past=tuple(past)):
            same = whole[len(past)]
            past.append(state.stand)
            assert state.stand == same.stand
            assert state.growth.total == same.growth.total
            assert state.errors == same.errors
            assert state.bytes == same.bytes
            assert all(np.array_equal(state.coefficients[k], same.coefficients[k]) for k in same.coefficients)
    assert len(past) == len(whole)
    assert (history.hearing.asked < 100) == (share is not None)


def test_a_source_that_rested_is_asked_for_all_that_is_new_in_one_answer(region, learner):
    history = History.of(region, learner, fewest=50)
    watched = watch_of(history, Budgets(bytes=history.hearing.cost("").bytes * 3))
    *_, last = follow(history, seed=3, watch=watched)
    blocks = [block for blocks in history.hearing.blocks.values() for block in blocks.values()]
    assert max(len(block.months) for block in blocks) > 2
    for source, found in history.hearing.blocks.items():
        told = [month for block in found.values() for month in block.months]
        assert len(told) == len(set(told)), source
    assert last.bytes <= watched.budgets.bytes


def test_the_error_of_a_month_is_that_of_models_that_ended_before_it(history, states):
    before, state = states[2], states[3]
    gram, month = history.learner.gram, state.stand.tick.month
    for name, model in before.coefficients.items():
        expected = np.sqrt(gram.loss(history.unseen.by_month[month], model))
        assert state.errors[name] == pytest.approx(expected, abs=1e-12)
    assert states[0].errors == {}
    assert all(np.array_equal(s.coefficients["static"], states[0].coefficients["evolving"]) for s in states)


def test_counting_records_often_is_counting_them_so_often(history):
    own = history.train.until[history.months[3]]
    assert weighted(own, 8) == Statistic.total([own] * 8)


def test_own_records_weigh_more_where_others_are_no_help(history, region):
    """Sources that follow another law make the bureau's own records weigh; sources of its own law do not."""
    month, own = history.months[-1], history.train.until[history.months[-1]]
    question = history.learner.asked()
    strange = question.of(next(s.table for s in region.sources if s.source_id == "H04"))
    assert best_weight(history, own, strange, month) >= 8
    assert best_weight(history, own, history.valid.until[month], month) == 1
    assert best_weight(history, own, None, month) == 1
