"""Where the lake lost a withdrawal, nobody is asked about anything until it is there again."""

import pytest
from tests.unit.steps.occasions import SIGNED, Occasions

from headwater.adapters import lake, mlflow
from headwater.adapters.home import Home
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

REGION, GONE = "失", "H08"
NAME = registered_name("stay_cost", REGION)


occasion = Occasions(REGION)


@pytest.fixture(scope="module")
def home(own, put_mart, make_region):
    """Give an installation with a valuation and a version, whose lake lost that a hospital withdrew."""
    put_mart(own, make_region(region=REGION, hospitals=8, months=6, stays_a_month=60))
    value(own, run=occasion("valued"), min_stays=20)
    evolve(own, run=occasion("followed"), min_stays=20)
    withdraw(own, run=occasion("leaves"), leaving=Leaving(source=GONE), signed=SIGNED)
    with lake.connect(own, threads=1) as connection:
        connection.execute("DELETE FROM lake.knowledge.withdrawal")
    return own


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
