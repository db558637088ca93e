"""Coalitions' models are put together from what was sent; faults show, and rounds that tell nothing are left out."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import InProcess, TableSource, UpdateQuestion
from headwater.valuation import Approach, Target, Updates, value
from headwater.valuation.utilities.updates import Round, UpdateUtility


def records(count: int, seed: int, *, sign: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 2))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": sign * (x @ [1.0, -1.0]) + 0.3 * rng.normal(size=count)})


TARGET = Target.of(records(12, 0), label="y", rng=np.random.default_rng(0))


@dataclass(frozen=True)
class Descent:
    """A linear model by gradient descent: the smallest learner with rounds."""

    rounds: int = 3

    def start(self, own, *, seed):
        return np.zeros(3)

    def question(self, parameters, *, seed):
        return UpdateQuestion("descent", TARGET.features, parameters, target="y", epochs=8, learning_rate=0.2)

    def train(self, table, question):
        x, y, parameters = question.feature_map.transform(table), table.column("y").to_numpy(), question.parameters
        for _ in range(question.epochs):
            parameters = parameters - question.learning_rate * x.T @ (x @ parameters - y) / len(y)
        return parameters, len(y)

    def predict(self, parameters, x):
        return x @ parameters


LEARNER = Descent()
SOURCES = [
    TableSource("good", records(60, 1), LEARNER.train),
    TableSource("little", records(6, 2), LEARNER.train),
    TableSource("turned", records(60, 3, sign=-1.0), LEARNER.train),
]


def valued(sources=SOURCES, updates=None, **options):
    approach = Approach(updates or Updates(LEARNER), **options)
    return value(InProcess(sources), TARGET, method=approach, rng=np.random.default_rng(0))


def test_faults_show_and_every_round_is_counted():
    found = valued()
    assert found.method == "updates/exact"
    assert found.ranked()[-1] == "turned"
    assert found.of("turned") < 0
    assert found.exchange.rounds == 3
    question = LEARNER.question(np.zeros(3), seed=0)
    assert found.exchange.asked["good"] == 3 * question.nbytes
    assert found.exchange.answered["good"] % 3 == 0


def test_a_coalition_is_the_mean_of_what_its_members_sent():
    rounds = [Round(np.array([2.0, 1.0]), np.array([[8.0, 2.0], [-9.0, 3.0]]))]
    game = UpdateUtility(rounds, lambda parameters: float(parameters[0]))
    coalitions = np.array([[False, False], [True, False], [False, True], [True, True]])
    np.testing.assert_allclose(game(coalitions) + 2.0, [2.0, 10 / 3, -7 / 4, 1 / 6])


def test_rounds_that_tell_nothing_are_left_out():
    assert valued(updates=Updates(LEARNER, between=10.0)).values.tolist() == [0.0, 0.0, 0.0]


def test_truncated_orders_agree_with_all_coalitions():
    whole, orders = valued(), valued(updates=Updates(LEARNER, within=0.0), method="truncated")
    assert (np.abs(orders.values - whole.values) <= 2 * (orders.high - orders.low) + 1e-9).all()
    assert orders.values.sum() == pytest.approx(whole.values.sum())


def test_who_fails_later_is_left_out_of_all_rounds():
    rounds = []

    def tires(table, question):
        rounds.append(question.parameters)
        if len(rounds) > 1:
            raise RuntimeError("out of memory")
        return LEARNER.train(table, question)

    found = valued([*SOURCES, TableSource("tired", records(30, 5), tires)])
    assert found.players == ("good", "little", "turned")
    assert found.refused["tired"].code == "E-SOURCE-FAULT"
    assert len(rounds) == 2


def test_without_trainers_it_is_refused():
    with pytest.raises(Refusal, match="E-VALUE-SOURCES.*does not train"):
        valued([replace(source, trainer=None) for source in SOURCES])


def test_a_learner_that_is_not_trained_round_by_round_is_refused():
    class MLPRegressor:
        def fit(self, x, y):
            return self

        def predict(self, x):
            return x[:, 0]

    with pytest.raises(Refusal, match=r"E-VALUE-LEARNER.*MLPRegressor.*Retraining\(fit\)"):
        Updates(MLPRegressor())
