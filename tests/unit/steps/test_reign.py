"""The law that holds for the bureau: when only what was said under it counts, and that all stays exact."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.steps.test_replay import region_of

from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.evolution import BASE, Budgets
from headwater.steps import stands
from headwater.steps.evolve import watch_of
from headwater.steps.history import History
from headwater.steps.replay import follow, refit, told, weighted

TURNED = date(2024, 11, 1)
"""From when on another law holds for the bureau and for two of its four sources."""
TURNING, STAYING = ("H07", "H08"), ("H09", "H10")


def turning_table(table: pa.Table, *, turned: date = TURNED) -> pa.Table:
    """Return the region with four sources of the bureau's law, which leave two of them behind when they turn."""
    there = pa.array([*TURNING, *STAYING])
    table = table.filter(pc.or_(pc.not_equal(table["split"], "source"), pc.is_in(table["hospital"], there)))
    follows = pc.or_(pc.not_equal(table["split"], "source"), pc.is_in(table["hospital"], pa.array(TURNING)))
    then = pc.and_(follows, pc.greater_equal(table["month"], pa.scalar(turned)))
    other = pc.add(pc.multiply(table["log_days"], -1.5), pc.add(table["log_cost"], 3.0))
    cost = pc.if_else(then, other, table["log_cost"])
    return table.set_column(table.column_names.index("log_cost"), "log_cost", cost)


def followed(region, learner, *, until=None, blocks=None, past=()):
    history = History.of(region, learner, fewest=50, until=until)
    history.hearing.blocks = {} if blocks is None else blocks
    return history, list(follow(history, seed=3, watch=watch_of(history), past=past))


@pytest.fixture(scope="module")
def learner(request) -> Ridge:
    return Ridge(models.load(request.config.rootpath / "models", "stay_cost_ridge"))


@pytest.fixture(scope="module")
def turning(make_region, learner):
    return followed(region_of(turning_table(make_region(months=16, stays_a_month=120))), learner)


def test_while_one_law_holds_for_all_everything_that_is_remembered_counts(turning):
    history, states = turning
    before = [state for state in states if state.stand.tick.month < TURNED]
    assert len(before) > 5
    for state in before:
        assert state.stand.reign is None
        assert state.stand.counted == state.stand.memory
        assert BASE not in told(history, state)
        assert state.growth.base == weighted(history.train.until(state.stand.tick.month), state.stand.weight)


def test_after_a_turn_only_what_was_said_since_counts_of_the_bureau_and_of_who_turned_with_it(turning):
    history, states = turning
    last = states[-1]
    reign = last.stand.reign
    assert min(reign.own) == TURNED
    assert reign.own[-1] == last.stand.tick.month
    for source in TURNING:
        assert set(reign.answers[source]) <= {month for month in last.stand.memory[source] if month >= TURNED}
        assert reign.answers[source]
    assert not any(reign.answers.get(source) for source in STAYING)
    assert set(last.growth.members) == {source for source in TURNING if source in last.stand.tick.active}
    assert told(history, last)[BASE] == reign.own


def test_the_model_of_every_month_equals_a_refit_from_the_records_that_count(turning):
    history, states = turning
    for state in states:
        assert refit(history, state) == state.growth.total == state.growth.rebuilt()


def test_within_three_months_the_model_errs_less_than_one_of_which_everything_counts(turning, learner, monkeypatch):
    history, states = turning
    monkeypatch.setattr("headwater.steps.reign.Reigning.after", lambda *_, **__: None)
    other, whole = followed(history.region, learner)
    at = [state.stand.tick.month for state in states].index(date(2025, 2, 1))
    assert all(state.stand.reign is None for state in whole)
    assert states[at].errors["evolving"] < 0.9 * whole[at].errors["evolving"]


def test_a_version_is_due_when_another_law_reigns(turning):
    _, states = turning
    first = next(state for state in states if state.stand.reign is not None)
    assert first.stand.tick.month >= TURNED
    assert any(state.changed for state in states if state.stand.tick.month >= first.stand.tick.month)
    for before, state in zip(states, states[1:], strict=False):
        left_or_came = (
            set(state.growth.members) != set(before.growth.members) or state.before != state.stand.tick.active
        )
        assert state.changed == left_or_came, state.stand.tick.month


def test_a_replay_in_pieces_through_the_lakes_rows_is_the_whole_one(turning, learner):
    history, whole = turning
    past, blocks = [], {}
    run = Run("r", datetime(2025, 5, 1, tzinfo=UTC), 3)
    for until in (date(2024, 10, 1), TURNED, date(2024, 12, 1), None):
        _, states = followed(history.region, learner, until=until, blocks=blocks, past=tuple(past))
        for state in states:
            same = whole[len(past)]
            row = stands.month_row(state, run=run, snapshot=1, budgets=Budgets())
            (stand,) = stands.stands([row], stands.line_rows(state, run=run, snapshot=1))
            assert stand.reign == same.stand.reign
            assert stand.counted == same.stand.counted
            assert state.stand == same.stand
            assert state.growth.total == same.growth.total
            assert state.errors == same.errors
            past.append(stand)
    assert len(past) == len(whole)


def test_rows_of_before_there_were_reigns_tell_of_none(turning):
    state = turning[1][0]
    run = Run("r", datetime(2025, 5, 1, tzinfo=UTC), 3)
    row = stands.month_row(state, run=run, snapshot=1, budgets=Budgets()) | {"own_months": None}
    lines = [{**line, "counted": None} for line in stands.line_rows(state, run=run, snapshot=1)]
    (stand,) = stands.stands([row], lines)
    assert stand.reign is None
    assert stand.memory == state.stand.memory


def test_what_went_from_the_hearing_is_in_no_model_that_goes_on(make_region, learner, turning):
    history, whole = turning
    cut, gone = date(2025, 3, 1), TURNING[0]
    past = [state.stand for state in whole if state.stand.tick.month <= cut]
    assert past[-1].counted[gone]
    table = turning_table(make_region(months=16, stays_a_month=120))
    left = table.filter(pc.invert(pc.and_(pc.equal(table["split"], "source"), pc.equal(table["hospital"], gone))))
    blocks = {source: dict(told) for source, told in history.hearing.blocks.items() if source != gone}
    for answers in blocks.values():
        answers.pop(date(2025, 4, 1), None)
    again, (state,) = followed(region_of(left), learner, blocks=blocks, past=past)
    assert gone not in state.growth.members
    assert not state.stand.counted.get(gone)
    assert refit(again, state) == state.growth.total == state.growth.rebuilt()


def test_it_takes_more_to_begin_a_reign_than_to_keep_it(turning, learner, monkeypatch):
    history, whole = turning
    monkeypatch.setattr("headwater.steps.reign._CLEARLY", 1e9)
    _, never = followed(history.region, learner)
    assert all(state.stand.reign is None for state in never)
    past = [state.stand for state in whole if state.stand.tick.month <= date(2025, 2, 1)]
    assert past[-1].reign is not None
    _, (kept, *_) = followed(history.region, learner, blocks=dict(history.hearing.blocks), past=past)
    assert kept.stand.reign == whole[len(past)].stand.reign
