"""Where the lake lost a withdrawal, nobody is asked about anything until it is there again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headwater.adapters import lake, mlflow, postgres
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.errors import Refusal
from headwater.federation import TableSource
from headwater.steps.aggregate import aggregate
from headwater.steps.evolve import evolve
from headwater.steps.frontier import frontier
from headwater.steps.leaving import Leaving
from headwater.steps.register import registered_name
from headwater.steps.reproduce import reproduce
from headwater.steps.retrain import retrain
from headwater.steps.value import value
from headwater.steps.wish import Wish
from headwater.steps.withdraw import withdraw

PROJECT = Path(__file__).resolve().parents[3]
REGION, GONE = "失", "H08"
NAME = registered_name("stay_cost", REGION)


def occasion(name: str) -> Run:
    return Run(name, datetime(2026, 1, 5, 8, 0, tzinfo=UTC), 3, REGION)


@pytest.fixture(scope="module")
def home(databases, tmp_path_factory, new_versions, put_mart, make_region):
    """Give an installation with a valuation and a version, whose lake lost that a hospital withdrew."""
    made = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", new_versions())
        postgres.prepare(made)
        put_mart(made, make_region(region=REGION, hospitals=8, months=6, stays_a_month=60))
        value(made, run=occasion("valued"), min_stays=20)
        evolve(made, run=occasion("followed"), min_stays=20)
        withdraw(made, run=occasion("leaves"), leaving=Leaving(source=GONE))
        with lake.connect(made, threads=1) as connection:
            connection.execute("DELETE FROM lake.knowledge.withdrawal")
        yield made


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Give a list of who is asked from now on."""
    found: list[str] = []
    answer = TableSource.answer

    def noted(self, *told, **further):
        found.append(self.source_id)
        return answer(self, *told, **further)

    monkeypatch.setattr(TableSource, "answer", noted)
    return found


STEPS = {
    "value": lambda home: value(home, run=occasion("v"), min_stays=20),
    "frontier": lambda home: frontier(home, run=occasion("f")),
    "evolve": lambda home: evolve(home, run=occasion("e"), min_stays=20),
    "retrain": lambda home: retrain(home, run=occasion("t"), model="stay_cost_ridge"),
    "join": lambda home: aggregate(home, run=occasion("a"), wish=Wish("clear")),
    "reproduce": lambda home: reproduce(home, run=occasion("r"), name=NAME, number=_serving(home)),
}


def _serving(home: Home) -> int:
    found = mlflow.champion(home, NAME)
    assert found is not None
    return found.number


@pytest.mark.parametrize("step", STEPS)
def test_nobody_is_asked_while_a_withdrawal_is_lost(home, asked, step):
    with pytest.raises(Refusal, match="E-WITHDRAWAL-LOST"):
        STEPS[step](home)
    assert asked == []


@pytest.mark.parametrize("step", ["value", "retrain"])
def test_without_the_look_into_the_log_whoever_withdrew_would_be_asked(home, asked, monkeypatch, step):
    monkeypatch.setattr(f"headwater.steps.{step}.require_minded", lambda *_: None)
    monkeypatch.setattr("headwater.steps.register.require_minded", lambda *_, **__: None)
    STEPS[step](home)
    assert GONE in asked
