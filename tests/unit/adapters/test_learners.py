"""The ridge learner, and the weighing of sources."""

from pathlib import Path

import numpy as np
import pytest

from headwater.adapters.learners import Ridge, equally, learner
from headwater.adapters.network import Network
from headwater.content import models
from headwater.errors import Refusal

ROOM = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(hospitals=8, months=3, stays_a_month=80)


def test_each_model_gets_the_learner_that_it_declares():
    assert isinstance(learner(models.load(ROOM, "stay_cost_ridge")), Ridge)
    assert isinstance(learner(models.load(ROOM, "stay_cost_network")), Network)


def test_a_ridge_is_solved_not_trained(table):
    ridge = learner(models.load(ROOM, "stay_cost_ridge"))
    assert isinstance(ridge, Ridge)
    assert ridge.rounds == 1
    network = learner(models.load(ROOM, "stay_cost_network"))
    with pytest.raises(Refusal) as refusal:
        ridge.train(table, network.question(network.start(table, seed=0), seed=0))
    assert refusal.value.code == "E-MODEL-TRAIN"
    wrong = Ridge(models.Model(ridge.model.spec, lambda dim: dim, ridge.model.definition, ""))
    with pytest.raises(Refusal) as refusal:
        _ = wrong.gram
    assert refusal.value.code == "E-MODEL-BUILD"


def test_a_ridge_equals_least_squares_on_the_records(table):
    ridge = learner(models.load(ROOM, "stay_cost_ridge"))
    x = ridge.model.spec.features.transform(table)
    y = np.rint(table["log_cost"].to_numpy() * 2**14) / 2**14
    penalty = np.sqrt(ridge.gram.penalty(ridge.model.spec.ridge))
    expected = np.linalg.lstsq(np.vstack([x, np.diag(penalty)]), np.concatenate([y, np.zeros(len(penalty))]))[0]
    solved = ridge.coefficients(ridge.asked().of(table))
    assert np.abs(ridge.predict(solved, x) - x @ expected).max() < 1e-9


def test_equal_weights_make_a_twin_of_a_source_count_for_nothing_more(table):
    ridge = learner(models.load(ROOM, "stay_cost_ridge"))
    small, large = ridge.asked().of(table.slice(0, 100)), ridge.asked().of(table.slice(100, 900))
    equal = equally(ridge.asked(), [small, large])
    assert [ridge.gram.records(statistic) for statistic in equal] == [500, 500]
    assert np.allclose(ridge.gram.moments(equal[0]).xx, 5 * ridge.gram.moments(small).xx, atol=1e-6)
