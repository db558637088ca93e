"""Networks trained together on many coalitions are those that would have been trained one by one."""

from pathlib import Path

import numpy as np
import pytest

from headwater.adapters.learners import learner
from headwater.adapters.retrained import retrained
from headwater.content import models

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def network():
    return learner(models.load(PROJECT / "models", "stay_cost_network"))


@pytest.fixture(scope="module")
def records(network):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, network.model.spec.features.dim)) / 8
    x[:, 0] = 1.0
    return x, x @ rng.normal(size=x.shape[1])


def test_what_a_weight_of_0_leaves_out_has_no_part_in_it(network, records):
    x, y = records
    weights = np.ones((1, 60))
    weights[0, 40:] = 0.0
    elsewhere = np.concatenate([y[:40], y[40:] + 5.0])
    told, other = (retrained(network, x, labels, weights, x) for labels in (y, elsewhere))
    np.testing.assert_array_equal(told, other)
    whole = retrained(network, x, y, np.ones((1, 60)), x)
    assert np.abs(whole - told).max() > 0.01


def test_a_network_does_not_notice_what_is_trained_beside_it(network, records):
    x, y = records
    weights = (np.random.default_rng(1).random((40, 60)) < 0.6).astype(np.float64)
    together = retrained(network, x, y, weights, x[:10])
    assert together.shape == (40, 10)
    for place in (0, 17, 39):
        alone = retrained(network, x, y, weights[place : place + 1], x[:10])
        np.testing.assert_allclose(together[place], alone[0], atol=1e-3)


def test_it_learns(network, records):
    x, y = records
    told = retrained(network, x, y, np.ones((1, 60)), x)[0]
    assert np.mean((told - y) ** 2) < 0.5 * np.var(y)
