"""The replay of months on a region in which one source turns bad and one falls silent."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.adapters.features import DataSeen, Region, Target
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.evolution import Budgets, Turn, month_number
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
        assert np.array_equal(state.coefficients["evolving"], history.learner.coefficients(refit(history, state)))


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
    assert history.train.until(history.months[-1]) == question.of(region.target.train)
    last = history.train.last(history.months[6], count=3)
    assert last == Statistic.total(history.train.by_month[month] for month in history.months[4:7])


def test_months_in_which_only_the_bureau_has_records_count_in_the_model_and_in_its_refit(make_region, learner):
    table, alone = make_region(months=8), [date(2024, 2, 1), date(2024, 6, 1)]
    theirs = pc.and_(pc.equal(table["split"], "source"), pc.is_in(table["month"], pa.array(alone)))
    region = region_of(table.filter(pc.invert(theirs)))
    history = History.of(region, learner, fewest=50)
    *_, last = follow(history, seed=3, watch=watch_of(history))
    assert not set(alone) & set(history.months)
    assert history.train.until(history.months[-1]) == learner.asked().of(region.target.train)
    assert refit(history, last) == last.growth.total == last.growth.rebuilt()


def test_what_stood_on_a_month_of_which_nobody_has_records_any_more_is_followed_on(make_region, learner):
    table, gone = make_region(months=9), date(2024, 8, 1)
    whole = History.of(region_of(table), learner, fewest=50, until=gone)
    past = [state.stand for state in follow(whole, seed=3, watch=watch_of(whole))]
    left = table.filter(pc.not_equal(table["month"], pa.scalar(gone)))
    history = History.of(region_of(left), learner, fewest=50)
    history.hearing.blocks = {
        source: {at: block for at, block in blocks.items() if at != gone}
        for source, blocks in whole.hearing.blocks.items()
    }
    (state,) = follow(history, seed=3, watch=watch_of(history), past=past)
    assert state.stand.tick.month == date(2024, 9, 1)
    assert refit(history, state) == state.growth.total
    assert history.train.until(gone) == history.train.until(date(2024, 7, 1))
    assert history.train.until(date(2023, 1, 1)) == learner.asked().of(table.slice(0, 0))


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
    own = history.train.until(history.months[3])
    assert weighted(own, 8) == Statistic.total([own] * 8)


def test_own_records_weigh_more_where_others_are_no_help(history, region):
    """Sources that follow another law make the bureau's own records weigh; sources of its own law do not."""
    month, own = history.months[-1], history.train.until(history.months[-1])
    question = history.learner.asked()
    strange = question.of(next(s.table for s in region.sources if s.source_id == "H04"))
    assert best_weight(history, own, strange, month) >= 8
    assert best_weight(history, own, history.valid.until(month), month) == 1
    assert best_weight(history, own, None, month) == 1


AWAY = (date(2024, 9, 1), date(2025, 2, 1))
"""From when until before when two good sources follow another law."""
RETURNING = ("H07", "H08")


def returning_region(table: pa.Table) -> Region:
    """Return the region with two sources of use alone, both of which go and come back."""
    names = pa.array(["H02", "H03", "H04", "H05", *RETURNING])
    table = table.filter(pc.or_(pc.not_equal(table["split"], "source"), pc.is_in(table["hospital"], names)))
    theirs = pc.and_(pc.equal(table["split"], "source"), pc.is_in(table["hospital"], pa.array(RETURNING)))
    then = pc.and_(pc.greater_equal(table["month"], pa.scalar(AWAY[0])), pc.less(table["month"], pa.scalar(AWAY[1])))
    noise = pa.array(np.random.default_rng(9).normal(10.5, 0.35, table.num_rows))
    other = pc.subtract(noise, pc.multiply(table["log_days"], 0.5))
    cost = pc.if_else(pc.and_(theirs, then), other, table["log_cost"])
    return region_of(table.set_column(table.column_names.index("log_cost"), "log_cost", cost))


@pytest.fixture(scope="module")
def returning(make_region, learner):
    history = History.of(returning_region(make_region(months=17)), learner, fewest=50)
    return history, list(follow(history, seed=3, watch=watch_of(history)))


def test_a_source_whose_earlier_regime_is_back_counts_with_what_it_said_then(returning):
    history, states = returning
    at = {state.stand.tick.month: state for state in states}
    before, back = at[date(2025, 1, 1)], at[AWAY[1]]
    for source in RETURNING:
        assert before.stand.tick.standings[source] == "demoted"
        assert back.stand.tick.plan.decisions[source].action == "recall"
        memory = back.stand.memory[source]
        assert memory[-1] == AWAY[1]
        assert len(memory) > 5
        assert not [month for month in memory if AWAY[0] <= month < AWAY[1]]
    assert refit(history, back) == back.growth.total == back.growth.rebuilt()


def test_what_is_back_makes_the_model_better_than_waiting_does(returning, monkeypatch):
    history, states = returning
    monkeypatch.setattr("headwater.evolution.Recurring.turn", lambda *_: None)
    other = History.of(history.region, history.learner, fewest=50)
    waiting = list(follow(other, seed=3, watch=watch_of(other)))
    unseen = history.unseen.until(history.months[-1])

    def error(state):
        return history.learner.gram.loss(unseen, state.coefficients["evolving"]) ** 0.5

    place = next(place for place, state in enumerate(states) if state.stand.tick.month == AWAY[1])
    assert states[place - 1].stand == waiting[place - 1].stand
    assert error(states[place]) < 0.95 * error(waiting[place])
    assert [source in waiting[place].stand.tick.active for source in RETURNING] == [False, False]


def test_a_replay_in_pieces_remembers_what_was_said_before_the_change(returning):
    history, whole = returning
    past, blocks = [], {}
    for until in (date(2024, 12, 1), date(2025, 1, 1), AWAY[1], date(2025, 5, 1)):
        piece = History.of(history.region, history.learner, fewest=50, until=until)
        piece.hearing.blocks = blocks
        for state in follow(piece, seed=3, watch=watch_of(piece), past=tuple(past)):
            assert state.stand == whole[len(past)].stand
            assert state.growth.total == whole[len(past)].growth.total
            past.append(state.stand)
    assert len(past) == len(whole)


NOTICED = date(2025, 5, 1)
"""When the values of both regions below are seen to have changed."""


@pytest.fixture(scope="module")
def deserted(make_region, learner):
    """Give a region in which the value of H08, which says the same all the time, moves as H05 turns to noise."""
    return History.of(region_of(make_region(months=24)), learner, fewest=50, until=NOTICED)


def test_a_source_whose_value_moved_as_another_turned_keeps_all_it_said(deserted):
    *_, before, last = follow(deserted, seed=3, watch=watch_of(deserted))
    assert "H08" in last.stand.tick.changes
    assert last.stand.tick.plan.decisions["H08"].action == "keep"
    assert last.stand.memory["H08"] == (*before.stand.memory["H08"], NOTICED)
    assert len(last.stand.memory["H08"]) == len(last.stand.memory["H07"])


def test_by_the_onset_of_its_value_it_would_lose_what_it_said(deserted, monkeypatch):
    onset = month_number(date(2024, 12, 1))
    monkeypatch.setattr("headwater.evolution.Recurring.turn", lambda *_: Turn(onset))
    history = History.of(deserted.region, deserted.learner, fewest=50, until=NOTICED)
    *_, last = follow(history, seed=3, watch=watch_of(history))
    assert last.stand.tick.plan.decisions["H08"].action == "refresh"
    assert len(last.stand.memory["H08"]) == 6 < len(last.stand.memory["H07"])


def test_a_source_that_turned_itself_and_is_still_of_use_is_refreshed_since_its_first_answer_so(make_region, learner):
    table, turned = make_region(months=24, stays_a_month=150), date(2025, 3, 1)
    theirs = pc.equal(table["split"], "source")
    table = table.filter(pc.or_(pc.invert(theirs), pc.equal(table["hospital"], "H08")))
    theirs = pc.equal(table["split"], "source")
    since = pc.and_(theirs, pc.greater_equal(table["month"], pa.scalar(turned)))
    other = pc.add(table["log_cost"], pc.multiply(0.6, pc.subtract(table["log_days"], 2.0)))
    cost = pc.if_else(since, other, table["log_cost"])
    region = region_of(table.set_column(table.column_names.index("log_cost"), "log_cost", cost))
    history = History.of(region, learner, fewest=50, until=NOTICED)
    *_, last = follow(history, seed=3, watch=watch_of(history))
    decision = last.stand.tick.plan.decisions["H08"]
    assert (decision.action, decision.standing, decision.since) == ("refresh", "member", month_number(turned))
    assert last.stand.tick.changes["H08"].onset != month_number(turned)
    assert last.stand.memory["H08"] == (turned, date(2025, 4, 1), NOTICED)
    assert refit(history, last) == last.growth.total == last.growth.rebuilt()


def test_a_month_sums_what_changed_and_not_all_that_is_remembered(region, learner, monkeypatch):
    history, summed = History.of(region, learner, fewest=50), []
    states = follow(history, seed=3, watch=watch_of(history))
    before = next(states)
    whole = type(history.hearing).statistic
    monkeypatch.setattr(
        type(history.hearing),
        "statistic",
        lambda self, s, heard: summed.append((s, len(heard))) or whole(self, s, heard),
    )
    for state in states:
        stayed = state.growth.members.keys() & before.growth.members.keys()
        # Values look at a few newest answers of each.
        assert max(count for source, count in summed if source in stayed) <= 6
        before = state
        summed.clear()
    assert max(map(len, before.stand.memory.values())) > 10
