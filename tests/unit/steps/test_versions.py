"""Versions serve, go back, and are computed again: those of joined sums, of networks, and of noise."""

import dataclasses
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.steps.occasions import AT, SIGNED

from headwater.adapters import audit as log
from headwater.adapters import knowledge, lake, mlflow, postgres, versions
from headwater.adapters.knowledge import Run
from headwater.errors import Refusal
from headwater.steps import champion, reproduce
from headwater.steps.aggregate import aggregate
from headwater.steps.foresee import foresee
from headwater.steps.leaving import Leaving
from headwater.steps.promote import promote
from headwater.steps.register import registered_name
from headwater.steps.reproduce import TOLERANCE
from headwater.steps.retrain import retrain
from headwater.steps.rollback import rollback
from headwater.steps.wish import Wish
from headwater.steps.withdraw import withdraw

PROJECT = Path(__file__).resolve().parents[3]
REGION, GOOD = "版", ["H05", "H06", "H07", "H08"]
NAME = registered_name("stay_cost", REGION)


def occasion(name: str, *, minutes: int = 0) -> Run:
    return Run(name, AT + timedelta(minutes=minutes), 3, REGION)


def choose(home, sources, *, minute: int) -> None:
    """Write a valuation newer than all before, that chooses ``sources``."""
    at = {"as_of": datetime(2026, 1, 1, 0, minute), "snapshot": 1, "bytes": 1, "method": "by hand", "run": f"v{minute}"}
    rows = [
        {"source": s, "city": "江城市", "stays": 1, "value": 0.1, "low": 0.1, "high": 0.1, "selected": s in sources}
        | at
        for s in [f"H{k:02d}" for k in range(2, 9)]
    ]
    key = {"task": "stay_cost", "region": REGION, "month": date(2025, 12, 1)}
    with lake.connect(home, threads=1) as connection:
        knowledge.prepare(home, connection)
        knowledge.replace(connection, "valuation", key=key, rows=rows)


@pytest.fixture(scope="module")
def home(own, put_mart, make_region):
    # H05 is as good as the others in the first half of the months, and there are only these.
    table = make_region(region=REGION, hospitals=8, months=16, stays_a_month=150)
    put_mart(own, table.filter(pc.less(table["month"], pa.scalar(date(2024, 9, 1)))))
    choose(own, ["H07"], minute=1)
    return own


@pytest.fixture(scope="module")
def small(home):
    return aggregate(home, run=occasion("small"), wish=Wish("clear")).registered


@pytest.fixture(scope="module")
def masked(home, small):
    choose(home, GOOD, minute=2)
    return aggregate(home, run=occasion("masked", minutes=1), wish=Wish("masked")).registered


@pytest.fixture(scope="module")
def network(home, masked):
    return retrain(home, run=occasion("network", minutes=2), model="stay_cost_network")


def number(registered) -> int:
    return registered.version.number


def test_better_ones_served_in_their_turn_and_history_tells_why(home, small, masked, network):
    with lake.connect(home, threads=1) as connection:
        served = versions.served(connection, NAME)
        lines = versions.lines(connection, name=NAME)
    assert [line.version for line in lines] == [number(network.registered), number(masked), number(small)]
    assert served[-1].version == number(small)
    assert all(one.low > 0 and one.rows > 100 for one in served)
    assert {one.version: one.before for one in served}[number(small)] is None
    # What won served, what did not is said to have lost: by the same figures.
    for registered in (small, masked, network.registered):
        assert (number(registered) in {one.version for one in served}) == registered.comparison.is_better


def test_going_back_takes_the_one_that_served_before_and_is_in_the_log(home, masked, network):
    before = mlflow.champion(home, NAME)
    with lake.connect(home, threads=1) as connection:
        expected = next(one.before for one in versions.served(connection, NAME) if one.version == before.number)
    gone = rollback(home, run=occasion("back", minutes=3), name=NAME)
    assert (gone.before, gone.after) == (before.label, f"{NAME}/{expected}")
    assert mlflow.champion(home, NAME).number == expected
    with postgres.connect(home) as connection:
        last = list(log.entries(connection, kind="champion"))[-1]
    assert last.number == gone.entry
    told = {"name": NAME, "version": expected, "before": before.number, "why": "rollback", "run": "back"}
    assert told.items() <= json.loads(last.body).items()
    assert json.loads(last.body)["compared"] == {}
    again = promote(home, run=occasion("forward", minutes=4), name=NAME, number=before.number)
    assert again.comparison.low > 0
    assert mlflow.champion(home, NAME) == before


def test_what_is_not_better_is_not_promoted_and_told_why(home, small, network):
    serving = mlflow.champion(home, NAME)
    with pytest.raises(Refusal) as refusal:
        promote(home, run=occasion("worse"), name=NAME, number=number(small))
    assert refusal.value.code == "E-PROMOTE-WORSE"
    assert serving.label in refusal.value.reason.en
    with pytest.raises(Refusal) as refusal:
        promote(home, run=occasion("itself"), name=NAME, number=serving.number)
    assert refusal.value.code == "E-PROMOTE-SERVES"
    with pytest.raises(Refusal) as refusal:
        promote(home, run=occasion("none"), name=NAME, number=99)
    assert refusal.value.code == "E-VERSION-UNKNOWN"
    assert mlflow.champion(home, NAME) == serving


def test_there_is_no_way_back_to_what_never_served(home, network):
    for name, to in ((NAME, 99), ("stay_cost-无", None), (NAME, mlflow.champion(home, NAME).number)):
        with pytest.raises(Refusal) as refusal:
            rollback(home, run=occasion("nowhere"), name=name, to=to)
        assert refusal.value.code == "E-ROLLBACK-NONE"


@pytest.mark.parametrize("which", ["small", "masked"])
def test_a_joined_version_is_computed_again_along_its_plan(home, which, request):
    registered = request.getfixturevalue(which)
    found = reproduce.reproduce(home, run=occasion(f"again {which}", minutes=5), name=NAME, number=number(registered))
    assert found.is_whole
    assert found.is_bitwise
    assert found.data_is_same
    assert found.parameters == 0.0
    assert found.scores <= TOLERANCE
    assert found.why_not == ()


def test_a_network_is_trained_again_to_the_same_numbers(home, network):
    again = reproduce.reproduce(
        home, run=occasion("again network", minutes=5), name=NAME, number=number(network.registered)
    )
    assert again.is_whole
    assert again.parameters <= TOLERANCE
    assert network.exact == (17, again.every)


def test_other_parameters_are_noticed(home, small, monkeypatch):
    load = mlflow.load

    def other(home, version):
        model = load(home, version)
        return dataclasses.replace(model, parameters=model.parameters + 1e-6)

    monkeypatch.setattr(mlflow, "load", other)
    found = reproduce.reproduce(home, run=occasion("other", minutes=6), name=NAME, number=number(small))
    assert not found.holds
    assert found.parameters == pytest.approx(1e-6)


def test_noise_is_told_and_not_paid_for_again(home, masked, monkeypatch):
    noisy = [dataclasses.replace(one, epsilon=0.5) for one in _members(home, masked)]
    monkeypatch.setattr(versions, "members", lambda *_: noisy)
    found = reproduce.reproduce(home, run=occasion("noisy", minutes=6), name=NAME, number=number(masked))
    assert found.holds
    assert not found.is_whole
    assert (found.parameters, found.computed) == (None, 0)
    assert "noise" in found.why_not[0].en


def _members(home, registered):
    with lake.connect(home, threads=1) as connection:
        return versions.members(connection, NAME, number(registered))


def test_from_sums_alone_nothing_is_subtracted_and_the_way_out_is_told(home, masked, network):
    serving = mlflow.champion(home, NAME)
    if serving.number != number(masked):
        champion.mlflow.promote(home, masked.version)
    (told,) = foresee(home, leaving=Leaving(source="H08"))
    assert (told.outlook, told.serves) == ("sums", masked.version.label)
    report = withdraw(home, run=occasion("from sums", minutes=7), leaving=Leaving(source="H08"), signed=SIGNED)
    (taken,) = report.taken
    assert (taken.outcome, taken.before, taken.after) == ("sums", masked.version.label, masked.version.label)
    assert not report.is_complete
    assert "headwater aggregate" in taken.remedy.en
    assert "ε" not in taken.why.en
    mlflow.promote(home, network.registered.version)
    anew = aggregate(home, run=occasion("anew", minutes=8), wish=Wish("clear"))
    assert "H08" not in anew.sources
    assert "H08" in anew.refused
    assert anew.registered.is_champion, "the other was made with what withdrew, so it is relieved whatever the scores"


@pytest.fixture(scope="module")
def fresh(home, network):
    """Give a network of whom nobody withdrew: what was held of the other went when H08 did."""
    return retrain(home, run=occasion("fresh", minutes=8), model="stay_cost_network").registered.version


def test_a_network_loses_a_source_exactly_in_its_last_layer(home, fresh):
    mlflow.promote(home, fresh)
    report = withdraw(home, run=occasion("from network", minutes=9), leaving=Leaving(source="H07"), signed=SIGNED)
    (taken,) = report.taken
    proof = taken.certificate
    assert taken.outcome == "subtracted"
    assert proof["equals_retraining"]
    assert [step["source"] for step in proof["steps"]] == ["H07"]
    assert (proof["exact_parameters"], proof["scheduled_body"]) == (17, fresh.label)
    assert any("headwater model retrain" in told["en"] for told in proof["not_undone"])
    old, new = (mlflow.load(home, one).parameters for one in (fresh, mlflow.champion(home, NAME)))
    assert np.array_equal(old[:-17], new[:-17])
    assert not np.array_equal(old[-17:], new[-17:])
    found = reproduce.reproduce(
        home, run=occasion("exact part", minutes=10), name=NAME, number=mlflow.champion(home, NAME).number
    )
    assert found.holds
    assert (found.computed, found.parameters) == (17, 0.0)
    assert fresh.label in found.why_not[0].en


def test_a_body_that_is_retrained_is_no_longer_due(home, fresh):
    report = retrain(home, run=occasion("retrained", minutes=11), model="stay_cost_network")
    assert set(report.sources) == {"H05", "H06"}
    with lake.connect(home, threads=1) as connection:
        assert versions.line(connection, NAME, number(report.registered)).body is None
        due = versions.line(connection, NAME, number(report.registered) - 1)
    assert due.body == fresh.label


def test_what_withdrew_stands_in_the_way_of_going_back_and_computing_again(home, small, network):
    for attempt in (
        lambda: rollback(home, run=occasion("to it"), name=NAME, to=number(small)),
        lambda: promote(home, run=occasion("it"), name=NAME, number=number(small)),
        lambda: reproduce.reproduce(home, run=occasion("of it"), name=NAME, number=number(small)),
    ):
        with pytest.raises(Refusal) as refusal:
            attempt()
        assert refusal.value.code == "E-VERSION-WITHDRAWN"
        assert "H07" in refusal.value.reason.en
